"""Borrowing by `async with`."""

import asyncio
from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import PoolLeaseError, PoolTimeoutError


async def test_the_connection_comes_back_however_the_block_ends(make: Any, watchful: Any) -> None:
    pool = await make(watchful, max_size=1)
    with pytest.raises(KeyError):
        async with pool.connection():
            raise KeyError
    assert pool.stats() == PoolStats(idle=1, total=1)

    async def stay() -> None:
        async with pool.connection():
            await asyncio.sleep(10)

    task = asyncio.create_task(stay())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert pool.stats() == PoolStats(idle=1, total=1)
    assert watchful.calls["reset"] == 2, "a reply half read must not be the next borrower's"


async def test_one_can_be_entered_again_but_not_twice_at_once(make: Any, factory: Any) -> None:
    pool = await make(factory)
    borrow = pool.connection()
    for _ in range(2):
        async with borrow as connection:
            assert connection is factory.made[0]
            with pytest.raises(PoolLeaseError):
                await borrow.__aenter__()
            assert pool.stats().in_use == 1
    await borrow.__aexit__(None, None, None)
    assert pool.stats() == PoolStats(idle=2, total=2)


async def test_two_tasks_that_wait_in_one_lose_nothing(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=2)
    held = [(await pool.acquire()).unwrap() for _ in range(2)]
    borrow = pool.connection()
    entering = [asyncio.create_task(borrow.__aenter__()) for _ in range(2)]
    await asyncio.sleep(1)
    for lease in held:
        lease.release().unwrap()
    await asyncio.wait(entering)
    assert entering[0].exception() is None
    assert isinstance(entering[1].exception(), PoolLeaseError)
    await borrow.__aexit__(None, None, None)
    assert pool.stats() == PoolStats(idle=2, total=2)


async def test_what_acquire_returns_entering_raises(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    async with pool.connection():
        with pytest.raises(PoolTimeoutError):
            async with pool.connection(timeout=1):
                raise AssertionError
