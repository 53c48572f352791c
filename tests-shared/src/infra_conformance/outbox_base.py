"""What is checked of outboxes, and what all those checks work with."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Final

from infra_conformance.messages import ConformanceMessages
from infra_conformance.recording_broker import Publication, RecordingBroker
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.messaging import Outbox, OutboxMessage
from infra_protocols.protocols import Repository

PATIENCE: Final = 30.0
"""How many seconds a call may take that has nothing to wait for, where time is real."""

type Bound = Repository[OutboxMessage[str], str]


class CheckedOutbox[TConnection]:
    """
    An outbox, and how its database is used: what `OutboxSuite` checks.

    Type parameters:
        TConnection: a connection of the database.
    """

    outbox: Outbox[str, TConnection]
    """The outbox; nothing waits in it."""

    def another(self) -> Outbox[str, TConnection]:
        """Return another outbox on the same table, as another process has it."""
        raise NotImplementedError

    def connect(self) -> AbstractAsyncContextManager[TConnection]:
        """Return a context manager that yields a new connection, and closes it, which rolls back what is left open."""
        raise NotImplementedError

    async def begin(self, connection: TConnection) -> None:
        """Begin a transaction, unless the first statement does."""

    async def commit(self, connection: TConnection) -> None:
        """Commit it."""
        raise NotImplementedError

    async def rollback(self, connection: TConnection) -> None:
        """Roll it back."""
        raise NotImplementedError


class OutboxChecks[TConnection](Suite[CheckedOutbox[TConnection]]):
    """
    The base of the checks of outboxes.

    Type parameters:
        TConnection: a connection of the database.
    """

    concurrent_writers: ClassVar[bool] = True
    """Whether a transaction can write while another one has written and is not committed."""

    @asynccontextmanager
    async def open_transaction(self, desk: CheckedOutbox[TConnection]) -> AsyncGenerator[tuple[TConnection, Bound]]:
        """Begin a transaction, and yield its connection and what the outbox makes of it."""
        async with desk.connect() as connection:
            await desk.begin(connection)
            yield connection, desk.outbox.bind(connection)

    async def write(self, desk: CheckedOutbox[TConnection], *messages: OutboxMessage[str]) -> None:
        """Write in one transaction, and commit it."""
        async with self.open_transaction(desk) as (connection, bound):
            for message in messages:
                await bound.create(message)
            await desk.commit(connection)

    async def waiting(self, desk: CheckedOutbox[TConnection]) -> list[str]:
        """Return the ids of what waits."""
        async with self.open_transaction(desk) as (connection, bound):
            found = [message.id for message in await bound.get_all()]
            await desk.rollback(connection)
            return found

    async def drained(self, desk: CheckedOutbox[TConnection], broker: RecordingBroker) -> None:
        """Relay until nothing waits."""
        left: list[str] = []
        for _ in range(200):
            await desk.another().relay(broker, limit=50)
            if not (left := await self.waiting(desk)):
                return
        raise Broken(ConformanceMessages.OUTBOX_STUCK.format(ids=left))

    async def in_time[R](self, trial: Trial[Any], what: str, call: "asyncio.Future[R]") -> R:
        """Return what `call` returns, which has nothing to wait for."""
        await asyncio.wait((call,), timeout=PATIENCE if self.real_time else 1000 * self.tick)
        if not call.done():
            call.cancel()
            await asyncio.wait((call,))
            raise Broken(ConformanceMessages.OUTBOX_WAITED.format(what=what))
        return call.result()


def message(id: str, key: str | None = None, text: str | None = None) -> OutboxMessage[str]:
    """
    Return a message.

    >>> message("1", "ada").message
    'message 1'
    """
    return OutboxMessage("orders.new", f"message {id}" if text is None else text, key=key, id=id)


def keyed(published: Iterable[Publication]) -> dict[str | None, list[str | None]]:
    """
    Return the ids of what was published, by key, in order; of what came twice, the first time counts.

    >>> keyed([Publication("t", "m", "a", id=id) for id in ("1", "2", "1")])
    {'a': ['1', '2']}
    """
    found: dict[str | None, list[str | None]] = {}
    for each in published:
        ids = found.setdefault(each.key, [])
        if each.id not in ids:
            ids.append(each.id)
    return found


def expect_published(broker: RecordingBroker, written: Sequence[OutboxMessage[str]], *, once: bool = True) -> None:
    """
    See that all of `written` was published and nothing else, each once, and those of a key in order.

    Raises:
        Broken: it was not.
    """
    ids = sorted(str(each.id) for each in broker.accepted)
    if once:
        expect("ids that were published", ids, sorted(each.id for each in written))
    else:
        expect("ids that were published", sorted({*ids}), sorted(each.id for each in written))
    for key, order in keyed(broker.accepted).items():
        if key is not None:
            expect(f"the order of key {key!r}", order, [each.id for each in written if each.key == key])
