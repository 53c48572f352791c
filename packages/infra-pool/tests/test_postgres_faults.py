"""The pool with a real PostgreSQL that fails: nobody gets a dead connection, an old reply, or one connection less."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import pytest

from infra_conformance.proxy import Proxy
from infra_conformance.servers import PostgresServer, wait_until
from infra_pool import ConnectionPool, PoolConfig, PoolStats
from infra_pool.postgres import AsyncpgFactory, PsycopgFactory
from infra_protocols import PoolError, PoolTimeoutError

SIZE = 4
PATIENCE = 30.0
"""More seconds than a busy machine may keep the server from answering."""

LOST = (psycopg.OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What drivers raise when the server has gone."""


@dataclass(frozen=True)
class Driver:
    factory: Callable[[str], Any]
    value: Callable[[Any, str], Awaitable[Any]]


async def value_by_psycopg(connection: psycopg.AsyncConnection[tuple[Any, ...]], query: str) -> Any:
    cursor = await connection.execute(query.encode())
    return (await cursor.fetchone() or (None,))[0] if cursor.description else None


async def value_by_asyncpg(connection: Any, query: str) -> Any:
    return await connection.fetchval(query)


@pytest.fixture(params=["psycopg", "asyncpg"])
def driver(request: pytest.FixtureRequest) -> Driver:
    if request.param == "psycopg":
        return Driver(PsycopgFactory, value_by_psycopg)
    return Driver(AsyncpgFactory, value_by_asyncpg)


@asynccontextmanager
async def pool_of(driver: Driver, port: int, **config: Any) -> AsyncGenerator[ConnectionPool[Any]]:
    """Yields a pool that must not have lost a connection in the end, nor leave a task."""
    settings: dict[str, Any] = {"max_size": SIZE, "acquire_timeout": PATIENCE, "factory_timeout": PATIENCE, **config}
    pool = ConnectionPool(driver.factory(f"postgresql://postgres@127.0.0.1:{port}/postgres"), PoolConfig(**settings))
    before = asyncio.all_tasks()
    async with pool:
        yield pool
        await all_at_once(pool, driver)
    assert pool.stats().total == 0
    await asyncio.sleep(0)
    left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not {task for task in left if "Proxy" not in task}


async def all_at_once(pool: ConnectionPool[Any], driver: Driver) -> None:
    """Sees that as many as the pool has room for can use it at the same time."""
    meeting = asyncio.Barrier(SIZE)

    async def meet(number: int) -> None:
        async with pool.connection() as connection:
            await meeting.wait()
            assert await driver.value(connection, f"SELECT {number}") == number

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for number in range(SIZE):
            group.create_task(meet(number))
    stats = await settled(pool)
    assert (stats.total, stats.idle) == (SIZE, SIZE)


async def settled(pool: ConnectionPool[Any]) -> PoolStats:
    """Waits until nothing is made, reset or destroyed any more."""
    async with asyncio.timeout(PATIENCE):
        while (stats := pool.stats()).unhealthy or stats.pending:  # noqa: ASYNC110 # nobody tells when it is
            await asyncio.sleep(0)
    return stats


async def test_nobody_gets_a_connection_that_was_ended_while_it_was_idle(
    driver: Driver, postgres: PostgresServer
) -> None:
    async with pool_of(driver, postgres.port) as pool:
        await all_at_once(pool, driver)
        assert await asyncio.to_thread(postgres.terminate_backends) == SIZE
        for number in range(10):
            async with pool.connection() as connection:
                assert await driver.value(connection, f"SELECT {number}") == number


async def test_one_that_was_ended_while_it_was_lent_is_replaced(driver: Driver, postgres: PostgresServer) -> None:
    async with pool_of(driver, postgres.port) as pool:
        async with pool.connection() as connection:
            await asyncio.to_thread(postgres.terminate_backends)
            with pytest.raises(LOST):
                await driver.value(connection, "SELECT 1")
        async with pool.connection() as another:
            assert another is not connection
            assert await driver.value(another, "SELECT 1") == 1


async def test_while_the_server_is_away_there_are_errors_and_only_then(
    driver: Driver, postgres: PostgresServer
) -> None:
    stays, away = 0, asyncio.Event()
    outcomes: list[tuple[bool, Exception | None]] = []
    back = asyncio.Condition()

    async def borrow(number: int) -> None:
        while not done.is_set():
            began, gone = stays, away.is_set()
            error: Exception | None = None
            try:
                async with pool.connection() as connection:
                    assert await driver.value(connection, f"SELECT {number}") == number
            except LOST as lost:
                error = lost
            outcomes.append((gone or away.is_set() or began != stays, error))
            async with back:
                back.notify_all()

    async def hold(holds: asyncio.Event) -> None:
        async with pool.connection() as connection:
            holds.set()
            with pytest.raises(LOST):
                await driver.value(connection, "SELECT pg_sleep(60)")

    async def another(count: int) -> None:
        seen = len(outcomes)
        async with back:
            await back.wait_for(lambda: len(outcomes) >= seen + count)

    done = asyncio.Event()
    async with pool_of(driver, postgres.port) as pool, asyncio.timeout(90), asyncio.TaskGroup() as group:
        for number in range(3 * SIZE):
            group.create_task(borrow(number))
        for _ in range(3):
            await another(50)
            holds = asyncio.Event()
            group.create_task(hold(holds))  # so that it is lost amid at least one query
            await holds.wait()
            away.set()
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
            stays += 1
            away.clear()
            await another(50)
        done.set()
    assert [error for was_away, error in outcomes if error and not was_away] == []


