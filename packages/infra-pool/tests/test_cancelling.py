"""Borrowers that are cancelled, at whatever moment."""

import asyncio
from typing import Any

import pytest

from infra_pool import PoolStats


async def borrower(pool: Any) -> asyncio.Task[Any]:
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    return task


async def test_whoever_is_cancelled_leaves_the_line(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    first, second, third = [await borrower(pool) for _ in range(3)]
    second.cancel()
    await asyncio.wait([second])
    assert second.cancelled()
    assert pool.stats().waiting == 2
    lease.release().unwrap()
    (await first).unwrap().release().unwrap()
    assert (await third).is_ok()


async def test_what_was_handed_to_a_cancelled_borrower_goes_to_the_next_at_once(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    first, second, third = [await borrower(pool) for _ in range(3)]
    lease.release().unwrap()  # it is the first one's now
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert pool.stats() == PoolStats(in_use=1, total=1, waiting=1)
    got = (await second).unwrap()
    assert not third.done()
    assert got.info.use_count == 2, "the one who was cancelled did not use it"
    got.release().unwrap()
    (await third).unwrap().release().unwrap()
    assert factory.calls["create"] == 1


async def test_one_cancelled_in_the_turn_of_a_release_is_passed_over(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    first, second = [await borrower(pool) for _ in range(2)]
    first.cancel()  # it has not run since
    lease.release().unwrap()
    assert (await second).is_ok()
    assert first.cancelled()


async def test_a_storm_of_cancels_takes_no_connection_along(make: Any, factory: Any) -> None:
    factory.delay["create"] = 0.5
    pool = await make(factory, max_size=3)
    for _ in range(20):
        tasks = [await borrower(pool) for _ in range(10)]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                outcome.unwrap().release().unwrap()
    await asyncio.sleep(1)
    assert pool.stats() == PoolStats(idle=3, total=3)
    assert factory.calls["create"] == 3


async def test_a_creation_goes_on_when_whoever_caused_it_is_cancelled(make: Any, factory: Any) -> None:
    factory.delay["create"] = 2.0
    pool = await make(factory, max_size=1)
    first, second = await borrower(pool), await borrower(pool)
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.sleep(0)
    assert pool.stats() == PoolStats(pending=1, waiting=1)
    assert (await second).is_ok()
    assert factory.calls["create"] == 1


async def test_a_borrow_that_is_thrown_away_loses_nothing(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    waiting = pool.acquire()
    waiting.send(None)
    lease.release().unwrap()
    waiting.close()  # as when its event loop goes away
    assert pool.stats() == PoolStats(idle=1, total=1)


@pytest.mark.parametrize("call", ["validate", "reset"])
async def test_a_cancelled_borrower_does_not_stop_what_is_done_for_the_next(
    make: Any, watchful: Any, call: str
) -> None:
    watchful.delay[call] = 2.0
    pool = await make(watchful, max_size=1, validation_interval=0.0 if call == "validate" else 60.0)
    (await pool.acquire()).unwrap().release().unwrap()
    first, second = await borrower(pool), await borrower(pool)
    await asyncio.sleep(1)
    assert pool.stats() == PoolStats(unhealthy=1, total=1, waiting=2)
    first.cancel()
    assert (await second).is_ok()
    assert watchful.calls[call] == 1
