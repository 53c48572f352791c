"""A file of SQLite: connections to it, transactions that write, and what its errors mean."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiosqlite

from infra_messaging._outbox import refused, require_table, schema_text, too_new, unavailable
from infra_messaging.messages import MessagingMessages
from infra_protocols import OutboxRefusedError, ValidationError, or_raise, require_range, require_type

_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_TURN: Final = 0.01
"""About how many seconds to wait before looking again whether another process has ended its transaction."""


class Database:
    """
    One file, and in it the tables of one outbox or inbox.

    Each call works on a connection of its own, which is closed at its end: nothing is held in between, and what was
    begun and not committed is gone with it, also when the call is cancelled.
    """

    def __init__(self, path: Path | str, table: str, steps: Sequence[str], timeout: float) -> None:
        path = or_raise(require_type(path, "database", Path)) if isinstance(path, Path) else path
        named = str(path) if isinstance(path, Path) else or_raise(require_type(path, "database", str))
        if named in ("", ":memory:") or named.startswith("file:"):
            raise ValidationError(MessagingMessages.SQLITE_NO_FILE, field="database", kind=type(path).__name__)
        self.path: Path = Path(named)
        self.name: str = require_table(table)
        self.table: str = f'"{table}"'
        self._steps = steps
        self._timeout: float = or_raise(require_range(timeout, "timeout", above=0))
        # Who waits for another task of this process waits in line, rather than by looking again and again.
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def schema(self) -> str:
        return schema_text(self.name, self._steps)

    async def create_schema(self, operation: str) -> None:
        async with self.opened(operation) as connection:
            with told(operation):
                async with asyncio.timeout(self._timeout):
                    await patiently(connection, "PRAGMA journal_mode = WAL")
        async with self.transaction(operation) as connection:
            with told(operation):
                await connection.execute_fetchall(
                    f"CREATE TABLE IF NOT EXISTS {self.name}_schema (version integer NOT NULL)"
                )
                sql = f"SELECT coalesce(max(version), 0) FROM {self.name}_schema"
                [(done,)] = await connection.execute_fetchall(sql)
                if done > len(self._steps):
                    raise too_new(done, len(self._steps), operation)
                for number, step in enumerate(self._steps[done:], done + 1):
                    for statement in filter(str.strip, step.split(";")):
                        await connection.execute_fetchall(statement)
                    await connection.execute_fetchall(f"INSERT INTO {self.name}_schema VALUES ({number})")

    @asynccontextmanager
    async def opened(self, operation: str, path: Path | None = None) -> AsyncGenerator[aiosqlite.Connection]:
        """Open a connection that begins and commits when it is told to, and waits for nobody."""
        with told(operation):
            connection = await _connected(path or self.path)
        try:
            yield connection
        finally:
            await _closed(connection)

    async def read(self, operation: str, sql: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows of a query; the last connection that is closed may keep it waiting for a moment."""
        async with self.opened(operation) as connection:
            with told(operation):
                async with asyncio.timeout(self._timeout):
                    return await patiently(connection, sql, values)

    @asynccontextmanager
    async def transaction(self, operation: str) -> AsyncGenerator[aiosqlite.Connection]:
        """Begin a transaction that writes, and commit it unless the block raises."""
        turn = self._line()
        with told(operation):
            async with asyncio.timeout(self._timeout):
                await turn.acquire()
        try:
            async with self.opened(operation) as connection:
                with told(operation):
                    async with asyncio.timeout(self._timeout):
                        await patiently(connection, "BEGIN IMMEDIATE")
                yield connection
                if not connection.in_transaction:
                    raise OutboxRefusedError(MessagingMessages.TRANSACTION_ENDED, operation=operation)
                with told(operation):
                    async with asyncio.timeout(self._timeout):
                        await patiently(connection, "COMMIT")
        finally:
            turn.release()

    def _line(self) -> asyncio.Lock:
        """Return the line in which the tasks of this loop wait; another loop may have had its own before."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn


async def patiently(connection: aiosqlite.Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """Execute what may have to wait for others; the wait is the loop's, and ends when it is cancelled."""
    while True:
        try:
            return list(await connection.execute_fetchall(sql, values))
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        await asyncio.sleep(random.uniform(0, 2 * _TURN))


def is_busy(error: sqlite3.Error) -> bool:
    return _code(error) == sqlite3.SQLITE_BUSY


def require_open(connection: aiosqlite.Connection, operation: str) -> None:
    try:
        _ = connection.in_transaction
    except ValueError as error:  # which is what aiosqlite says of a connection that is closed
        raise unavailable(error, operation) from error


@contextmanager
def told(operation: str) -> Generator[None]:
    """Turn what SQLite raises into errors of this package."""
    try:
        yield
    except sqlite3.Error as error:
        raise (unavailable if _code(error) in _AWAY else refused)(error, operation) from error
    except (TimeoutError, OSError) as error:
        raise unavailable(error, operation) from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


async def _connected(path: Path) -> aiosqlite.Connection:
    async def connect() -> aiosqlite.Connection:
        return await aiosqlite.connect(path, timeout=0, isolation_level=None)

    # Nobody would close a connection that is left alone while it is being made.
    connecting = asyncio.ensure_future(connect())
    try:
        return await asyncio.shield(connecting)
    except BaseException:
        await _ended(connecting)
        if connecting.exception() is None:
            await _closed(connecting.result())
        raise


async def _closed(connection: aiosqlite.Connection) -> None:
    closing = asyncio.ensure_future(connection.close())
    try:
        await asyncio.shield(closing)
    except BaseException:
        await _ended(closing)
        raise


async def _ended(task: asyncio.Task[Any]) -> None:
    while not task.done():
        with suppress(asyncio.CancelledError):  # something is raised already
            await asyncio.wait((task,))
