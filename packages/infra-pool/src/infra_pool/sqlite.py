"""Connections to SQLite, each with a thread of its own: one that writes, any number that read."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from infra_pool.messages import PoolMessages
from infra_protocols import PoolError, or_raise, require_range

__all__ = ["Parameters", "SqliteConnection", "SqliteFactory"]

type Parameters = Sequence[Any] | Mapping[str, Any]
"""The values of a statement, by place or by name."""

_AGAIN: Final = 0.05
"""After how many seconds what was interrupted between two statements is interrupted again."""


class SqliteConnection:
    """
    A connection that a thread of its own works for, one call after the other; a `SqliteFactory` makes it.

    A call that is cancelled has ended when it raises: SQLite was told to interrupt it. Whether it had taken effect by
    then, nobody knows; but it does not take effect later. Only for another process that writes it goes on waiting, as
    long as `busy_timeout` says.

    >>> async def main() -> list[tuple[Any, ...]]:
    ...     factory = SqliteFactory(":memory:")
    ...     connection = await factory.create()
    ...     try:
    ...         return await connection.execute("SELECT :one + 1", {"one": 1})
    ...     finally:
    ...         await factory.destroy(connection)
    >>> asyncio.run(main())
    [(2,)]
    """

    def __init__(self, database: Path | str, read_only: bool, busy_timeout: float) -> None:
        self._database = database
        self._read_only = read_only
        self._busy_timeout = busy_timeout
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="infra-pool-sqlite")
        self._raw: sqlite3.Connection | None = None
        self._calls = 0
        self._lock = threading.Lock()
        self._working = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether a call has not ended."""
        return self._calls > 0

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._raw is not None and not self._closed and self._raw.in_transaction

    async def open(self) -> None:
        """
        Open the database, made when it is not there.

        Raises:
            sqlite3.Error: it cannot be opened, or is no database.
        """
        await self._in_thread(self._open)

    async def execute(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """
        Execute one statement, and return all its rows.

        Outside a transaction, which is for the caller to begin, it takes effect by itself.

        Raises:
            sqlite3.Error: SQLite refuses it, or the connection is closed.
        """
        return await self.run(lambda raw: raw.execute(sql, parameters).fetchall())

    async def run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Have the thread do `work` on the connection of `sqlite3`, and return what that returns.

        Type parameters:
            T: what it returns.

        Raises:
            sqlite3.Error: the connection is closed; and whatever `work` raises.
        """

        def job() -> T:
            if self._raw is None or self._closed:
                raise sqlite3.ProgrammingError(PoolMessages.SQLITE_CLOSED)
            return work(self._raw)

        return await self._in_thread(job)

    async def close(self) -> None:
        """Interrupt what runs, and close; to close it again does nothing."""
        if self._closed:
            return
        self._closed = True
        closed = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        with self._interrupting():
            await asyncio.shield(asyncio.wrap_future(closed))  # it closes by itself, though nobody waits any longer

    def _open(self) -> None:
        self._raw = sqlite3.connect(
            self._database,
            timeout=self._busy_timeout,
            isolation_level=None,  # sqlite3 is not to begin transactions of its own accord
            check_same_thread=False,  # it is interrupted from another
            uri=str(self._database).startswith("file:"),
        )
        self._raw.execute("PRAGMA journal_mode = WAL")
        if self._read_only:
            self._raw.execute("PRAGMA query_only = ON")

    def _close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _work[T](self, job: Callable[[], T]) -> T:
        self._working = True
        try:
            return job()
        finally:
            with self._lock:
                self._working = False

    async def _in_thread[T](self, job: Callable[[], T]) -> T:
        if self._closed:
            raise sqlite3.ProgrammingError(PoolMessages.SQLITE_CLOSED)
        future = self._thread.submit(self._work, job)
        self._calls += 1
        try:
            return await asyncio.wrap_future(future)
        except BaseException:
            if not future.done():  # it is the wait that has ended, and not the call
                await self._ended(future)
            raise
        finally:
            self._calls -= 1

    async def _ended(self, future: Future[Any]) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(over.set))
        with self._interrupting():
            while not over.is_set():
                with suppress(asyncio.CancelledError):  # it is cancelled already
                    await over.wait()

    @contextmanager
    def _interrupting(self) -> Generator[None]:
        loop, over = asyncio.get_running_loop(), False

        def interrupt() -> None:
            if over:
                return
            with (
                self._lock
            ):  # else it might be the end of the connection that is interrupted: it writes all to the file
                if self._raw is not None and self._working:
                    self._raw.interrupt()
            loop.call_later(_AGAIN, interrupt)

        interrupt()
        try:
            yield
        finally:
            over = True


class SqliteFactory:
    """
    A `ConnectionFactory` of connections to one database of SQLite, in WAL mode: who reads and who writes do not wait
    for each other.

    SQLite has one writer at a time. So give those that write a pool of one connection, where they wait for their turn
    in order, and those that read a pool of as many as there are cores. Connections work on the rows in threads, with
    SQLite's own code outside of the interpreter's lock.

    Between two borrowers a transaction that was left open is rolled back. Pragmas and temporary tables stay.

    Args:
        database: a path, or a `file:` URI. `:memory:` is another database for each connection.
        read_only: refuse statements that write, for the pool of those that read.
        busy_timeout: the seconds that a statement waits for another process that writes.

    Raises:
        ValidationError: `busy_timeout` is negative.

    >>> writer = SqliteFactory("app.db")
    >>> readers = SqliteFactory("app.db", read_only=True)
    """

    def __init__(self, database: Path | str, *, read_only: bool = False, busy_timeout: float = 5.0) -> None:
        self._database = database
        self._read_only = read_only
        self._busy_timeout = or_raise(require_range(busy_timeout, "busy_timeout", min=0))

    async def create(self) -> SqliteConnection:
        """
        Open the database.

        Raises:
            sqlite3.Error: it cannot be opened, or is no database.
        """
        connection = SqliteConnection(self._database, self._read_only, self._busy_timeout)
        try:
            await connection.open()
        except BaseException:
            await connection.close()
            raise
        return connection

    def is_alive(self, connection: SqliteConnection) -> bool:
        """Say whether it is open, and no call runs on it."""
        return not connection.closed and not connection.busy

    async def validate(self, connection: SqliteConnection) -> bool:
        """Select something."""
        return await connection.execute("SELECT 1") == [(1,)]

    async def reset(self, connection: SqliteConnection) -> None:
        """
        Roll back, if there is anything to.

        Raises:
            PoolError: a call runs on it.
        """
        if connection.busy:
            raise PoolError(PoolMessages.CONNECTION_UNSETTLED.format(state="in use"))
        if connection.in_transaction:
            await connection.run(lambda raw: raw.rollback())

    async def destroy(self, connection: SqliteConnection) -> None:
        """Close it; what runs on it is interrupted."""
        await connection.close()
