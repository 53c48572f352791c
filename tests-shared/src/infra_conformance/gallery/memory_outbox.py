"""A correct outbox on a database in memory: what the faulty ones of the gallery are made from."""

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, override

from infra_conformance.gallery.memory_store import trip
from infra_conformance.outbox_base import CheckedOutbox
from infra_protocols.clock import Clock
from infra_protocols.context import correlation_id
from infra_protocols.errors import BrokerRefusedError, EntityExistsError, EntityNotFoundError, MessagingError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import Header, MessageBroker, OutboxMessage
from infra_protocols.validation import or_raise, require_range


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row."""

    number: int
    message: OutboxMessage[str]
    carried: str | None = None
    """The correlation id of where it was written."""


class MemoryTables:
    """What is committed, and what is going on."""

    def __init__(self) -> None:
        self.rows: dict[str, Waiting] = {}
        self.connections: list[MemoryConnection] = []
        self.claimed: set[str] = set()
        self.newest = 0

    def changing(self) -> set[str]:
        """Return the ids of rows that transactions have changed which are not over."""
        return {id for each in self.connections for id in each.changes if id in self.rows}

    def writing(self, key: str | None) -> list[int]:
        """Return the number at which each transaction that is not over began to write to `key`."""
        return [each.began[key] for each in self.connections if key is not None and key in each.began]


class MemoryConnection:
    """A connection: what it has changed is its own until it commits."""

    def __init__(self, tables: MemoryTables) -> None:
        self.tables = tables
        self.changes: dict[str, Waiting | None] = {}
        self.began: dict[str | None, int] = {}

    def rows(self) -> dict[str, Waiting]:
        """Return what it sees."""
        seen: dict[str, Waiting | None] = {**self.tables.rows, **self.changes}
        return {id: row for id, row in seen.items() if row is not None}

    async def commit(self) -> None:
        """Let all see what it has changed."""
        await trip()
        self.apply()
        await trip()

    def apply(self) -> None:
        """Do so, at one moment."""
        for id, row in self.changes.items():
            if row is None:
                self.tables.rows.pop(id, None)
            else:
                self.tables.rows[id] = row
        self.end()

    def end(self) -> None:
        """End the transaction."""
        self.changes, self.began = {}, {}


class MemoryBound:
    """The messages as a connection sees them."""

    def __init__(self, connection: MemoryConnection) -> None:
        self.connection = connection

    async def get(self, id: str) -> OutboxMessage[str] | None:
        """Return a message."""
        await trip()
        row = self.connection.rows().get(id)
        return None if row is None else row.message

    async def get_all(self) -> list[OutboxMessage[str]]:
        """Return all messages."""
        await trip()
        return [row.message for row in sorted(self.connection.rows().values(), key=lambda row: row.number)]

    async def create(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        """Write a message."""
        await trip()
        if self.is_taken(entity.id):
            raise EntityExistsError(ErrorMessages.ENTITY_EXISTS.format(id=entity.id))
        tables = self.connection.tables
        self.connection.began.setdefault(entity.key, tables.newest)
        tables.newest += 1
        self.connection.changes[entity.id] = Waiting(tables.newest, entity, self.carried())
        await trip()
        return entity

    async def update(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        """Replace a message."""
        await trip()
        row = self.connection.rows().get(entity.id)
        if row is None or self.is_claimed(entity.id):
            raise EntityNotFoundError(ErrorMessages.ENTITY_NOT_FOUND.format(id=entity.id))
        self.connection.changes[entity.id] = replace(row, message=entity)
        return entity

    async def delete(self, id: str) -> bool:
        """Delete a message."""
        await trip()
        if self.is_claimed(id):
            return False
        was_there = id in self.connection.rows()
        self.connection.changes[id] = None
        return was_there

    async def exists(self, id: str) -> bool:
        """Say whether there is a message."""
        await trip()
        return id in self.connection.rows()

    # -- What the faults change, in small pieces.

    def is_taken(self, id: str) -> bool:
        """Say whether there is a message with this id."""
        return id in self.connection.rows()

    def is_claimed(self, id: str) -> bool:
        """Say whether a relay is publishing this message: then it is as good as gone."""
        return id in self.connection.tables.claimed

    def carried(self) -> str | None:
        """Return what goes with a message."""
        return correlation_id.get()


class MemoryOutbox:
    """
    A correct `Outbox`.

    >>> import asyncio
    >>> from infra_conformance.recording_broker import RecordingBroker
    >>> asyncio.run(MemoryOutbox(MemoryTables()).relay(RecordingBroker()))
    0
    """

    bound: type[MemoryBound] = MemoryBound

    def __init__(self, tables: MemoryTables) -> None:
        self.tables = tables
        self.passed: set[object] = set()
        """The places at which something was refused: what is behind has its turn first."""

    def bind(self, connection: MemoryConnection) -> MemoryBound:
        """Return the messages as a connection sees them."""
        return self.bound(connection)

    async def relay(
        self,
        broker: MessageBroker[str],
        *,
        limit: int = 100,
        on_refused: Callable[[MessagingError], None] | None = None,
    ) -> int:
        """Publish what waits."""
        self.check(limit)
        published, held, failed = 0, {*self.passed}, list[MessagingError]()
        while published < limit and self.goes_on(failed, limit):
            await trip()
            claimed = self.claim(limit - published, held)
            if not claimed:
                break
            accepted: list[Waiting] = []
            try:
                for row in claimed:
                    if self.place(row) in held:
                        continue
                    try:
                        await self.publish(broker, row)
                    except MessagingError as error:
                        failed.append(error)
                        held.add(self.place(row))
                    else:
                        accepted.append(row)
                await trip()
                self.forget(accepted)
            finally:
                self.release(claimed)
            published += len(accepted)
        self.passed = self.kept(held) if len(failed) >= limit else set()
        return self.told(published, failed, on_refused)

    # -- What the faults change, in small pieces.

    def check(self, limit: int) -> None:
        """Refuse a limit that is none."""
        or_raise(require_range(limit, "limit", min=1))

    def goes_on(self, failed: Sequence[MessagingError], limit: int) -> bool:
        """Say whether to try more."""
        return len(failed) < limit and all(isinstance(error, BrokerRefusedError) for error in failed)

    def kept(self, held: set[object]) -> set[object]:
        """Return what the next relay begins behind, since this one was cut short."""
        return held

    def place(self, row: Waiting) -> object:
        """Return what rows are in line by."""
        return row.number if row.message.key is None else row.message.key

    def rows(self) -> list[Waiting]:
        """Return what was committed, in order."""
        return sorted(self.tables.rows.values(), key=lambda row: row.number)

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        """Return rows that nobody else publishes, and that have nothing in front of them."""
        busy = self.tables.claimed | self.tables.changing()
        behind = {self.place(row) for row in self.rows() if row.message.id in busy}
        found = [row for row in self.rows() if self.place(row) not in behind | held and self.is_settled(row)][:most]
        self.tables.claimed |= {row.message.id for row in found}
        return found

    def is_settled(self, row: Waiting) -> bool:
        """Say whether no transaction that is going on can have written in front of it."""
        return all(row.number <= began for began in self.tables.writing(row.message.key))

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        """Publish a row."""
        message = row.message
        carried = {} if row.carried is None else {Header.CORRELATION_ID.value: row.carried}
        headers = carried | {**message.headers}
        with self.apart():
            await broker.publish(message.topic, message.message, key=message.key, headers=headers, id=message.id)

    @contextmanager
    def apart(self) -> Generator[None]:
        """Leave what the relay itself belongs to out."""
        token = correlation_id.set(None)
        try:
            yield
        finally:
            correlation_id.reset(token)

    def forget(self, accepted: Sequence[Waiting]) -> None:
        """Delete what was published."""
        for row in accepted:
            self.tables.rows.pop(row.message.id, None)

    def release(self, claimed: Sequence[Waiting]) -> None:
        """Let others have what is left of it."""
        self.tables.claimed -= {row.message.id for row in claimed}

    def told(
        self, published: int, failed: Sequence[MessagingError], on_refused: Callable[[MessagingError], None] | None
    ) -> int:
        """Tell how it went."""
        away = [error for error in failed if not isinstance(error, BrokerRefusedError)]
        refused = [error for error in failed if isinstance(error, BrokerRefusedError)]
        if on_refused is not None:
            for error in refused:
                on_refused(error)
        for error in [*away, *([] if on_refused else refused)]:
            raise error
        return published


class MemoryDesk(CheckedOutbox[MemoryConnection]):
    """
    The outbox, and its database.

    >>> from infra_protocols import SystemClock
    >>> MemoryDesk(SystemClock()).tables.newest
    0
    """

    kind: type[MemoryOutbox] = MemoryOutbox
    link: type[MemoryConnection] = MemoryConnection

    def __init__(self, clock: Clock) -> None:
        self.tables: MemoryTables = MemoryTables()
        self.outbox: Any = self.another()

    @override
    def another(self) -> Any:
        """Return another outbox."""
        return self.kind(self.tables)

    @override
    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[MemoryConnection]:
        """Open a connection."""
        connection = self.link(self.tables)
        self.tables.connections.append(connection)
        try:
            yield connection
        finally:
            self.tables.connections.remove(connection)

    @override
    async def commit(self, connection: MemoryConnection) -> None:
        """Commit."""
        await connection.commit()

    @override
    async def rollback(self, connection: MemoryConnection) -> None:
        """Roll back."""
        await trip()
        connection.end()
