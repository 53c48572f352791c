"""The suite of brokers is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import hypothesis
import pytest

from infra_conformance import BrokerSuite
from infra_conformance.gallery.broker import FAULTS
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_brokers import MemoryBrokers
from infra_protocols.clock import Clock

FEW = hypothesis.settings(max_examples=25)
"""For what differs from another correct subject only in that it is alone."""


class TestMemoryBroker(BrokerSuite[str]):
    can_lose_member = True
    can_cut = True
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryBrokers]:
        async with MemoryBrokers(clock) as brokers:
            yield brokers


class TestTheOnlyBroker(TestMemoryBroker):
    shares_engine = False

    def settings(self) -> hypothesis.settings:
        return FEW


class TestOnAnEngine(TestMemoryBroker):
    real_time = True
    tick = 0.1

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3, stateful_step_count=10)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryBroker)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in BrokerSuite.checks().values()}
    assert ids == {id for fault in FAULTS for id in fault.caught_by}
