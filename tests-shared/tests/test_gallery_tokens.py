"""The suite of token stores is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import hypothesis
import pytest

from infra_conformance import TokenStoreSuite
from infra_conformance.gallery import token_store
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_tokens import MemoryTokenStore, RemoteTokenStore
from infra_protocols import StoredToken
from infra_protocols.clock import Clock

FEW = hypothesis.settings(max_examples=25)
"""For what differs from another correct subject only in that it never waits."""


class TestRemoteTokenStore(TokenStoreSuite[StoredToken]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryTokenStore]:
        yield RemoteTokenStore(clock)


class TestMemoryTokenStore(TestRemoteTokenStore):
    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryTokenStore]:
        yield MemoryTokenStore(clock)


@pytest.mark.parametrize("fault", token_store.FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestRemoteTokenStore)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in TokenStoreSuite.checks().values()}
    assert ids == {id for fault in token_store.FAULTS for id in fault.caught_by}