async def test_a_server_that_accepts_and_says_nothing_costs_a_borrower_its_time_and_the_pool_nothing(
    driver: Driver, postgres: PostgresServer
) -> None:
    async with Proxy(postgres.port) as proxy:
        proxy.blackhole()
        async with pool_of(driver, proxy.port, factory_timeout=0.1) as pool:
            for _ in range(2):
                with pytest.raises(PoolTimeoutError) as late:
                    async with pool.connection(timeout=0.3):
                        pass
                assert isinstance(late.value.__cause__, TimeoutError)
            assert pool.stats().total == 0
            proxy.restore()
            await until_made(pool)


async def until_made(pool: ConnectionPool[Any]) -> None:
    # The factory has little time here: on a busy machine it may need more than one attempt.
    for _ in range(100):
        if (lease := await pool.acquire(timeout=PATIENCE)).is_ok():
            lease.unwrap().release().unwrap()
            return


async def test_after_a_borrower_was_cancelled_amid_a_query_the_next_one_reads_its_own_answer(
    driver: Driver, postgres: PostgresServer
) -> None:
    async with pool_of(driver, postgres.port) as pool:
        pool.resize(0, 1)
        for number in range(20):
            query = f"SELECT pg_sleep(600), 'old {number}'"

            async def run(query: str) -> None:
                async with pool.connection() as connection:
                    await driver.value(connection, query)

            borrower = asyncio.create_task(run(query))
            await asyncio.to_thread(wait_until, lambda: runs(postgres, query), "the query runs")  # noqa: B023
            borrower.cancel()
            async with pool.connection() as connection:
                assert await driver.value(connection, f"SELECT 'new {number}'") == f"new {number}"
            with pytest.raises(asyncio.CancelledError):
                await borrower
            assert not runs(postgres, query)
        pool.resize(0, SIZE)


def runs(postgres: PostgresServer, query: str) -> bool:
    quoted = query.replace("'", "''")
    found = postgres.call(f"SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = '{quoted}'")
    return bool(found)


async def test_what_was_left_open_is_rolled_back_for_the_next_borrower(
    driver: Driver, postgres: PostgresServer
) -> None:
    async with pool_of(driver, postgres.port) as pool:
        pool.resize(0, 1)
        async with pool.connection() as connection:
            await driver.value(connection, "BEGIN")
            await driver.value(connection, "CREATE TABLE left_open ()")
        async with pool.connection() as again:
            assert again is connection
            assert await driver.value(again, "SELECT to_regclass('left_open')") is None
        pool.resize(0, SIZE)


async def test_whatever_is_cancelled_and_whenever_nothing_is_lost(driver: Driver, postgres: PostgresServer) -> None:
    rng = random.Random(7)
    async with pool_of(driver, postgres.port) as pool:
        for _ in range(25):
            await asyncio.gather(*(some_borrow(pool, driver, rng, number) for number in range(16)))
            stats = await settled(pool)
            assert stats.in_use == stats.waiting == 0
            assert stats.total <= SIZE
    await asyncio.to_thread(wait_until, lambda: postgres.backends() == [], "the server has no connection left")


async def some_borrow(pool: ConnectionPool[Any], driver: Driver, rng: random.Random, number: int) -> None:
    """Borrows, and asks for a number; at times it is cancelled, wherever that may be."""

    async def borrow() -> None:
        async with pool.connection() as connection:
            if rng.random() < 0.2:
                await driver.value(connection, "BEGIN")
            if rng.random() < 0.2:
                await driver.value(connection, "SELECT pg_sleep(0.005)")
            assert await driver.value(connection, f"SELECT {number}") == number

    task = asyncio.create_task(borrow())
    if rng.random() < 0.4:
        await asyncio.sleep(rng.choice((0, 0, 0.001, 0.004, 0.01)))
        task.cancel()
        if rng.random() < 0.3:
            await asyncio.sleep(0)
            task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def test_a_pool_says_why_no_connection_can_be_made(driver: Driver) -> None:
    async with ConnectionPool(driver.factory("postgresql://postgres@127.0.0.1:1/postgres")) as pool:
        refused = await pool.acquire(timeout=0.1)
        error = refused.unwrap_err()
        assert isinstance(error, PoolError)
        assert isinstance(error.__cause__, LOST)
