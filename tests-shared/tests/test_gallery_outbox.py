"""The suites of the outbox and the inbox are proven by what they catch."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from infra_conformance import InboxSuite, OutboxSuite
from infra_conformance.gallery import Fault, inbox, outbox
from infra_conformance.gallery.memory_inbox import MemoryInboxDesk, MemoryTransaction
from infra_conformance.gallery.memory_outbox import MemoryConnection, MemoryDesk
from infra_protocols.clock import Clock


class TestMemoryOutbox(OutboxSuite[MemoryConnection]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryDesk]:
        yield MemoryDesk(clock)


class TestMemoryInbox(InboxSuite[MemoryTransaction]):
    engine_error = ConnectionResetError

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryInboxDesk]:
        yield MemoryInboxDesk(clock)


@pytest.mark.parametrize("fault", outbox.FAULTS, ids=lambda fault: fault.name)
def test_fault_of_an_outbox_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryOutbox)


@pytest.mark.parametrize("fault", inbox.FAULTS, ids=lambda fault: fault.name)
def test_fault_of_an_inbox_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryInbox)


def test_every_check_catches_something() -> None:
    for faults, suite in ((outbox.FAULTS, OutboxSuite), (inbox.FAULTS, InboxSuite)):
        caught = {id for fault in faults for id in fault.caught_by}
        assert caught == {check.id for check in suite.checks().values()}
