from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings

settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("ci")


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def turn(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()
