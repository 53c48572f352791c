"""What is particular to the inbox in PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable
from psycopg_pool import AsyncConnectionPool

from infra_messaging.postgres import PostgresInbox
from infra_protocols import OutboxRefusedError, OutboxUnavailableError, ValidationError

type Pool = AsyncConnectionPool[AsyncConnection[Any]]

PATIENCE = 30.0


@asynccontextmanager
async def opened(url: str, timeout: float = PATIENCE) -> AsyncGenerator[tuple[PostgresInbox, Pool]]:
    table = f"t{uuid4().hex}"
    pool: Pool = AsyncConnectionPool(url, min_size=1, max_size=8, timeout=PATIENCE, open=False)
    async with pool:
        await PostgresInbox(pool, table=table, timeout=PATIENCE).create_schema()
        yield PostgresInbox(pool, table=table, timeout=timeout), pool
        async with pool.connection() as connection:
            await connection.execute(f"DROP TABLE {table}, {table}_schema".encode())


async def acts(inbox: PostgresInbox, id: str = "1") -> bool:
    async with inbox.once("shop", id) as connection:
        return connection is not None


async def test_an_error_that_the_act_swallows_is_no_success(postgres_url: str) -> None:
    """PostgreSQL would roll back at the commit, and the message would be lost."""
    async with opened(postgres_url) as (inbox, _):

        async def act() -> None:
            async with inbox.once("shop", "1") as connection:
                assert connection is not None
                with suppress(UndefinedTable):
                    await connection.execute(b"SELECT * FROM nowhere")

        with pytest.raises(OutboxRefusedError, match="failed, or was ended, inside of the block"):
            await act()
        assert await acts(inbox)


async def test_what_the_act_raises_comes_as_it_is(postgres_url: str) -> None:
    async with opened(postgres_url) as (inbox, _):
        for error in (
            psycopg.OperationalError("mine"),
            UndefinedTable("mine"),
            TimeoutError("mine"),
            psycopg.Rollback(),
        ):
            with pytest.raises(type(error)) as raised:
                async with inbox.once("shop", "1"):
                    raise error
            assert raised.value is error
        assert await acts(inbox)


async def test_an_act_may_take_longer_than_a_step(postgres_url: str) -> None:
    async with opened(postgres_url, timeout=1.0) as (inbox, _):
        async with inbox.once("shop", "1") as connection:
            assert connection is not None
            await asyncio.sleep(1.5)
        assert not await acts(inbox)


async def test_who_waits_too_long_for_another_is_told(postgres_url: str) -> None:
    async with opened(postgres_url, timeout=0.5) as (inbox, _):
        async with inbox.once("shop", "1"):
            with pytest.raises(OutboxUnavailableError):
                await acts(inbox)
        assert not await acts(inbox)


async def test_the_act_cannot_commit(postgres_url: str) -> None:
    async with opened(postgres_url) as (inbox, _):

        async def act() -> None:
            async with inbox.once("shop", "1") as connection:
                assert connection is not None
                await connection.commit()

        with pytest.raises(psycopg.ProgrammingError):
            await act()
        assert await acts(inbox)


@pytest.mark.parametrize("end", [b"ROLLBACK", b"COMMIT"])
async def test_a_transaction_that_the_act_has_ended_is_told_of(postgres_url: str, end: bytes) -> None:
    async with opened(postgres_url) as (inbox, _):

        async def act() -> None:
            async with inbox.once("shop", "1") as connection:
                assert connection is not None
                await connection.execute(end)

        with pytest.raises(OutboxRefusedError, match="failed, or was ended, inside of the block"):
            await act()


async def test_an_act_that_takes_longer_than_postgres_allows_is_not_done(postgres_url: str) -> None:
    async with opened(postgres_url) as (inbox, pool):

        async def act() -> None:
            async with inbox.once("shop", "1") as connection:
                assert connection is not None
                await connection.execute(b"SET LOCAL idle_in_transaction_session_timeout = '10ms'")
                mine = connection.info.backend_pid
                async with asyncio.timeout(PATIENCE), pool.connection() as other:
                    while (await other.execute(b"SELECT 1 FROM pg_stat_activity WHERE pid = %s", (mine,))).rowcount:
                        await other.rollback()

        with pytest.raises(OutboxUnavailableError):
            await act()
        assert await acts(inbox)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_it_does_not_depend_on_how_transactions_are_isolated(postgres_url: str, level: str) -> None:
    async with opened(postgres_url) as (inbox, _):
        table = inbox.schema.split()[2].removesuffix("_schema")
        options = {"options": f"-c default_transaction_isolation={level.replace(' ', '\\ ')}"}
        pool: Pool = AsyncConnectionPool(postgres_url, min_size=2, open=False, kwargs=options)
        async with pool:
            isolated = PostgresInbox(pool, table=table, timeout=PATIENCE)
            async with isolated.once("shop", "1") as connection:
                assert connection is not None
                waiting = asyncio.ensure_future(acts(isolated))
                waits = b"SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
                async with asyncio.timeout(PATIENCE):
                    while not (await connection.execute(waits)).rowcount:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            assert not await waiting


async def test_very_many_are_forgotten(postgres_url: str) -> None:
    async with opened(postgres_url) as (inbox, pool):
        table = inbox.schema.split()[2].removesuffix("_schema")
        async with pool.connection() as connection:
            rows = "SELECT 'shop', n::text, now() - interval '1 day' FROM generate_series(1, 25000) n"
            await connection.execute(f"INSERT INTO {table} {rows}".encode())
        assert await acts(inbox, "young")
        assert await inbox.forget(float("inf")) == 0
        assert await inbox.forget(3600) == 25_000
        assert not await acts(inbox, "young")


@pytest.mark.parametrize("name", ["a\0", "\ud800", "x" * 256])
async def test_names_that_cannot_be_kept_are_refused(postgres_url: str, name: str) -> None:
    async with opened(postgres_url) as (inbox, _):
        with pytest.raises(ValidationError):
            inbox.once("shop", name)
        with pytest.raises(ValidationError):
            inbox.once(name, "1")


async def test_the_longest_names_are_kept(postgres_url: str) -> None:
    async with opened(postgres_url) as (inbox, _):
        name = "".join(chr(0x1F600 + n) for n in range(255))
        for is_first in (True, False):
            async with inbox.once(name, name) as connection:
                assert (connection is not None) is is_first
