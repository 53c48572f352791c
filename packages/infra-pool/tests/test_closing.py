"""Closing a pool, whatever it is doing."""

import asyncio
import math
from typing import Any

import pytest

from infra_pool import ConnectionPool, PoolConfig, PoolStats
from infra_protocols import PoolClosedError


async def test_leaving_the_pool_closes_it(factory: Any) -> None:
    async with ConnectionPool(factory) as pool, pool.connection():
        pass
    assert factory.open == []
    assert pool.stats() == PoolStats()
    assert isinstance((await pool.acquire()).unwrap_err(), PoolClosedError)
    with pytest.raises(PoolClosedError):
        await pool.open()


async def test_whoever_waits_is_told_at_once(make: Any, clock: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    closing = asyncio.create_task(pool.close())
    began = clock.monotonic()
    assert isinstance((await waiting).unwrap_err(), PoolClosedError)
    assert isinstance((await pool.acquire()).unwrap_err(), PoolClosedError)
    assert clock.monotonic() == began
    assert not closing.done()
    lease.release().unwrap()
    await closing


async def test_what_is_lent_is_waited_for(make: Any, clock: Any, factory: Any) -> None:
    pool = await make(factory, min_size=3)
    lease = (await pool.acquire()).unwrap()
    asyncio.get_running_loop().call_later(4, lease.release)
    began = clock.monotonic()
    await pool.close()
    assert clock.monotonic() - began == pytest.approx(4)
    assert factory.open == []


@pytest.mark.parametrize(("timeout", "given"), [(3.0, 3.0), (None, 7.0)])
async def test_it_is_waited_for_only_so_long(
    make: Any, clock: Any, factory: Any, timeout: float | None, given: float
) -> None:
    pool = await make(factory, close_timeout=7.0)
    lease = (await pool.acquire()).unwrap()
    began = clock.monotonic()
    await pool.close(timeout)
    assert clock.monotonic() - began == pytest.approx(given)
    assert factory.open == []
    assert pool.stats() == PoolStats()
    lease.release().unwrap()
    assert pool.stats() == PoolStats()


async def test_it_may_be_waited_for_without_end(make: Any, factory: Any) -> None:
    pool = await make(factory)
    lease = (await pool.acquire()).unwrap()
    closing = asyncio.create_task(pool.close(math.inf))
    await asyncio.sleep(50_000)
    assert not closing.done()
    lease.release().unwrap()
    await closing


async def test_a_block_that_goes_on_after_the_end_does_not_fail_when_it_is_left(make: Any, factory: Any) -> None:
    pool = await make(factory)
    async with pool.connection():
        await pool.close(0)
        assert factory.open == []
    assert pool.stats() == PoolStats()


async def test_what_is_handed_over_while_the_pool_is_forced_to_close_is_not_lent(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    lease.release().unwrap()  # the waiting one's from now on, which has not run yet
    await pool.close(0)
    assert isinstance((await waiting).unwrap_err(), PoolClosedError)


async def test_what_was_handed_over_just_before_is_waited_for(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    lease.release().unwrap()
    closing = asyncio.create_task(pool.close())
    (await waiting).unwrap().release().unwrap()
    await closing


@pytest.mark.parametrize("call", ["create", "validate", "reset", "destroy"])
async def test_calls_under_way_are_ended(
    make: Any, clock: Any, watchful: Any, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make(watchful, validation_interval=0.0, factory_timeout=5.0)
    if call != "create":
        lease = (await pool.acquire()).unwrap()
        lease.connection.alive = call != "destroy"
        watchful.delay[call] = 0.0 if call == "validate" else 1e6
        lease.release().unwrap()
    watchful.delay[call] = 1e6
    waiting = asyncio.create_task(pool.acquire()) if call in ("create", "validate") else None
    await asyncio.sleep(1)
    began = clock.monotonic()
    await pool.close()
    assert clock.monotonic() - began == pytest.approx(4 if call == "destroy" else 0)
    assert waiting is None or (await waiting).is_err()
    assert watchful.open == []
    assert len(asyncio.all_tasks()) == 1
    assert bool(caplog.records) == (call == "destroy"), "to be ended by a close is no failure"


async def test_what_comes_back_to_a_closing_pool_is_not_made_as_new(make: Any, clock: Any, watchful: Any) -> None:
    watchful.delay["reset"] = 5.0
    pool = await make(watchful)
    lease = (await pool.acquire()).unwrap()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(1)
    began = clock.monotonic()
    lease.release().unwrap()
    await closing
    assert clock.monotonic() == began
    assert watchful.calls["reset"] == 0


async def test_what_is_made_in_spite_of_that_is_destroyed(make: Any, factory: Any) -> None:
    async def stubborn() -> Any:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return await create()

    create, factory.create = factory.create, stubborn
    factory.delay["destroy"] = 1.0
    pool = await make(factory)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1)
    await pool.close()
    assert (await waiting).is_err()
    assert factory.calls == {"create": 1, "destroy": 1}


async def test_a_close_that_is_cancelled_does_no_less(make: Any, factory: Any) -> None:
    factory.delay["destroy"] = 0.5
    pool = await make(factory, min_size=2)
    await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(1)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert pool.stats() == PoolStats()
    assert len(asyncio.all_tasks()) == 1


async def test_closing_again_does_nothing_but_wait(make: Any, factory: Any) -> None:
    pool = await make(factory)
    lease = (await pool.acquire()).unwrap()
    first = asyncio.create_task(pool.close())
    await asyncio.sleep(1)
    second = asyncio.create_task(pool.close())
    await asyncio.sleep(1)
    assert not second.done()
    lease.release().unwrap()
    await asyncio.wait([first, second])
    await pool.close()
    assert factory.calls["destroy"] == 1


async def test_a_pool_that_never_opened_can_be_closed(factory: Any) -> None:
    pool = ConnectionPool(factory)
    await pool.close()
    with pytest.raises(PoolClosedError):
        await pool.open()


@pytest.mark.usefixtures("clock")
async def test_a_pool_closed_while_it_opens_does_not_open(factory: Any) -> None:
    factory.delay["create"] = 5.0
    pool = ConnectionPool(factory, PoolConfig(min_size=1))
    opening = asyncio.create_task(pool.open())
    await asyncio.sleep(1)
    await pool.close()
    with pytest.raises(PoolClosedError):
        await opening
