"""Pastes in PostgreSQL."""

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Self, override

import psycopg

from infra_messaging.postgres import PostgresInbox, PostgresOutbox
from infra_pool import ConnectionPool, PoolConfig
from infra_pool.postgres import PsycopgFactory
from infra_protocols import ConnectionPoolProtocol, MessagingError, PoolError
from pastebin.events import EVENTS, PasteEvent, outgoing
from pastebin.messages import PastebinMessages
from pastebin.sql import POOL_TIMEOUT, SqlPasteRepository, Value, failure

MIGRATIONS: Final = (
    # Bytes, for a text may hold U+0000, which PostgreSQL's own texts cannot.
    b"""
    CREATE TABLE pastes (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id BYTEA NOT NULL UNIQUE,
        title BYTEA NOT NULL,
        body BYTEA NOT NULL,
        coding BYTEA NOT NULL,
        author BYTEA NOT NULL,
        created_at BYTEA NOT NULL,
        updated_at BYTEA NOT NULL
    )
    """,
    b"CREATE INDEX pastes_by_author ON pastes (author, number)",
    b"CREATE TABLE identity AS SELECT convert_to(gen_random_uuid()::text, 'UTF8') AS id",
    b"CREATE TABLE words (word BYTEA NOT NULL, paste BYTEA NOT NULL, PRIMARY KEY (word, paste))",
    b"CREATE INDEX words_by_paste ON words (paste)",
    b"""
    CREATE TABLE statistics (
        author BYTEA PRIMARY KEY,
        created BIGINT NOT NULL,
        changed BIGINT NOT NULL,
        deleted BIGINT NOT NULL
    )
    """,
)
"""The steps from an empty database to the present schema; the table `migrations` has a row for each of those taken."""

_POOL: Final = PoolConfig(max_size=10, acquire_timeout=POOL_TIMEOUT)
_NAME: Final = "PostgreSQL"
_LOCK: Final = 0x7061737465  # any number, as long as nobody else in this database locks by it

type _Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class PostgresPasteRepository(SqlPasteRepository):
    """
    A `PasteRepository` in PostgreSQL; `open` makes one.

    A call that is cancelled has ended when it raises: the server was told to cancel it, and has answered. Only where it
    does not answer, or the call is cancelled once more, it may yet take effect.
    """

    parameter = r"%(\1)s"
    database = _NAME
    each_word = (
        "(SELECT convert_to(value, 'UTF8') AS value "
        "FROM jsonb_array_elements_text(convert_from({words}, 'UTF8')::jsonb)) AS words"
    )

    def __init__(self, pool: ConnectionPool[_Connection]) -> None:
        self._pool = pool
        super().__init__()
        self._outbox = PostgresOutbox[PasteEvent](pool, EVENTS)
        self._inbox = PostgresInbox(pool)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator[Self]:
        """
        Connect to the database at `url`, bring its schema up to date, and disconnect at the end.

        Raises:
            DatabaseError: it cannot be reached, or has a newer schema than this one.
        """
        factory = PsycopgFactory(url, autocommit=True)
        with _typed_errors():
            first = await factory.create()  # a pool would go on trying
            try:
                await _migrate(first)
            finally:
                await factory.destroy(first)
        async with ConnectionPool(factory, _POOL, name="pastebin") as pool:
            repository = cls(pool)
            await repository.create_schema()
            yield repository

    @property
    @override
    def pools(self) -> Sequence[ConnectionPoolProtocol[Any]]:
        """The pool of its connections."""
        return (self._pool,)

    async def create_schema(self) -> None:
        """
        Take the steps of `MIGRATIONS` that this database has not seen, all or none; `open` does so itself.

        Raises:
            DatabaseError: the database has seen more steps than this program knows.
        """
        with _typed_errors():
            async with self._pool.connection() as connection:
                await _migrate(connection)
            await self._outbox.create_schema()
            await self._inbox.create_schema()

    @property
    @override
    def outbox(self) -> PostgresOutbox[PasteEvent]:
        return self._outbox

    @property
    @override
    def inbox(self) -> PostgresInbox:
        return self._inbox

    @override
    async def _read(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]:
        with _typed_errors():
            async with self._pool.connection() as connection:
                return await self._rows(connection, statement, parameters)

    _execute = _read

    @override
    async def _write(
        self, statement: str, event: Callable[[str, str], PasteEvent], **parameters: Value
    ) -> Sequence[tuple[Any, ...]]:
        with _typed_errors():
            async with self._pool.connection() as connection, connection.transaction():
                written = await self._rows(connection, statement, parameters)
                for id, author in written:
                    await self._outbox.bind(connection).create(outgoing(event(id.decode(), author.decode())))
        self.on_change()
        return written

    async def _rows(
        self, connection: _Connection, statement: str, parameters: dict[str, Value]
    ) -> Sequence[tuple[Any, ...]]:
        cursor = await connection.execute(*self._asked(statement, parameters))
        return await cursor.fetchall() if cursor.description else []

    @override
    def _asked(self, statement: str, parameters: dict[str, Value]) -> tuple[bytes, dict[str, Value]]:
        values: dict[str, Value] = {
            name: value.encode() if isinstance(value, str) else value for name, value in parameters.items()
        }
        return self._spelled(statement).encode(), values


async def _migrate(connection: _Connection) -> None:
    async with connection.transaction():
        # Another process may be at the same: it waits here, and then finds nothing left to do.
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute("CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY)")
        taken = len(await (await connection.execute("SELECT step FROM migrations")).fetchall())
        if taken > len(MIGRATIONS):
            raise failure(_NAME, PastebinMessages.SCHEMA_TOO_NEW.format(found=taken, known=len(MIGRATIONS)))
        for step, statement in enumerate(MIGRATIONS[taken:], taken + 1):
            await connection.execute(statement)
            await connection.execute("INSERT INTO migrations VALUES (%s)", (step,))


@contextmanager
def _typed_errors() -> Generator[None]:
    try:
        yield
    except (psycopg.Error, PoolError, MessagingError) as error:
        raise failure(_NAME, str(error)) from error
