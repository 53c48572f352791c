"""An inbox in SQLite."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import aiosqlite

from infra_messaging._outbox import require_name, require_table
from infra_messaging.sqlite._database import Database, told
from infra_protocols import or_raise, require_range

_NOW: Final = "((julianday('now') - 2440587.5) * 86400.0)"
"""The seconds since 1970, by SQLite."""
_BATCH: Final = 10_000
"""How many are forgotten in one transaction, so that each is short."""
_STEPS: Final = (
    """
    CREATE TABLE "{table}" (
        consumer TEXT NOT NULL,
        message_id TEXT NOT NULL,
        acted_at REAL NOT NULL,
        PRIMARY KEY (consumer, message_id)
    ) WITHOUT ROWID;
    CREATE INDEX {table}_by_time ON "{table}" (acted_at);""",
)


class SqliteInbox:
    """
    Which messages consumers have acted on, in SQLite.

    It keeps every promise of `infra_protocols.Inbox`. The connection that `once` yields is one of aiosqlite, in the
    midst of a transaction: the block commits and rolls back nothing itself. SQLite has one writer at a time: while a
    block runs, all others that write to the file wait, in this process in order.

    Args:
        database: the path of the file; the tables in it are made by `create_schema`.
        table: the name of the table, in lower case; the names of others begin with it.
        timeout: how many seconds a call may wait for the transactions of others.

    Raises:
        ValidationError: `database` is no path of a file, `table` is no plain name, or a number is out of bounds.

    >>> from infra_protocols import Inbox
    >>> isinstance(SqliteInbox("shop.db"), Inbox)
    True
    """

    def __init__(self, database: Path | str, *, table: str = "inbox", timeout: float = 5.0) -> None:
        steps = [step.format(table=require_table(table)) for step in _STEPS]
        self._database = Database(database, table, steps, timeout)

    @property
    def schema(self) -> str:
        """The SQL that `create_schema` runs on an empty database, to be looked at, or run by somebody else."""
        return self._database.schema

    async def create_schema(self) -> None:
        """Make the tables, and put the database into WAL mode; see `SqliteOutbox.create_schema`."""
        await self._database.create_schema("inbox.create_schema")

    def once(self, consumer: str, message_id: str) -> AbstractAsyncContextManager[aiosqlite.Connection | None]:
        """Begin the transaction of an act, unless it was done already; see `infra_protocols.Inbox.once`."""
        return self._once(require_name(consumer, "consumer"), require_name(message_id, "message_id"))

    async def forget(self, older_than: float) -> int:
        """Forget what was done more than `older_than` seconds ago; see `infra_protocols.Inbox.forget`."""
        or_raise(require_range(older_than, "older_than", min=0))
        old = f"SELECT consumer, message_id FROM {self._database.table} WHERE acted_at < {_NOW} - ? LIMIT {_BATCH}"
        sql = f"DELETE FROM {self._database.table} WHERE (consumer, message_id) IN ({old})"
        forgotten = 0
        while True:
            async with self._database.transaction("inbox.forget") as connection:
                with told("inbox.forget"):
                    async with connection.execute(sql, (older_than,)) as cursor:
                        count = cursor.rowcount
            forgotten += count
            if count < _BATCH:
                return forgotten

    @asynccontextmanager
    async def _once(self, consumer: str, message_id: str) -> AsyncGenerator[aiosqlite.Connection | None]:
        sql = f"INSERT INTO {self._database.table} VALUES (?, ?, {_NOW}) ON CONFLICT DO NOTHING RETURNING 1"
        async with self._database.transaction("inbox.once") as connection:
            with told("inbox.once"):
                is_first = bool(list(await connection.execute_fetchall(sql, (consumer, message_id))))
            if is_first:
                yield connection
                return
        yield None
