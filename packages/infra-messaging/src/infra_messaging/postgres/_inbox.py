"""An inbox in PostgreSQL."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection

from infra_messaging._outbox import require_name, require_table
from infra_messaging.postgres._database import Connections, Database
from infra_protocols import or_raise, require_range

_STEPS: Final = (
    """
    CREATE TABLE "{table}" (
        consumer text NOT NULL,
        message_id text NOT NULL,
        acted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (consumer, message_id)
    );
    CREATE INDEX {table}_by_time ON "{table}" (acted_at);""",
)
_BATCH: Final = 10_000
"""How many are forgotten in one transaction, so that each is short."""
_LONGEST: Final = 3e9
"""As many seconds, about a century, as PostgreSQL can take off the time of today."""


class PostgresInbox:
    """
    Which messages consumers have acted on, in PostgreSQL.

    It keeps every promise of `infra_protocols.Inbox`. The connection that `once` yields is one of psycopg, in the midst
    of a transaction: the block commits and rolls back nothing itself.

    Args:
        pool: lends the connections; it is not closed.
        table: the name of the table, in lower case; the names of others begin with it.
        timeout: how many seconds a step may take: to borrow a connection, to wait for who acts on the same message, to
            commit.

    Raises:
        ValidationError: `table` is no plain name, or a number is out of bounds.

    >>> from infra_protocols import Inbox
    >>> from psycopg_pool import AsyncConnectionPool
    >>> pool = AsyncConnectionPool("postgresql://127.0.0.1/test", open=False)
    >>> isinstance(PostgresInbox(pool), Inbox)
    True
    """

    def __init__(self, pool: Connections, *, table: str = "inbox", timeout: float = 5.0) -> None:
        steps = [step.format(table=require_table(table)) for step in _STEPS]
        self._database = Database(pool, table, steps, timeout)
        self._record: bytes = f"""
            INSERT INTO "{table}" (consumer, message_id) VALUES (%(consumer)s, %(message_id)s)
            ON CONFLICT DO NOTHING RETURNING true""".encode()
        self._forget: bytes = f"""
            WITH old AS (
                SELECT consumer, message_id FROM "{table}"
                WHERE acted_at < statement_timestamp() - make_interval(secs => %(seconds)s)
                ORDER BY acted_at LIMIT {_BATCH} FOR UPDATE SKIP LOCKED
            ), forgotten AS (
                DELETE FROM "{table}" AS kept USING old
                WHERE kept.consumer = old.consumer AND kept.message_id = old.message_id RETURNING 1
            ) SELECT count(*) FROM forgotten""".encode()

    @property
    def schema(self) -> str:
        """The SQL that `create_schema` runs on an empty database, to be looked at, or run by somebody else."""
        return self._database.schema

    async def create_schema(self) -> None:
        """Make the tables, or bring them up to date; see `PostgresOutbox.create_schema`."""
        await self._database.create_schema("inbox.create_schema")

    def once(self, consumer: str, message_id: str) -> AbstractAsyncContextManager[AsyncConnection[Any] | None]:
        """Begin the transaction of an act, unless it was done already; see `infra_protocols.Inbox.once`."""
        return self._once(require_name(consumer, "consumer"), require_name(message_id, "message_id"))

    async def forget(self, older_than: float) -> int:
        """Forget what was done more than `older_than` seconds ago; see `infra_protocols.Inbox.forget`."""
        seconds = min(float(or_raise(require_range(older_than, "older_than", min=0))), _LONGEST)
        forgotten = 0
        while True:
            async with self._database.transaction("inbox.forget") as connection:
                [(count,)] = await self._database.rows(connection, "inbox.forget", self._forget, {"seconds": seconds})
            forgotten += count
            if count < _BATCH:
                return forgotten

    @asynccontextmanager
    async def _once(self, consumer: str, message_id: str) -> AsyncGenerator[AsyncConnection[Any] | None]:
        values = {"consumer": consumer, "message_id": message_id}
        async with self._database.transaction("inbox.once") as connection:
            if await self._database.rows(connection, "inbox.once", self._record, values):
                yield connection
                return
        yield None
