"""A correct inbox on a database in memory: what the faulty ones of the gallery are made from."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, override

from infra_conformance.gallery.memory_store import trip
from infra_conformance.inbox import CheckedInbox
from infra_protocols.clock import Clock
from infra_protocols.validation import or_raise, require_range, require_text


class MemoryRecords:
    """What is committed, and who is at work."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.effects: list[str] = []
        self.acted: dict[object, float] = {}
        self.acting: dict[object, asyncio.Lock] = {}


class MemoryTransaction:
    """A transaction: what is done in it counts when it is committed."""

    def __init__(self, records: MemoryRecords) -> None:
        self.records = records
        self.effects: list[str] = []

    async def act(self, effect: str) -> None:
        """Write an effect."""
        await trip()
        self.effects.append(effect)


class MemoryInbox:
    """
    A correct `Inbox`.

    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryInbox(MemoryRecords(SystemClock())).forget(0))
    0
    """

    def __init__(self, records: MemoryRecords) -> None:
        self.records = records

    def once(self, consumer: str, message_id: str) -> AbstractAsyncContextManager[MemoryTransaction | None]:
        """Begin, unless it was done."""
        self.check(consumer, message_id)
        return self.begun(self.name(consumer, message_id))

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        """Begin, unless it was done."""
        async with self.turn(name):
            await trip()
            if name in self.records.acted:
                yield None
                return
            transaction = self.transaction()
            yield transaction
            await trip()
            self.commit(name, transaction)
            await trip()

    async def forget(self, older_than: float) -> int:
        """Forget what is old."""
        self.check_age(older_than)
        await trip()
        old = [name for name, at in self.records.acted.items() if self.is_old(at, older_than)]
        for name in old:
            del self.records.acted[name]
        return len(old)

    # -- What the faults change, in small pieces.

    def check(self, consumer: str, message_id: str) -> None:
        """Refuse what names nothing."""
        or_raise(require_text(consumer, "consumer"))
        or_raise(require_text(message_id, "message_id"))

    def check_age(self, older_than: float) -> None:
        """Refuse what is no age."""
        or_raise(require_range(older_than, "older_than", min=0))

    def name(self, consumer: str, message_id: str) -> object:
        """Return what is recorded."""
        return consumer, message_id

    def turn(self, name: object) -> AbstractAsyncContextManager[Any]:
        """Wait until nobody else acts on it."""
        return self.records.acting.setdefault(name, asyncio.Lock())

    def transaction(self) -> MemoryTransaction:
        """Begin."""
        return MemoryTransaction(self.records)

    def commit(self, name: object, transaction: MemoryTransaction) -> None:
        """Let the act count, and record it."""
        self.records.effects += transaction.effects
        self.record(name)

    def record(self, name: object) -> None:
        """Record that it was done."""
        self.records.acted[name] = self.records.clock.monotonic()

    def is_old(self, at: float, older_than: float) -> bool:
        """Say whether to forget what was done then."""
        return at < self.records.clock.monotonic() - older_than


class MemoryInboxDesk(CheckedInbox[MemoryTransaction]):
    """
    The inbox, and its database.

    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryInboxDesk(SystemClock()).effects())
    []
    """

    kind: type[MemoryInbox] = MemoryInbox

    def __init__(self, clock: Clock) -> None:
        self.records: MemoryRecords = MemoryRecords(clock)
        self.inbox: Any = self.another()

    @override
    def another(self) -> Any:
        """Return another inbox."""
        return self.kind(self.records)

    @override
    async def act(self, connection: MemoryTransaction, effect: str) -> None:
        """Write an effect."""
        await connection.act(effect)

    @override
    async def effects(self) -> list[str]:
        """Return the effects."""
        await trip()
        return list(self.records.effects)
