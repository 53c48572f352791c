"""The factories of PostgreSQL's connections keep every promise that a pool relies on."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, override
from uuid import uuid4

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row

from infra_conformance import ConnectionFactorySuite, Trace
from infra_conformance.servers import PostgresServer, wait_until
from infra_pool.postgres import AsyncpgConnection, AsyncpgFactory, PsycopgFactory
from infra_protocols import Clock, ConnectionFactory, PoolError

type PsycopgConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class PostgresFactoryChecks[T](ConnectionFactorySuite[T]):
    """Whose role is told to let nobody in, the server's own role lets in all the same: it cuts, and counts."""

    real_time = True
    tick = 0.05
    can_linger = True
    can_cut = True
    can_refuse = True
    can_count = True
    server: ClassVar[PostgresServer]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres: PostgresServer) -> None:
        type(self).server = postgres

    @abstractmethod
    def factory(self, url: str) -> ConnectionFactory[T]: ...

    @abstractmethod
    async def value(self, connection: T, query: str) -> Any: ...

    @abstractmethod
    def backend(self, connection: T) -> int: ...

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ConnectionFactory[T]]:
        self.role = f"r{uuid4().hex}"
        await self.tell(f"CREATE ROLE {self.role} LOGIN")
        try:
            yield self.factory(f"postgresql://{self.role}@127.0.0.1:{self.server.port}/postgres")
        finally:
            await self.tell(f"DROP ROLE {self.role}")

    async def tell(self, sql: str) -> list[tuple[str | None, ...]]:
        return await asyncio.to_thread(self.server.call, sql)

    @override
    async def echo(self, connection: T, number: int) -> int:
        return await self.value(connection, f"SELECT {number}")

    @override
    async def linger(self, connection: T, number: int) -> int:
        return await self.value(connection, f"SELECT {number} FROM pg_sleep({10 * self.tick})")

    @override
    async def cut(self, connection: T) -> None:
        await self.tell(f"SELECT pg_terminate_backend({self.backend(connection)})")

    @override
    async def refuse(self, factory: ConnectionFactory[T]) -> None:
        await self.tell(f"ALTER ROLE {self.role} NOLOGIN")

    @override
    async def accept(self, factory: ConnectionFactory[T]) -> None:
        await self.tell(f"ALTER ROLE {self.role} LOGIN")

    @override
    async def count(self, factory: ConnectionFactory[T]) -> int:
        [(count,)] = await self.tell(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.role}'")
        return int(count or 0)

    def set_by(self, name: str, *statements: str, sign: str) -> Trace[T]:
        """Return what `statements` leave, if `sign` is true of it."""

        async def leave(connection: T) -> None:
            for statement in statements:
                await self.value(connection, statement)

        async def is_left(connection: T) -> bool:
            return bool(await self.value(connection, f"SELECT {sign}"))

        return Trace(name, leave, is_left)


class TestPsycopgFactory(PostgresFactoryChecks[PsycopgConnection]):
    engine_error = psycopg.OperationalError

    @override
    def factory(self, url: str) -> PsycopgFactory[tuple[Any, ...]]:
        return PsycopgFactory(url, autocommit=True)

    @override
    async def value(self, connection: PsycopgConnection, query: str) -> Any:
        cursor = await connection.execute(query.encode())
        return (await cursor.fetchone() or (None,))[0] if cursor.description else None

    @override
    def backend(self, connection: PsycopgConnection) -> int:
        return connection.info.backend_pid

    @override
    def traces(self) -> Sequence[Trace[PsycopgConnection]]:
        async def begin(connection: PsycopgConnection) -> None:
            await connection.execute("BEGIN")

        async def fail(connection: PsycopgConnection) -> None:
            with pytest.raises(psycopg.errors.UndefinedTable):
                await connection.execute("BEGIN; SELECT * FROM nowhere")

        async def in_transaction(connection: PsycopgConnection) -> bool:
            return connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

        async def change(connection: PsycopgConnection) -> None:
            await connection.set_autocommit(False)
            await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
            await connection.set_read_only(True)
            await connection.set_deferrable(True)
            connection.row_factory = dict_row  # pyright: ignore[reportAttributeAccessIssue]

        async def is_changed(connection: PsycopgConnection) -> bool:
            kept = connection.autocommit, connection.isolation_level, connection.read_only, connection.deferrable
            return kept != (True, None, None, None) or connection.row_factory is dict_row

        return (
            Trace("changed modes", change, is_changed),
            Trace("an open transaction", begin, in_transaction),
            Trace("a failed transaction", fail, in_transaction),
        )


