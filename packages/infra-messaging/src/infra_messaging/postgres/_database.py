"""A database of PostgreSQL: transactions on connections that are lent, and what its errors mean."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

from psycopg import AsyncConnection, Error, InterfaceError, OperationalError
from psycopg.errors import DeadlockDetected, PipelineAborted, QueryCanceled, SerializationFailure
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from infra_messaging._outbox import refused, require_table, schema_text, too_new, unavailable
from infra_messaging.messages import MessagingMessages
from infra_protocols import MessagingError, OutboxRefusedError, PoolError, or_raise, require_range

_AWAY: Final = (OperationalError, InterfaceError, OSError, TimeoutError, PoolError)
"""What psycopg and the pools raise when PostgreSQL is away, or there is no connection."""
_ANSWERED: Final = (DeadlockDetected, PipelineAborted, QueryCanceled, SerializationFailure)
"""What psycopg counts among them, though PostgreSQL has answered."""


class Connections(Protocol):
    """
    What lends connections of psycopg: a `psycopg_pool.AsyncConnectionPool`, or a pool of infra-pool.

    >>> def outbox(pool: Connections) -> "PostgresOutbox[str]":
    ...     return PostgresOutbox(pool, str)
    """

    def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Return a context manager that borrows a connection within `timeout` seconds, and gives it back."""
        ...


class Database:
    """The tables of one outbox or inbox."""

    def __init__(self, pool: Connections, table: str, steps: Sequence[str], timeout: float) -> None:
        self._pool = pool
        self.table: str = require_table(table)
        self._steps = steps
        self._timeout: float = or_raise(require_range(timeout, "timeout", above=0))

    @property
    def schema(self) -> str:
        return schema_text(self.table, self._steps)

    async def create_schema(self, operation: str) -> None:
        # Locks are numbers, for the whole database: two that are alike by chance only wait for each other.
        lock = zlib.crc32(f"infra_messaging {self.table}".encode())
        table = self.table
        async with self.transaction(operation) as connection:
            if await self._steps_done(connection, operation) == len(self._steps):
                return  # for which no right to create anything is needed
            await self.rows(connection, operation, b"SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": lock})
            made = f"CREATE TABLE IF NOT EXISTS {table}_schema (version integer NOT NULL)"
            await self.run(connection, operation, made.encode())
            done = await self._steps_done(connection, operation)
            for number, step in enumerate(self._steps[done:], done + 1):
                await self.run(connection, operation, step.encode())
                await self.run(connection, operation, f"INSERT INTO {table}_schema VALUES ({number})".encode())

    async def _steps_done(self, connection: AsyncConnection[Any], operation: str) -> int:
        there = f"SELECT to_regclass('{self.table}_schema') IS NOT NULL"
        [(is_there,)] = await self.rows(connection, operation, there.encode())
        if not is_there:
            return 0
        found = f"SELECT coalesce(max(version), 0) FROM {self.table}_schema"
        [(done,)] = await self.rows(connection, operation, found.encode())
        if done > len(self._steps):
            raise too_new(done, len(self._steps), operation)
        return done

    @asynccontextmanager
    async def transaction(self, operation: str) -> AsyncGenerator[AsyncConnection[Any]]:
        """
        Borrow a connection and begin; commit at the end, unless the block raises, and give it back.

        Each statement sees what is there by then, however the connection isolates transactions otherwise.
        """
        inside: BaseException | None = None
        connection: AsyncConnection[Any] | None = None
        try:
            async with asyncio.timeout(self._timeout) as limit:  # which the block itself does not have
                lent = self._pool.connection(timeout=self._timeout)
                async with lent as connection, connection.transaction():
                    await connection.execute(b"SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                    limit.reschedule(None)
                    try:
                        yield connection
                    except BaseException as error:
                        inside = error
                        raise
                    finally:
                        limit.reschedule(asyncio.get_running_loop().time() + self._timeout)
                    self._require_open(connection, operation)
        except (*_AWAY, Error) as error:
            if error is inside:
                raise
            raise _told(error, connection, operation) from error
        if inside is not None:
            raise inside  # a `psycopg.Rollback`, which psycopg keeps to itself

    async def rows(
        self, connection: AsyncConnection[Any], operation: str, statement: bytes, values: dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Execute a statement that returns rows, and return them, whatever the connection makes of rows otherwise."""
        try:
            async with asyncio.timeout(self._timeout), connection.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(statement, values)
                return await cursor.fetchall()  # in a pipeline, nothing is known of the rows before
        except (*_AWAY, Error) as error:
            raise _told(error, connection, operation) from error

    async def run(
        self, connection: AsyncConnection[Any], operation: str, statement: bytes, values: dict[str, Any] | None = None
    ) -> None:
        """Execute a statement that returns no rows."""
        try:
            async with asyncio.timeout(self._timeout):
                await connection.execute(statement, values)
        except (*_AWAY, Error) as error:
            raise _told(error, connection, operation) from error

    def _require_open(self, connection: AsyncConnection[Any], operation: str) -> None:
        # PostgreSQL answers a commit after an error with a rollback, and one outside of a transaction with a warning,
        # of which psycopg says nothing.
        if not connection.closed and connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise OutboxRefusedError(MessagingMessages.TRANSACTION_ENDED, operation=operation)


def _told(error: Exception, connection: AsyncConnection[Any] | None, operation: str) -> MessagingError:
    """Return what psycopg or a pool raises as an error of this package; `connection` is what it was about."""
    is_lost = connection is not None and connection.closed
    is_away = isinstance(error, _AWAY) and not isinstance(error, _ANSWERED)
    return (unavailable if is_lost or is_away else refused)(error, operation)
