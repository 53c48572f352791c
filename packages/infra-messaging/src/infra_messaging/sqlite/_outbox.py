"""An outbox in SQLite."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import aiosqlite

from infra_messaging._codecs import Messages
from infra_messaging._outbox import Passed, Row, Rows, relay, require_limit, require_table
from infra_messaging.messages import MessagingMessages
from infra_messaging.sqlite._database import Database, is_busy, require_open, told
from infra_protocols import (
    EntityExistsError,
    EntityNotFoundError,
    MessageBroker,
    MessagingError,
    OutboxMessage,
    Repository,
)

_COLUMNS: Final = "id, topic, key, headers, carried, message, number"
_STEPS: Final = (
    """
    CREATE TABLE "{table}" (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        key TEXT,
        headers TEXT NOT NULL,
        carried TEXT NOT NULL,
        message BLOB NOT NULL,
        version INTEGER NOT NULL DEFAULT 0
    );""",
    """
    ALTER TABLE "{table}" DROP COLUMN version;
    CREATE TABLE {table}_claims (number INTEGER PRIMARY KEY);""",
)


class Executes(Protocol):
    """
    A connection whose `execute` returns the rows, as that of infra-pool does.

    >>> def messages(outbox: "SqliteOutbox[str]", connection: Executes) -> Repository[OutboxMessage[str], str]:
    ...     return outbox.bind(connection)
    """

    async def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> list[tuple[Any, ...]]:
        """Execute one statement, and return its rows."""
        ...


class SqliteOutbox[TMessage]:
    """
    Messages that wait in SQLite until they are published.

    It keeps every promise of `infra_protocols.Outbox`. Connections are those of aiosqlite, or such as infra-pool lends,
    to the same file; they need a `timeout`, as sqlite3 gives them, since SQLite has one writer at a time. So the order
    in which rows are written is the order in which their transactions are committed.

    One relay works at a time: it holds a lock on a file of its own, named as the database with `-TABLE-relay` behind,
    and others find nothing to do. The database is not locked while it publishes, and its lock ends with its process.
    What it publishes it has noted in the database before, and who updates or deletes that meanwhile is told that it is
    not there. To note what it publishes, and to delete it afterwards, it writes, and waits for who does at the moment:
    where the latter takes longer than `timeout`, what was published is published again.

    Args:
        database: the path of the file; the tables in it are made by `create_schema`.
        messages: the type of the messages, or a `Codec`, or either by the pattern of the topic.
        table: the name of the table, in lower case; the names of others begin with it.
        timeout: how many seconds a call may wait for the transactions of others.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: `database` is no path of a file, `table` is no plain name, a number is out of bounds, or the
            type is not known to `JsonCodec`.

    >>> from infra_protocols import Outbox
    >>> isinstance(SqliteOutbox("shop.db", str), Outbox)
    True
    """

    def __init__(
        self,
        database: Path | str,
        messages: Messages[TMessage],
        *,
        table: str = "outbox",
        timeout: float = 5.0,
    ) -> None:
        steps = [step.format(table=require_table(table)) for step in _STEPS]
        self._database = Database(database, table, steps, timeout)
        self._rows = Rows[TMessage](messages)
        self._passed = Passed()

    @property
    def schema(self) -> str:
        """The SQL that `create_schema` runs on an empty database, to be looked at, or run by somebody else."""
        return self._database.schema

    async def create_schema(self) -> None:
        """
        Make the tables, or bring those of an earlier release up to date, and put the database into WAL mode.

        Where all is there, nothing is done. Any number of processes may do so at once.

        Raises:
            OutboxRefusedError: the tables are of a later release, or SQLite refuses.
            OutboxUnavailableError: the file cannot be opened, or another transaction takes too long.
        """
        await self._database.create_schema("outbox.create_schema")

    def bind(self, connection: aiosqlite.Connection | Executes) -> Repository[OutboxMessage[TMessage], str]:
        """
        Return the messages that wait, as `connection` sees them; see `infra_protocols.Outbox.bind`.

        On a connection that begins no transactions by itself (`isolation_level=None`), begin one first: else each call
        is one of its own.
        """
        return _Bound(connection, self._database, self._rows)

    async def relay(
        self,
        broker: MessageBroker[TMessage],
        *,
        limit: int = 100,
        on_refused: Callable[[MessagingError], None] | None = None,
    ) -> int:
        """Publish messages that wait, at most `limit`, and return how many; see `infra_protocols.Outbox.relay`."""
        require_limit(limit)
        async with _alone(self._database, "outbox.relay") as is_alone:
            if not is_alone:
                return 0
            relayed = await relay(_Claims(self._database), self._rows, broker, limit, self._passed)
        return relayed.told(on_refused)


@asynccontextmanager
async def _alone(database: Database, operation: str) -> AsyncGenerator[bool]:
    """Lock out relays; the lock is one of the operating system, and ends with the process at the latest."""
    path = database.path.resolve()
    async with database.opened(operation, path.with_name(f"{path.name}-{database.name}-relay")) as connection:
        with told(operation):
            try:
                await connection.execute_fetchall("BEGIN EXCLUSIVE")
                is_alone = True
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                is_alone = False
        yield is_alone


class _Claims:
    """Rows for the one relay that works: the table of claims says which, as long as this one has the lock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def more(self, most: int, keys: Collection[str], numbers: Collection[int]) -> Sequence[Row]:
        table, claims, operation = self._database.table, f"{self._database.name}_claims", "outbox.relay"
        free = (
            f"FROM {table} WHERE number NOT IN (SELECT value FROM json_each(?))"
            " AND (key IS NULL OR key NOT IN (SELECT value FROM json_each(?))) ORDER BY number LIMIT ?"
        )
        values = json.dumps([*numbers]), json.dumps([*keys]), most
        if not await self._database.read(operation, f"SELECT number {free}", (*values[:2], 1)):
            return []  # and nobody who writes was waited for
        async with self._database.transaction(operation) as connection:
            with told(operation):
                rows = [Row(*row) for row in await connection.execute_fetchall(f"SELECT {_COLUMNS} {free}", values)]
                await connection.execute_fetchall(f"DELETE FROM {claims}")
                claimed = [(row.number,) for row in rows]
                await connection.executemany(f"INSERT INTO {claims} VALUES (?)", claimed)
        return rows

    async def forget(self, rows: Sequence[Row]) -> None:
        published = f"DELETE FROM {self._database.table} WHERE number = ?"
        async with self._database.transaction("outbox.relay") as connection:
            with told("outbox.relay"):
                await connection.executemany(published, [(row.number,) for row in rows])
                await connection.execute_fetchall(f"DELETE FROM {self._database.name}_claims")


