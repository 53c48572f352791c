"""The suites of health checks are proven by what they catch."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from infra_conformance import CompositeHealthCheckSuite, HealthCheckSuite
from infra_conformance.gallery import Fault, health
from infra_conformance.gallery.memory_health import CheckedLine, Line, MemoryComposites
from infra_protocols.clock import Clock


class TestLine(HealthCheckSuite[Line]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[CheckedLine]:
        yield CheckedLine(clock)


class TestMemoryComposite(CompositeHealthCheckSuite):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryComposites]:
        yield MemoryComposites(clock)


@pytest.mark.parametrize("fault", health.CHECKS, ids=lambda fault: fault.name)
def test_fault_of_a_check_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestLine)


@pytest.mark.parametrize("fault", health.COMPOSITES, ids=lambda fault: fault.name)
def test_fault_of_a_composite_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryComposite)


def test_every_check_catches_something() -> None:
    for faults, suite in ((health.CHECKS, HealthCheckSuite), (health.COMPOSITES, CompositeHealthCheckSuite)):
        caught = {id for fault in faults for id in fault.caught_by}
        assert caught == {check.id for check in suite.checks().values()}
