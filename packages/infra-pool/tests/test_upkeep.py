"""Connections that are too old, or idle for too long."""

import asyncio
import math
from typing import Any

import pytest

from infra_pool import PoolStats


async def use(pool: Any, count: int) -> None:
    leases = [(await pool.acquire()).unwrap() for _ in range(count)]
    for lease in leases:
        lease.release().unwrap()


async def test_what_is_idle_for_long_goes_down_to_the_least_that_there_must_be(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=2, max_size=5, max_idle_time=100.0, max_lifetime=math.inf)
    await use(pool, 5)
    await asyncio.sleep(99)
    await use(pool, 1)
    await asyncio.sleep(0.9)
    assert pool.stats().total == 5
    await asyncio.sleep(0.2)
    assert pool.stats() == PoolStats(idle=2, total=2)
    await asyncio.sleep(10_000)
    assert pool.stats() == PoolStats(idle=2, total=2)
    assert factory.calls["create"] == 5


async def test_one_that_comes_back_later_goes_later(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=2, max_idle_time=100.0)
    lease = (await pool.acquire()).unwrap()
    await use(pool, 1)
    await asyncio.sleep(60)
    lease.release().unwrap()
    await asyncio.sleep(60)
    assert pool.stats().total == 1
    await asyncio.sleep(39)
    assert pool.stats().total == 1
    await asyncio.sleep(2)
    assert pool.stats().total == 0


async def test_what_is_lent_is_left_alone_however_old(make: Any, factory: Any) -> None:
    pool = await make(factory, max_idle_time=10.0, max_lifetime=20.0)
    lease = (await pool.acquire()).unwrap()
    await asyncio.sleep(1_000)
    assert not factory.made[0].ended
    lease.release().unwrap()
    assert factory.made[0].ended


async def test_what_is_too_old_is_replaced(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=3, max_lifetime=100.0)
    await asyncio.sleep(89)
    assert factory.open == [1, 2, 3]
    await asyncio.sleep(12)
    assert factory.open == [4, 5, 6]
    assert pool.stats() == PoolStats(idle=3, total=3)


async def test_not_all_that_were_made_together_end_together(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=20, max_size=20, max_lifetime=1_000.0)
    await asyncio.sleep(950)
    assert 1 <= len([connection for connection in factory.made[:20] if connection.ended]) <= 19
    assert pool.stats().total == 20


async def test_a_replacement_does_not_wait_for_the_end_of_the_old_one(make: Any, factory: Any) -> None:
    factory.delay["destroy"] = 9.0
    pool = await make(factory, min_size=1, max_size=2, max_lifetime=50.0)
    await asyncio.sleep(50)
    assert pool.stats() == PoolStats(idle=1, unhealthy=1, total=2)


@pytest.mark.parametrize("max_size", [1, 2])
async def test_there_are_never_more_than_there_may_be(make: Any, factory: Any, max_size: int) -> None:
    factory.delay["destroy"] = factory.delay["create"] = 5.0
    pool = await make(factory, min_size=1, max_size=max_size, max_lifetime=30.0)
    for _ in range(200):
        await asyncio.sleep(1)
        stats = pool.stats()
        assert stats.total + stats.pending <= max_size
    assert factory.calls["create"] > 5


async def test_an_idle_pool_has_no_task_and_one_timer(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=5)
    await asyncio.sleep(1)
    assert len(asyncio.all_tasks()) == 1
    loop: Any = asyncio.get_running_loop()
    assert len(loop.pending_timers()) == 1
    assert pool.stats().idle == 5


async def test_where_nothing_ever_ends_there_is_no_timer(make: Any, factory: Any) -> None:
    await make(factory, min_size=1, max_idle_time=math.inf, max_lifetime=math.inf)
    loop: Any = asyncio.get_running_loop()
    assert not loop.pending_timers()


async def test_a_call_that_may_take_for_ever_has_no_timer(make: Any, factory: Any) -> None:
    factory.delay["create"] = 5.0
    pool = await make(factory, factory_timeout=math.inf, acquire_timeout=math.inf)
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    loop: Any = asyncio.get_running_loop()
    assert len(loop.pending_timers()) == 1, "that of the creation itself"
    assert (await task).is_ok()
