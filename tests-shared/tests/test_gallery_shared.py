"""The suite of caches that share an engine is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import hypothesis
import pytest

from infra_conformance import SharedCacheSuite
from infra_conformance.gallery import shared_cache, shared_near
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.shared_engine import LEASE
from infra_conformance.gallery.shared_memory import FarCache, NearCache, SharedMemory, shared
from infra_protocols.clock import Clock

FEW = hypothesis.settings(max_examples=25)
"""For what differs from another correct subject in its loads alone."""


class TestFar(SharedCacheSuite[int]):
    can_forget_tags = True
    supports_one_loader = True
    can_cut_off = True
    lease = LEASE

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SharedMemory]:
        async with shared(clock) as subject:
            yield subject


class TestEachLoads(SharedCacheSuite[int]):
    can_forget_tags = True

    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SharedMemory]:
        async with shared(clock, cache=partial(FarCache, one_loader=False)) as subject:
            yield subject


class TestNear(SharedCacheSuite[int]):
    lag = 0.1
    can_forget_tags = True
    supports_one_loader = True
    can_cut_off = True
    lease = LEASE

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SharedMemory]:
        async with shared(clock, cache=NearCache) as subject:
            yield subject


@pytest.mark.parametrize("fault", shared_cache.FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestFar)


@pytest.mark.parametrize("fault", shared_near.FAULTS, ids=lambda fault: fault.name)
def test_near_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestNear)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in SharedCacheSuite.checks().values()}
    assert ids == {id for fault in (*shared_cache.FAULTS, *shared_near.FAULTS) for id in fault.caught_by}
