"""Those who wait: in which order they are served, for how long they wait, and how many may."""

import asyncio
import math
import random
from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import PoolExhaustedError, PoolTimeoutError


async def waiting(pool: Any, count: int, timeout: float | None = None) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(pool.acquire(timeout)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_they_are_served_in_the_order_in_which_they_came(make: Any, hold: Any, factory: Any) -> None:
    pool = await make(factory, max_size=2)
    served: list[int] = []

    async def borrow(number: int) -> None:
        async with pool.connection():
            served.append(number)
            await asyncio.sleep(random.random())

    await asyncio.gather(*(borrow(number) for number in range(50)))
    assert served == [*range(50)]
    assert factory.calls["create"] == 2


async def test_nobody_overtakes_those_who_wait(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    [first] = await waiting(pool, 1)
    lease.release().unwrap()
    assert pool.stats() == PoolStats(in_use=1, total=1), "it is the first one's before that has run again"
    hurried = await pool.acquire(0)
    assert isinstance(hurried.unwrap_err(), PoolTimeoutError)
    assert (await first).unwrap().connection is factory.made[0]


async def test_whoever_gives_back_and_borrows_again_goes_to_the_end_of_the_line(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    turns: list[str] = []

    async def borrow(name: str) -> None:
        for _ in range(3):
            async with pool.connection():
                turns.append(name)

    async with pool.connection():
        tasks = [asyncio.create_task(borrow(name)) for name in "abc"]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert "".join(turns) == "abcabcabc"


@pytest.mark.parametrize("timeout", [2.5, 1])
async def test_a_wait_ends_on_time(make: Any, clock: Any, factory: Any, timeout: float) -> None:
    pool = await make(factory, max_size=1)
    await pool.acquire()
    began = clock.monotonic()
    error = (await pool.acquire(timeout)).unwrap_err()
    assert isinstance(error, PoolTimeoutError)
    assert error.message == f"Acquire timeout after {timeout}s"
    assert error.parameters == {"pool": "pool", "total": 1, "waiting": 0}
    assert error.__cause__ is None
    assert clock.monotonic() - began == pytest.approx(timeout)


async def test_the_deadlines_of_many_are_their_own(make: Any, clock: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1, acquire_timeout=7.0)
    await pool.acquire()
    ended: list[tuple[float, float]] = []

    async def wait(timeout: float | None) -> None:
        began = clock.monotonic()
        assert (await pool.acquire(timeout)).is_err()
        ended.append((timeout or 7.0, clock.monotonic() - began))

    tasks: list[asyncio.Task[None]] = []
    for timeout in (5, 3, None, 8, 1, 3, 2):
        tasks.append(asyncio.create_task(wait(timeout)))
        await asyncio.sleep(0.25)
    await asyncio.wait(tasks)
    assert [given for given, _ in ended] == [1, 3, 2, 3, 5, 7, 8]
    assert all(took == pytest.approx(given) for given, took in ended)
    assert pool.stats().waiting == 0


async def test_one_deadline_covers_the_turn_and_the_making(make: Any, clock: Any, factory: Any) -> None:
    factory.delay["create"] = 3.0
    pool = await make(factory, max_size=1)
    began = clock.monotonic()
    assert isinstance((await pool.acquire(2)).unwrap_err(), PoolTimeoutError)
    assert clock.monotonic() - began == pytest.approx(2)
    assert (await pool.acquire(2)).is_ok(), "what was made meanwhile is the next one's"
    assert clock.monotonic() - began == pytest.approx(3)
    assert factory.calls["create"] == 1


@pytest.mark.parametrize("takes", [0.0, 1.0])
async def test_no_time_is_enough_for_what_is_idle(make: Any, factory: Any, takes: float) -> None:
    factory.delay["create"] = takes
    pool = await make(factory, max_size=5)
    for _ in range(3 if takes else 1):
        assert isinstance((await pool.acquire(0)).unwrap_err(), PoolTimeoutError)
    await asyncio.sleep(takes)
    assert (await pool.acquire(0)).is_ok(), "who cannot wait has caused one to be made for the next"
    assert factory.calls["create"] == 1


async def test_no_time_is_enough_for_what_is_idle_for_long(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=1, validation_interval=10.0)
    await asyncio.sleep(10)
    factory.delay["validate"] = 1.0
    assert isinstance((await pool.acquire(0)).unwrap_err(), PoolTimeoutError)
    await asyncio.sleep(1)
    assert (await pool.acquire(0)).is_ok()


async def test_a_wait_may_have_no_end(make: Any, clock: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    [task] = await waiting(pool, 1, math.inf)
    await asyncio.sleep(50_000)
    lease.release().unwrap()
    assert (await task).is_ok()


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_so_many_may_wait_and_no_more(make: Any, factory: Any, most: int) -> None:
    pool = await make(factory, max_size=1, max_waiting=most)
    lease = (await pool.acquire()).unwrap()
    tasks = await waiting(pool, most)
    for _ in range(2):
        assert isinstance((await pool.acquire()).unwrap_err(), PoolExhaustedError)
    assert pool.stats().waiting == most
    lease.release().unwrap()
    for task in tasks:
        (await task).unwrap().release().unwrap()


async def test_whoever_a_connection_can_be_made_for_is_not_turned_away(make: Any, factory: Any) -> None:
    factory.delay["create"] = 1.0
    pool = await make(factory, max_size=3, max_waiting=0)
    tasks = await waiting(pool, 4)
    outcomes = [await task for task in tasks]
    assert [outcome.is_ok() for outcome in outcomes] == [True, True, True, False]


async def test_in_an_outage_the_bound_holds(make: Any, factory: Any) -> None:
    factory.errors["create"] = ConnectionError("refused")
    pool = await make(factory, max_size=5, max_waiting=1)
    [task] = await waiting(pool, 1, 3.0)
    assert isinstance((await pool.acquire(3.0)).unwrap_err(), PoolExhaustedError)
    assert isinstance((await task).unwrap_err(), PoolTimeoutError)
