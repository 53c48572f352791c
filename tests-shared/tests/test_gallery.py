"""The kit is proven by what it catches: every check fails on some faulty subject, and passes on the correct ones."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import hypothesis
import pytest
from hypothesis import strategies as st

from infra_conformance import RepositorySuite, StoreSuite
from infra_conformance.gallery import Fault, repository, store
from infra_conformance.gallery.memory_repository import MemoryRepository, Note, RemoteRepository
from infra_conformance.gallery.memory_store import MemoryStore, RemoteStore
from infra_protocols.clock import Clock

TEXTS = st.text(max_size=5)
FEW = hypothesis.settings(max_examples=25)
"""For what differs from another correct subject only in that it never waits."""


class TestMemoryStore(StoreSuite[str, int]):
    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryStore]:
        yield MemoryStore(clock)


class TestRemoteStore(StoreSuite[str, int]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RemoteStore]:
        yield RemoteStore(clock)


class TestRemoteRepository(RepositorySuite[Note, int]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryRepository]:
        yield RemoteRepository(clock)

    def ids(self) -> st.SearchStrategy[int]:
        return st.integers(0, 99)

    def entities(self, id: int) -> st.SearchStrategy[Note]:
        return TEXTS.map(lambda text: Note(id, text))


class TestMemoryRepository(TestRemoteRepository):
    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryRepository]:
        yield MemoryRepository(clock)


@pytest.mark.parametrize("fault", store.FAULTS, ids=lambda fault: fault.name)
def test_store_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestRemoteStore)


@pytest.mark.parametrize("fault", repository.FAULTS, ids=lambda fault: fault.name)
def test_repository_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestRemoteRepository)


def test_every_store_check_catches_something() -> None:
    assert _caught(store.FAULTS) == _ids(StoreSuite)


def test_every_repository_check_catches_something() -> None:
    assert _caught(repository.FAULTS) == _ids(RepositorySuite)


def _caught(faults: list[Fault]) -> set[str]:
    return {id for fault in faults for id in fault.caught_by}


def _ids(suite: type[StoreSuite[str, int]] | type[RepositorySuite[Note, int]]) -> set[str]:
    return {check.id for check in suite.checks().values()}
