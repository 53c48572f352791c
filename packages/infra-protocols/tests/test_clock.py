import time
from datetime import UTC, datetime, timedelta

from infra_protocols import Clock, SystemClock


def test_the_time_of_day_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.utcoffset() == timedelta(0)


def test_the_monotonic_clock_is_that_of_the_machine() -> None:
    clock = SystemClock()
    before = time.monotonic()
    readings = [clock.monotonic() for _ in range(100)]
    all_readings = [before, *readings, time.monotonic()]
    assert all_readings == sorted(all_readings)
    assert {type(reading) for reading in readings} == {float}


def test_a_clock_of_a_test_is_a_clock() -> None:
    class Turned:
        def now(self) -> datetime:
            return datetime(2025, 1, 1, tzinfo=UTC)

        def monotonic(self) -> float:
            return 7.0

    assert isinstance(Turned(), Clock)
    assert isinstance(SystemClock(), Clock)
    assert not isinstance(datetime.now(UTC), Clock)
    assert not isinstance(time, Clock)
