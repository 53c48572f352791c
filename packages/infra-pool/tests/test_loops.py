"""A pool belongs to one event loop, in one process."""

import asyncio
import multiprocessing
import os
from typing import Any

import pytest

from infra_pool import ConnectionPool, PoolConfig
from infra_protocols import PoolClosedError, PoolLoopError


async def refusals(pool: Any, lease: Any) -> list[BaseException | None]:
    """Return how every method refuses."""

    async def enter() -> None:
        async with pool.connection():
            raise AssertionError

    async def release() -> None:
        pool.release(lease)

    async def release_by_lease() -> None:
        lease.release()

    async def resize() -> None:
        pool.resize(0, 1)

    refused: list[BaseException | None] = [(await pool.acquire()).unwrap_err()]
    for call in (enter, release, release_by_lease, resize, pool.open, pool.close):
        try:
            await call()
        except Exception as error:
            refused.append(error)
        else:
            refused.append(None)
    return refused


def test_another_event_loop_is_refused(factory: Any) -> None:
    pool = ConnectionPool[Any](factory, PoolConfig(min_size=1))
    with asyncio.Runner() as home, asyncio.Runner() as other:
        home.run(pool.open())
        lease = home.run(pool.acquire()).unwrap()
        refused = other.run(refusals(pool, lease))
        assert [type(error) for error in refused] == [PoolLoopError] * 7
        assert {str(error).partition(",")[0] for error in refused} == {"Pool was opened in another event loop"}
        assert pool.stats().in_use == 1
        assert lease.connection is factory.made[0]
        with pytest.raises(PoolLoopError):
            lease.release()  # no event loop runs here
        home.run(asyncio.sleep(0))
        home.run(refusing_nothing(pool, lease))


async def refusing_nothing(pool: Any, lease: Any) -> None:
    assert lease.release().is_ok()
    async with pool.connection():
        pass
    await pool.close()


def test_a_pool_that_was_closed_stays_so(factory: Any) -> None:
    async def use(pool: Any) -> None:
        async with pool:
            pass

    async def reopen(pool: Any) -> None:
        with pytest.raises(PoolClosedError):
            await pool.open()

    pool = ConnectionPool[Any](factory)
    with asyncio.Runner() as runner:
        runner.run(use(pool))
        runner.run(reopen(pool))


def test_nothing_is_bound_before_it_is_opened(factory: Any) -> None:
    pool = ConnectionPool[Any](factory)

    async def early() -> None:
        assert (await pool.acquire()).is_err()

    asyncio.run(early())
    asyncio.run(refusing_nothing_at_all(pool))


async def refusing_nothing_at_all(pool: Any) -> None:
    async with pool, pool.connection():
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("loop_of", ["the parent", "its own"])
def test_a_forked_process_is_refused_even_in_the_same_event_loop(factory: Any, loop_of: str) -> None:
    pool = ConnectionPool[Any](factory, PoolConfig(min_size=1))
    with asyncio.Runner() as home:
        home.run(pool.open())
        lease = home.run(pool.acquire()).unwrap()

        def told(sender: Any) -> None:
            run = home.run if loop_of == "the parent" else asyncio.run
            refused = run(refusals(pool, lease))
            sender.send([(type(error).__name__, getattr(error, "message", "")) for error in refused])

        receiver, sender = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=told, args=(sender,))
        child.start()
        refused = receiver.recv()
        child.join()
        assert refused == [("PoolLoopError", "Pool was opened in another process, and is of no use in this one")] * 7
        home.run(refusing_nothing(pool, lease))
