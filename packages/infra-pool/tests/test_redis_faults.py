"""The pool with a real Redis that fails."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from infra_conformance.proxy import Proxy
from infra_conformance.servers import RedisServer, wait_until
from infra_pool import ConnectionPool, PoolConfig
from infra_pool.redis import RedisFactory
from infra_protocols import PoolTimeoutError

SIZE = 4
PATIENCE = 30.0
"""More seconds than a busy machine may keep the server from answering."""


@asynccontextmanager
async def pool_of(server: RedisServer, port: int | None = None, **config: Any) -> AsyncGenerator[ConnectionPool[Any]]:
    """Yields a pool that must not have lost a connection in the end, nor leave one with the server."""
    settings: dict[str, Any] = {"max_size": SIZE, "acquire_timeout": PATIENCE, "factory_timeout": PATIENCE, **config}
    url = f"redis://127.0.0.1:{port or server.port}/0"
    async with ConnectionPool(RedisFactory(url, socket_timeout=PATIENCE), PoolConfig(**settings)) as pool:
        yield pool
        await all_at_once(pool)
    assert pool.stats().total == 0
    await asyncio.to_thread(wait_until, lambda: clients(server) == [], "the server has no connection left")


def clients(server: RedisServer) -> list[str]:
    """Return the ids of those that are connected, but for the one that asks."""
    lines = str(server.call("CLIENT", "LIST")).splitlines()
    return [line.split()[0].removeprefix("id=") for line in lines if " cmd=client|list" not in line]


async def all_at_once(pool: ConnectionPool[Any]) -> None:
    """Sees that as many as the pool has room for can use it at the same time."""
    meeting = asyncio.Barrier(SIZE)

    async def meet(number: int) -> None:
        async with pool.connection() as client:
            await meeting.wait()
            assert await client.echo(f"{number}") == f"{number}".encode()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for number in range(SIZE):
            group.create_task(meet(number))


async def settle(pool: ConnectionPool[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while (stats := pool.stats()).unhealthy or stats.pending:  # noqa: ASYNC110 # nobody tells when it is
            await asyncio.sleep(0)


async def test_nobody_gets_a_connection_that_was_ended_while_it_was_idle(redis_server: RedisServer) -> None:
    async with pool_of(redis_server) as pool:
        await all_at_once(pool)
        await settle(pool)
        assert await asyncio.to_thread(redis_server.call, "CLIENT", "KILL", "TYPE", "normal") == SIZE
        for number in range(10):
            async with pool.connection() as client:
                assert await client.echo(f"{number}") == f"{number}".encode()


async def test_a_server_that_comes_back_is_used_again(redis_server: RedisServer) -> None:
    async with pool_of(redis_server) as pool:
        async with pool.connection() as client:
            await asyncio.to_thread(redis_server.kill)
            with pytest.raises(RedisConnectionError):
                await client.get("key")
        with pytest.raises(PoolTimeoutError) as late:
            async with pool.connection(timeout=0.1):
                pass
        assert isinstance(late.value.__cause__, RedisConnectionError)
        await asyncio.to_thread(redis_server.start)


async def test_a_server_that_accepts_and_says_nothing_costs_a_borrower_its_time_and_the_pool_nothing(
    redis_server: RedisServer,
) -> None:
    async with Proxy(redis_server.port) as proxy, pool_of(redis_server, proxy.port, factory_timeout=0.1) as pool:
        proxy.blackhole()
        with pytest.raises(PoolTimeoutError) as late:
            async with pool.connection(timeout=0.3):
                pass
        assert isinstance(late.value.__cause__, TimeoutError)
        assert pool.stats().total == 0
        proxy.restore()


async def test_after_a_borrower_was_cancelled_amid_a_command_the_next_one_reads_its_own_reply(
    redis_server: RedisServer,
) -> None:
    async with pool_of(redis_server) as pool:
        pool.resize(0, 1)

        async def wait_for_what_never_comes(started: asyncio.Event) -> None:
            async with pool.connection() as client:
                started.set()
                await client.blpop("pool:never", timeout=600)

        for number in range(20):
            borrower = asyncio.create_task(wait_for_what_never_comes(started := asyncio.Event()))
            await started.wait()
            blocked = lambda: " cmd=blpop" in str(redis_server.call("CLIENT", "LIST"))  # noqa: E731
            await asyncio.to_thread(wait_until, blocked, "the command waits")
            borrower.cancel()
            async with pool.connection() as client:
                assert await client.echo(f"{number}") == f"{number}".encode()
            with pytest.raises(asyncio.CancelledError):
                await borrower
        pool.resize(0, SIZE)


async def test_whatever_is_cancelled_and_whenever_nothing_is_lost(redis_server: RedisServer) -> None:
    rng = random.Random(7)

    async def borrow(number: int) -> None:
        async with pool.connection() as client:
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.echo(f"{number}").client_info()
                said, info = await pipeline.execute()
            assert (said, info["db"]) == (f"{number}".encode(), 0)
            if rng.random() < 0.2:
                await client.execute_command("SELECT", 5)
            if rng.random() < 0.2:
                await client.execute_command("MULTI")

    async def some_borrow(number: int) -> None:
        task = asyncio.create_task(borrow(number))
        if rng.random() < 0.4:
            await asyncio.sleep(rng.choice((0, 0, 0.0005, 0.001, 0.003)))
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async with pool_of(redis_server) as pool:
        for _ in range(30):
            await asyncio.gather(*(some_borrow(number) for number in range(16)))
            await settle(pool)
            stats = pool.stats()
            assert stats.in_use == stats.waiting == 0
            assert stats.total <= SIZE