class TestPsycopgFactoryThatDiscards(TestPsycopgFactory):
    """It has no `autocommit`, so that whatever is said to the server begins a transaction."""

    @override
    def factory(self, url: str) -> PsycopgFactory[tuple[Any, ...]]:
        return PsycopgFactory(url, discard=True)

    @override
    async def value(self, connection: PsycopgConnection, query: str) -> Any:
        value = await super().value(connection, query)
        await connection.commit()
        return value

    @override
    def traces(self) -> Sequence[Trace[PsycopgConnection]]:
        return (
            self.set_by("a setting", "SET app.note = 'left'", sign="current_setting('app.note', true) <> ''"),
            self.set_by(
                "a temporary table", "CREATE TEMP TABLE left_here ()", sign="to_regclass('left_here') IS NOT NULL"
            ),
            self.set_by(
                "an advisory lock",
                "SELECT pg_advisory_lock(1)",
                sign="EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
            ),
        )


class TestAsyncpgFactory(PostgresFactoryChecks[AsyncpgConnection]):
    engine_error = OSError

    @override
    def factory(self, url: str) -> AsyncpgFactory:
        return AsyncpgFactory(url)

    @override
    async def value(self, connection: AsyncpgConnection, query: str) -> Any:
        return await connection.fetchval(query)

    @override
    def backend(self, connection: AsyncpgConnection) -> int:
        return connection.get_server_pid()

    @override
    def traces(self) -> Sequence[Trace[AsyncpgConnection]]:
        async def begin(connection: AsyncpgConnection) -> None:
            await connection.execute("BEGIN")

        async def in_transaction(connection: AsyncpgConnection) -> bool:
            return connection.is_in_transaction()

        return (
            self.set_by("a setting", "SET app.note = 'left'", sign="current_setting('app.note', true) <> ''"),
            self.set_by(
                "an advisory lock",
                "SELECT pg_advisory_lock(1)",
                sign="EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
            ),
            Trace("an open transaction", begin, in_transaction),
        )


async def test_a_connection_on_which_a_query_runs_is_not_lent_again(postgres: PostgresServer) -> None:
    factory = PsycopgFactory(postgres.url)
    connection = await factory.create()
    running = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
    sleeps = f"SELECT FROM pg_stat_activity WHERE pid = {connection.info.backend_pid} AND wait_event = 'PgSleep'"
    await asyncio.to_thread(wait_until, lambda: postgres.call(sleeps), "the query runs")
    assert not factory.is_alive(connection)
    with pytest.raises(PoolError, match="something still runs on it: it is ACTIVE"):
        await factory.reset(connection)
    backend = connection.info.backend_pid
    await factory.destroy(connection)
    with pytest.raises(psycopg.OperationalError):
        await running
    # It would be there for ten minutes, had the query not been cancelled.
    await asyncio.to_thread(wait_until, lambda: backend not in postgres.backends(), "the query has ended")


async def test_rows_are_as_the_factory_of_rows_makes_them(postgres: PostgresServer) -> None:
    factory = PsycopgFactory(postgres.url, row_factory=dict_row, application_name="rows")
    connection = await factory.create()
    try:
        cursor = await connection.execute("SELECT current_setting('application_name') AS name")
        assert await cursor.fetchone() == {"name": "rows"}
    finally:
        await factory.destroy(connection)


async def test_a_statement_that_was_prepared_is_prepared_anew_after_a_discard(postgres: PostgresServer) -> None:
    factory = PsycopgFactory(postgres.url, prepare_threshold=0, discard=True)
    connection = await factory.create()
    try:
        for _ in range(3):
            cursor = await connection.execute("SELECT count(*) FROM pg_prepared_statements")
            assert await cursor.fetchone() in {(1,), (2,)}
            await factory.reset(connection)
    finally:
        await factory.destroy(connection)


async def test_a_server_that_is_not_there_is_told(postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError):
        await PsycopgFactory("postgresql://postgres@127.0.0.1:1/postgres").create()
    with pytest.raises(OSError, match="Connect call failed"):
        await AsyncpgFactory("postgresql://postgres@127.0.0.1:1/postgres").create()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await AsyncpgFactory(f"postgresql://nobody@127.0.0.1:{postgres.port}/postgres").create()
