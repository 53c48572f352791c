"""The suite of event buses is proven by what it catches."""

import hypothesis
import pytest

from infra_conformance import EventBusSuite
from infra_conformance.gallery.event_bus import FAULTS
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_bus import MemoryBus


class TestMemoryBus(EventBusSuite):
    def make_bus(self, timeout: float | None, concurrency: int) -> MemoryBus:
        return MemoryBus(timeout, concurrency)


class TestInRealTime(TestMemoryBus):
    real_time = True
    tick = 0.05

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3, stateful_step_count=10)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryBus)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in EventBusSuite.checks().values()}
    assert ids == {id for fault in FAULTS for id in fault.caught_by}
