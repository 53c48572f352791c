"""The suite of pools is proven by what it catches."""

import hypothesis
import pytest

from infra_conformance import Connection, ConnectionPoolSuite
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_factory import MemoryFactory, Session
from infra_conformance.gallery.memory_pool import MemoryPool
from infra_conformance.gallery.pool import FAULTS
from infra_protocols.clock import Clock
from infra_protocols.pool import ConnectionFactory, ConnectionPoolProtocol, PoolConfig, PoolMeter


class TestMemoryPool(ConnectionPoolSuite[Connection]):
    def make_pool(
        self, factory: ConnectionFactory[Connection], config: PoolConfig, clock: Clock, meter: PoolMeter | None
    ) -> ConnectionPoolProtocol[Connection]:
        return MemoryPool(factory, config, clock, meter)


class TestOnAnEngine(ConnectionPoolSuite[Session]):
    real_time = True
    tick = 0.05
    scripted_factory = False

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3, stateful_step_count=10)

    def factory(self) -> ConnectionFactory[Session]:
        return MemoryFactory()

    def make_pool(
        self, factory: ConnectionFactory[Session], config: PoolConfig, clock: Clock, meter: PoolMeter | None
    ) -> ConnectionPoolProtocol[Session]:
        return MemoryPool(factory, config, clock, meter)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryPool)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in ConnectionPoolSuite.checks().values()}
    assert ids == {id for fault in FAULTS for id in fault.caught_by}