class _Bound[TMessage]:
    """The table, in the transaction of a connection."""

    def __init__(self, connection: aiosqlite.Connection | Executes, database: Database, rows: Rows[TMessage]) -> None:
        self._connection = connection
        self._database = database
        self._table: str = database.table
        self._claims: str = f"{database.name}_claims"
        self._rows = rows

    async def get(self, id: str) -> OutboxMessage[TMessage] | None:
        rows = await self._selected("WHERE id = ?", id)
        return self._rows.read(rows[0], "outbox.get") if rows else None

    async def get_all(self) -> list[OutboxMessage[TMessage]]:
        return [self._rows.read(row, "outbox.get_all") for row in await self._selected("ORDER BY number")]

    async def create(self, entity: OutboxMessage[TMessage]) -> OutboxMessage[TMessage]:
        row = self._rows.written(entity)
        sql = (
            f"INSERT INTO {self._table} (id, topic, key, headers, carried, message) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO NOTHING RETURNING number"
        )
        values = (row.id, row.topic, row.key, row.headers, row.carried, row.data)
        if not await self._done("outbox.create", sql, *values):
            raise EntityExistsError(MessagingMessages.ENTITY_EXISTS.format(id=row.id), operation="outbox.create")
        return self._rows.read(row, "outbox.create")

    async def update(self, entity: OutboxMessage[TMessage]) -> OutboxMessage[TMessage]:
        row = self._rows.written(entity)
        sql = (
            f"UPDATE {self._table} SET topic = ?, key = ?, headers = ?, carried = ?, message = ?"
            f" WHERE id = ? AND {self._free} RETURNING number"
        )
        values = (row.topic, row.key, row.headers, row.carried, row.data, row.id)
        if not await self._changed("outbox.update", sql, *values):
            raise EntityNotFoundError(MessagingMessages.ENTITY_NOT_FOUND.format(id=row.id), operation="outbox.update")
        return self._rows.read(row, "outbox.update")

    async def delete(self, id: str) -> bool:
        sql = f"DELETE FROM {self._table} WHERE id = ? AND {self._free} RETURNING number"
        return await self._changed("outbox.delete", sql, id)

    async def exists(self, id: str) -> bool:
        return await self._done("outbox.exists", f"SELECT number FROM {self._table} WHERE id = ?", id)

    @property
    def _free(self) -> str:
        return f"number NOT IN (SELECT number FROM {self._claims})"

    async def _changed(self, operation: str, sql: str, *values: Any) -> bool:
        """Change the row whose id is the last of the values, unless a relay has it in hand."""
        if await self._done(operation, sql, *values):
            return True
        claim = f"{self._claims} WHERE number = (SELECT number FROM {self._table} WHERE id = ?)"
        if not await self._done(operation, f"SELECT number FROM {claim}", values[-1]):
            return False
        async with _alone(self._database, operation) as is_alone:
            if not is_alone:
                return False
            # The relay that claimed it has died, and no other can begin meanwhile.
            await self._done(operation, f"DELETE FROM {claim} RETURNING number", values[-1])
            return await self._done(operation, sql, *values)

    async def _done(self, operation: str, sql: str, *values: Any) -> bool:
        return bool(await self._executed(operation, sql, values))

    async def _selected(self, where: str, *values: str) -> list[Row]:
        sql = f"SELECT {_COLUMNS} FROM {self._table} {where}"
        return [Row(*row) for row in await self._executed("outbox.get", sql, values)]

    async def _executed(self, operation: str, sql: str, values: Sequence[Any]) -> list[Any]:
        if not isinstance(self._connection, aiosqlite.Connection):
            with told(operation):
                return await self._connection.execute(sql, values)
        require_open(self._connection, operation)
        with told(operation):
            async with self._connection.cursor() as cursor:
                cursor.row_factory = None  # whatever that of the connection makes of rows
                await cursor.execute(sql, values)
                return [*await cursor.fetchall()]
