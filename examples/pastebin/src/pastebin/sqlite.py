"""Pastes in SQLite."""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self, override

from infra_messaging.sqlite import SqliteInbox, SqliteOutbox
from infra_pool import ConnectionPool, PoolConfig
from infra_pool.sqlite import SqliteConnection, SqliteFactory
from infra_protocols import ConnectionPoolProtocol, MessagingError, PoolError
from pastebin.events import EVENTS, PasteEvent, outgoing
from pastebin.messages import PastebinMessages
from pastebin.sql import POOL_TIMEOUT, SqlPasteRepository, Value, failure

MIGRATIONS: Final = (
    """
    CREATE TABLE pastes (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        content TEXT NOT NULL,
        author TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX pastes_by_author ON pastes (author, number)",
    "CREATE TABLE identity AS SELECT lower(hex(randomblob(16))) AS id",
    "ALTER TABLE pastes ADD COLUMN coding TEXT NOT NULL DEFAULT 'identity'",
    "ALTER TABLE pastes ADD COLUMN body BLOB NOT NULL DEFAULT x''",
    "UPDATE pastes SET body = CAST(content AS BLOB)",
    "ALTER TABLE pastes DROP COLUMN content",
    "CREATE TABLE words (word TEXT NOT NULL, paste TEXT NOT NULL, PRIMARY KEY (word, paste)) STRICT, WITHOUT ROWID",
    "CREATE INDEX words_by_paste ON words (paste)",
    """
    CREATE TABLE statistics (
        author TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        deleted INTEGER NOT NULL
    ) STRICT
    """,
)
"""The steps from an empty database to the present schema; `PRAGMA user_version` counts those taken."""

_READERS: Final = PoolConfig(max_size=4, acquire_timeout=POOL_TIMEOUT)
_WRITER: Final = PoolConfig(max_size=1, acquire_timeout=POOL_TIMEOUT)  # SQLite has one at a time


class SqlitePasteRepository(SqlPasteRepository):
    """
    A `PasteRepository` in a SQLite file; `open` makes one.

    Those that read do not wait for those that write, nor the other way round. A call that is cancelled has ended when
    it raises: it takes no effect later.

    >>> import asyncio
    >>> async def main() -> int:
    ...     async with SqlitePasteRepository.open() as pastes:
    ...         return len(await pastes.get_all())
    >>> asyncio.run(main())
    0
    """

    parameter = r":\1"
    each_word = "json_each({words})"

    def __init__(
        self, writer: ConnectionPool[SqliteConnection], readers: ConnectionPool[SqliteConnection], database: Path
    ) -> None:
        self._writer = writer
        self._readers = readers
        super().__init__()
        self._outbox = SqliteOutbox[PasteEvent](database, EVENTS)
        self._inbox = SqliteInbox(database)
        self.database = str(database)

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Path | str | None = None) -> AsyncGenerator[Self]:
        """
        Open `database`, made when it is not there, bring its schema up to date, and close it at the end.

        Without one, it is a file of its own, which goes with it.

        Raises:
            DatabaseError: it cannot be opened, is no SQLite database, or has a newer schema than this one.
        """
        with TemporaryDirectory(prefix="pastebin-", ignore_cleanup_errors=True) as folder:
            path = Path(folder, "pastes.db") if database is None else Path(database)
            with _typed_errors(str(path)):
                await _look(path)
            async with (
                ConnectionPool(SqliteFactory(path), _WRITER, name="pastebin-writer") as writer,
                ConnectionPool(SqliteFactory(path, read_only=True), _READERS, name="pastebin-readers") as readers,
            ):
                repository = cls(writer, readers, path)
                await repository.create_schema()
                yield repository

    @property
    @override
    def pools(self) -> Sequence[ConnectionPoolProtocol[Any]]:
        """The pools of its connections: that of the one that writes, and of those that read."""
        return self._writer, self._readers

    async def create_schema(self) -> None:
        """
        Take the steps of `MIGRATIONS` that this database has not seen, all or none; `open` does so itself.

        Raises:
            DatabaseError: the database has seen more steps than this program knows.
        """
        with _typed_errors(self.database):
            async with self._writer.connection() as connection:
                await connection.run(self._migrate)
            await self._outbox.create_schema()
            await self._inbox.create_schema()

    @property
    @override
    def outbox(self) -> SqliteOutbox[PasteEvent]:
        return self._outbox

    @property
    @override
    def inbox(self) -> SqliteInbox:
        return self._inbox

    @override
    async def _read(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]:
        return await self._in(self._readers, statement, parameters)

    @override
    async def _execute(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]:
        return await self._in(self._writer, statement, parameters)

    @override
    async def _write(
        self, statement: str, event: Callable[[str, str], PasteEvent], **parameters: Value
    ) -> Sequence[tuple[Any, ...]]:
        with _typed_errors(self.database):
            async with self._writer.connection() as connection:  # which the pool rolls back if need be
                await connection.execute("BEGIN IMMEDIATE")
                written = await connection.execute(*self._asked(statement, parameters))
                for id, author in written:
                    await self._outbox.bind(connection).create(outgoing(event(id, author)))
                await connection.execute("COMMIT")
        self.on_change()
        return written

    async def _in(
        self, pool: ConnectionPool[SqliteConnection], statement: str, parameters: dict[str, Value]
    ) -> Sequence[tuple[Any, ...]]:
        with _typed_errors(self.database):
            async with pool.connection() as connection:
                return await connection.execute(*self._asked(statement, parameters))

    @override
    def _asked(self, statement: str, parameters: dict[str, Value]) -> tuple[str, dict[str, Value]]:
        return self._spelled(statement), parameters

    def _migrate(self, connection: sqlite3.Connection) -> None:
        with connection:  # commits, or rolls back what was raised
            # Another process may be at the same: it waits here, and then finds nothing left to do.
            connection.execute("BEGIN IMMEDIATE")
            [taken] = connection.execute("PRAGMA user_version").fetchone()
            if taken > len(MIGRATIONS):
                reason = PastebinMessages.SCHEMA_TOO_NEW.format(found=taken, known=len(MIGRATIONS))
                raise failure(self.database, reason)
            for step in MIGRATIONS[taken:]:
                connection.execute(step)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def _typed_errors(database: str) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, PoolError, MessagingError) as error:
        raise failure(database, str(error)) from error


async def _look(path: Path) -> None:
    factory = SqliteFactory(path)
    await factory.destroy(await factory.create())  # a pool would go on trying
