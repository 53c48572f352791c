"""An outbox in PostgreSQL."""

import zlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

from psycopg import AsyncConnection

from infra_messaging._codecs import Messages
from infra_messaging._outbox import Passed, Row, Rows, relay, require_limit
from infra_messaging.messages import MessagingMessages
from infra_messaging.postgres._database import Connections, Database
from infra_messaging.postgres._sql import SLOTS, OutboxStatements
from infra_protocols import (
    EntityExistsError,
    EntityNotFoundError,
    MessageBroker,
    MessagingError,
    OutboxMessage,
    Repository,
)


class PostgresOutbox[TMessage]:
    """
    Messages that wait in PostgreSQL until they are published.

    It keeps every promise of `infra_protocols.Outbox`. Connections are those of psycopg. Transactions that write do not
    wait for each other, nor for a relay. Rows are in the order of a sequence, in which each gets its place when it is
    written: of two transactions that write to one key at the same time, the row that was written first is published
    first, whichever commits first, and so not before its transaction has ended. Keys fall into 256 slots; one that
    shares a slot with such a key waits too. A row without a key waits for no transaction that writes others; only, as
    all of its slot do, while another relay has that in hand, or somebody changes the first row there.

    A relay is one transaction for as long as it publishes, which no setting of PostgreSQL ends for that. What it claims
    is locked, and free again as soon as its process or its connection has ended; who updates or deletes it waits.

    Args:
        pool: lends connections for the relay; it is not closed.
        messages: the type of the messages, or a `Codec`, or either by the pattern of the topic.
        table: the name of the table, in lower case; the names of others begin with it.
        timeout: how many seconds a step may take: to borrow a connection, to claim, to write.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: `table` is no plain name, a number is out of bounds, or the type is not known to `JsonCodec`.

    >>> from infra_protocols import Outbox
    >>> from psycopg_pool import AsyncConnectionPool
    >>> pool = AsyncConnectionPool("postgresql://127.0.0.1/test", open=False)
    >>> isinstance(PostgresOutbox(pool, str), Outbox)
    True
    """

    def __init__(
        self, pool: Connections, messages: Messages[TMessage], *, table: str = "outbox", timeout: float = 5.0
    ) -> None:
        self._sql = OutboxStatements(table)
        self._database = Database(pool, table, self._sql.steps, timeout)
        self._rows = Rows[TMessage](messages)
        self._passed = Passed()

    @property
    def schema(self) -> str:
        """The SQL that `create_schema` runs on an empty database, to be looked at, or run by somebody else."""
        return self._database.schema

    async def create_schema(self) -> None:
        """
        Make the tables, or bring those of an earlier release up to date; where all is there, nothing is done.

        Any number of processes may do so at once.

        Raises:
            OutboxRefusedError: the tables are of a later release, or PostgreSQL refuses.
            OutboxUnavailableError: PostgreSQL does not answer.
        """
        await self._database.create_schema("outbox.create_schema")

    def bind(self, connection: AsyncConnection[Any]) -> Repository[OutboxMessage[TMessage], str]:
        """
        Return the messages that wait, as `connection` sees them; see `infra_protocols.Outbox.bind`.

        On a connection in autocommit mode, outside of a transaction, each call is one of its own.
        """
        return _Bound(connection, self._database, self._sql, self._rows)

    async def relay(
        self,
        broker: MessageBroker[TMessage],
        *,
        limit: int = 100,
        on_refused: Callable[[MessagingError], None] | None = None,
    ) -> int:
        """Publish messages that wait, at most `limit`, and return how many; see `infra_protocols.Outbox.relay`."""
        require_limit(limit)
        async with self._database.transaction("outbox.relay") as connection:
            claims = _Claims(connection, self._database, self._sql)
            await claims.begin()
            relayed = await relay(claims, self._rows, broker, limit, self._passed)
        return relayed.told(on_refused)


class _Claims:
    """Rows that are locked in the transaction of a relay."""

    def __init__(self, connection: AsyncConnection[Any], database: Database, sql: OutboxStatements) -> None:
        self._connection = connection
        self._database = database
        self._sql = sql

    async def begin(self) -> None:
        await self._rows(self._sql.begin)

    async def more(self, most: int, keys: Collection[str], numbers: Collection[int]) -> Sequence[Row]:
        [(newest, slots, bounds, *_)] = await self._rows(self._sql.bounds)
        if newest is None:
            return []
        values = {
            "newest": newest,
            "slots": slots,
            "bounds": bounds,
            "most": most,
            "keys": list(keys),
            "numbers": list(numbers),
        }
        claimed: list[Row] = []
        others: set[str] = set()
        for key, *columns in await self._rows(self._sql.claim, values):
            if columns[0] is None:
                others.add(key)  # somebody else has this row: those of its key that are behind it are not to be had
            elif key is None or key not in others:
                claimed.append(Row(*columns))
        return claimed

    async def forget(self, rows: Sequence[Row]) -> None:
        numbers = {"numbers": [row.number for row in rows]}
        await self._database.run(self._connection, "outbox.relay", self._sql.forget, numbers)

    async def _rows(self, statement: bytes, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return await self._database.rows(self._connection, "outbox.relay", statement, values)


class _Bound[TMessage]:
    """The table, in the transaction of a connection."""

    def __init__(
        self, connection: AsyncConnection[Any], database: Database, sql: OutboxStatements, rows: Rows[TMessage]
    ) -> None:
        self._connection = connection
        self._database = database
        self._sql = sql
        self._rows = rows

    async def get(self, id: str) -> OutboxMessage[TMessage] | None:
        found = await self._all("outbox.get", self._sql.get, {"id": id})
        return self._rows.read(Row(*found[0]), "outbox.get") if found else None

    async def get_all(self) -> list[OutboxMessage[TMessage]]:
        found = await self._all("outbox.get_all", self._sql.get_all)
        return [self._rows.read(Row(*columns), "outbox.get_all") for columns in found]

    async def create(self, entity: OutboxMessage[TMessage]) -> OutboxMessage[TMessage]:
        row = self._rows.written(entity)
        if not await self._all("outbox.create", self._sql.create, _values(row)):
            raise EntityExistsError(MessagingMessages.ENTITY_EXISTS.format(id=row.id), operation="outbox.create")
        return self._rows.read(row, "outbox.create")

    async def update(self, entity: OutboxMessage[TMessage]) -> OutboxMessage[TMessage]:
        row = self._rows.written(entity)
        if not await self._all("outbox.update", self._sql.update, _values(row)):
            raise EntityNotFoundError(MessagingMessages.ENTITY_NOT_FOUND.format(id=row.id), operation="outbox.update")
        return self._rows.read(row, "outbox.update")

    async def delete(self, id: str) -> bool:
        return bool(await self._all("outbox.delete", self._sql.delete, {"id": id}))

    async def exists(self, id: str) -> bool:
        return bool(await self._all("outbox.exists", self._sql.exists, {"id": id}))

    async def _all(
        self, operation: str, statement: bytes, values: dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        return await self._database.rows(self._connection, operation, statement, values)


def _values(row: Row) -> dict[str, Any]:
    slot = zlib.crc32((row.id if row.key is None else row.key).encode()) % SLOTS
    values = {name: getattr(row, name) for name in ("id", "topic", "key", "headers", "carried")}
    return {**values, "slot": slot, "message": row.data}
