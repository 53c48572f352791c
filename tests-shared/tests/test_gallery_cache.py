"""The cache suite is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from infra_conformance import CacheSuite, StoreSuite
from infra_conformance.gallery.cache import FAULTS
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_cache import MemoryCache
from infra_protocols.clock import Clock


class TestMemoryCache(CacheSuite[int]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryCache]:
        subject = MemoryCache(clock)
        yield subject
        await subject.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryCache)


def test_every_check_has_a_fault_that_trips_it() -> None:
    own = {check.id for check in CacheSuite.checks().values()} - {check.id for check in StoreSuite.checks().values()}
    assert own - {id for fault in FAULTS for id in fault.caught_by} == set()
