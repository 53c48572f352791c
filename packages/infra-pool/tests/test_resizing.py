"""Changing the bounds of a pool that is in use."""

import asyncio
from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import PoolClosedError, ValidationError


async def test_more_room_is_for_those_who_wait(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await asyncio.sleep(1)
    pool.resize(0, 3)
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, False]
    assert pool.stats() == PoolStats(in_use=3, total=3, waiting=1)
    waiting[2].cancel()


async def test_a_larger_least_is_made_at_once(make: Any, factory: Any) -> None:
    pool = await make(factory)
    pool.resize(4, 5)
    assert pool.stats() == PoolStats(idle=4, total=4)


async def test_what_is_idle_goes_at_once_and_what_is_lent_when_it_comes_back(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=5)
    leases = [(await pool.acquire()).unwrap() for _ in range(5)]
    leases.pop().release().unwrap()
    pool.resize(0, 2)
    assert pool.stats() == PoolStats(in_use=4, total=4)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    for left in (3, 2):
        leases.pop().release().unwrap()
        assert pool.stats() == PoolStats(in_use=left, total=left, waiting=1)
    leases.pop().release().unwrap()
    assert (await waiting).is_ok()
    assert pool.stats() == PoolStats(in_use=2, total=2)
    pool.resize(0, 5)
    assert (await pool.acquire()).is_ok()


async def test_what_is_being_made_beyond_the_new_bound_goes_when_it_is_there(make: Any, factory: Any) -> None:
    factory.delay["create"] = 2.0
    pool = await make(factory, max_size=3)
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await asyncio.sleep(1)
    pool.resize(0, 1)
    await asyncio.sleep(2)
    assert pool.stats() == PoolStats(in_use=1, total=1, waiting=2)
    for task in waiting:
        (await task).unwrap().release().unwrap()
    assert pool.stats() == PoolStats(idle=1, total=1)


async def test_a_smaller_least_lets_go_of_what_is_idle_for_long(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=3, max_idle_time=100.0)
    await asyncio.sleep(90)
    pool.resize(1, 5)
    await asyncio.sleep(11)
    assert pool.stats() == PoolStats(idle=1, total=1)


@pytest.mark.parametrize("bounds", [(3, 2), (-1, 2), (0, 0), (0, 1.5), ("0", 1)])
async def test_bounds_that_cannot_be_are_refused_and_change_nothing(make: Any, factory: Any, bounds: Any) -> None:
    pool = await make(factory, min_size=2, max_size=2)
    with pytest.raises(ValidationError):
        pool.resize(*bounds)
    assert pool.stats() == PoolStats(idle=2, total=2)
    assert (await pool.acquire()).is_ok()


async def test_a_closed_pool_has_no_bounds(make: Any, factory: Any) -> None:
    pool = await make(factory)
    await pool.close()
    with pytest.raises(PoolClosedError):
        pool.resize(0, 1)
