"""What is dead is not lent, and what died is replaced."""

import asyncio
from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import correlation_id


async def test_whoever_borrows_after_all_died_gets_a_new_one(make: Any, watchful: Any) -> None:
    pool = await make(watchful, min_size=5, max_size=5)
    for connection in watchful.made:
        connection.alive = False
    for _ in range(10):
        async with pool.connection() as connection:
            assert connection.alive
    assert watchful.open == [6, 7, 8, 9, 10]
    assert pool.stats() == PoolStats(idle=5, total=5)


async def test_the_dead_are_passed_over(make: Any, watchful: Any) -> None:
    pool = await make(watchful)
    leases = [(await pool.acquire()).unwrap() for _ in range(3)]
    for lease in leases:
        lease.release().unwrap()
    watchful.made[0].alive = watchful.made[2].alive = False
    watchful.delay["destroy"] = 5.0
    async with pool.connection(timeout=0) as connection:
        assert connection is watchful.made[1]
        assert pool.stats() == PoolStats(in_use=1, unhealthy=2, total=3)


async def test_what_died_while_it_was_lent_goes_when_it_comes_back(make: Any, watchful: Any) -> None:
    pool = await make(watchful, max_size=1)
    async with pool.connection() as connection:
        waiting = asyncio.create_task(pool.acquire())
        await asyncio.sleep(1)
        connection.alive = False
    assert (await waiting).unwrap().connection is watchful.made[1]
    assert watchful.open == [2]
    assert watchful.calls["reset"] == 0


@pytest.mark.parametrize("call", ["reset", "validate"])
async def test_what_dies_while_it_is_looked_after_goes(make: Any, watchful: Any, call: str) -> None:
    watchful.delay[call] = 1.0
    pool = await make(watchful, max_size=1, validation_interval=0.0 if call == "validate" else 60.0)
    (await pool.acquire()).unwrap().release().unwrap()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0.5)
    watchful.made[0].alive = False
    assert (await waiting).unwrap().connection is watchful.made[1]


async def test_a_check_that_fails_counts_as_dead(make: Any, watchful: Any, caplog: pytest.LogCaptureFixture) -> None:
    pool = await make(watchful, min_size=1)
    watchful.errors["is_alive"] = OSError("bad file descriptor")
    async with pool.connection() as connection:
        assert connection is watchful.made[1], "one that is new is not asked"
        del watchful.errors["is_alive"]
    assert "is_alive of connection pool-1 failed" in caplog.text


@pytest.mark.parametrize(("idle", "validated"), [(9.9, 0), (10.0, 1)])
async def test_it_is_validated_when_it_was_idle_for_long(make: Any, factory: Any, idle: float, validated: int) -> None:
    pool = await make(factory, min_size=1, validation_interval=10.0)
    await asyncio.sleep(idle)
    async with pool.connection() as connection:
        assert connection is factory.made[0]
    assert factory.calls["validate"] == validated


@pytest.mark.parametrize("how", ["unsound", "raises", "hangs"])
async def test_what_is_not_sound_is_replaced_and_the_borrower_does_not_notice(
    make: Any, factory: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make(factory, min_size=2, max_size=2, validation_interval=10.0, factory_timeout=3.0)
    await asyncio.sleep(10)
    match how:
        case "unsound":
            factory.sound = False
        case "raises":
            factory.errors["validate"] = OSError("broken pipe")
        case _:
            factory.delay["validate"] = 1e6
    lease = (await pool.acquire()).unwrap()
    assert lease.connection.number > 2
    assert ("validate of connection pool-2 failed" in caplog.text) == (how != "unsound")


async def test_each_loan_is_validated_if_so_wanted_that_of_what_just_came_back_too(make: Any, watchful: Any) -> None:
    pool = await make(watchful, max_size=1, validation_interval=0.0)
    lease = (await pool.acquire()).unwrap()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    lease.release().unwrap()
    for count, task in enumerate(waiting, start=1):
        lease = (await task).unwrap()
        assert watchful.calls["validate"] == count
        assert watchful.calls["reset"] == count
        lease.release().unwrap()
    assert watchful.calls["create"] == 1


async def test_several_are_validated_at_a_time(make: Any, clock: Any, factory: Any) -> None:
    factory.delay["validate"] = 1.0
    pool = await make(factory, min_size=3, max_size=3, validation_interval=0.0)
    began = clock.monotonic()
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert pool.stats() == PoolStats(unhealthy=3, total=3, waiting=3)
    await asyncio.wait(tasks)
    assert clock.monotonic() - began == pytest.approx(1.0)


async def test_it_is_made_as_new_before_the_next_borrower_gets_it(make: Any, watchful: Any) -> None:
    watchful.delay["reset"] = 2.0
    pool = await make(watchful, max_size=1)
    (await pool.acquire()).unwrap().release().unwrap()
    assert pool.stats() == PoolStats(unhealthy=1, total=1)
    assert (await pool.acquire(1)).is_err()
    assert (await pool.acquire(2)).unwrap().connection is watchful.made[0]
    assert watchful.calls["create"] == 1


@pytest.mark.parametrize("how", ["raises", "hangs"])
async def test_what_cannot_be_made_as_new_is_replaced(
    make: Any, watchful: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make(watchful, max_size=1, factory_timeout=3.0)
    lease = (await pool.acquire()).unwrap()
    if how == "raises":
        watchful.errors["reset"] = OSError("broken pipe")
    else:
        watchful.delay["reset"] = 1e6
    lease.release().unwrap()
    assert (await pool.acquire(4)).unwrap().connection is watchful.made[1]
    assert lease.info.health_check_failures == 1
    assert "reset of connection pool-1 failed" in caplog.text


@pytest.mark.parametrize("how", ["raises", "hangs"])
async def test_what_cannot_be_destroyed_takes_no_room(
    make: Any, watchful: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make(watchful, max_size=1, factory_timeout=3.0)
    if how == "raises":
        watchful.errors["destroy"] = OSError("broken pipe")
    else:
        watchful.delay["destroy"] = 1e6
    async with pool.connection() as connection:
        connection.alive = False
    assert (await pool.acquire(4)).is_ok()
    assert pool.stats() == PoolStats(in_use=1, total=1)
    assert "destroy of connection pool-1 failed" in caplog.text
    watchful.delay.clear()


async def test_a_call_sees_nothing_of_the_context_of_the_borrower_that_caused_it(make: Any, factory: Any) -> None:
    seen: list[str | None] = []
    create = factory.create

    async def noting() -> Any:
        seen.append(correlation_id.get())
        return await create()

    factory.create = noting
    pool = await make(factory)
    token = correlation_id.set("request-1")
    async with pool.connection():
        pass
    correlation_id.reset(token)
    assert seen == [None]
