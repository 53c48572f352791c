"""While no connection can be made."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import PoolTimeoutError

REFUSED = ConnectionError("refused")


async def test_a_failed_creation_fails_no_borrower(make: Any, clock: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory, max_size=1)
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(5)
    assert not task.done()
    del factory.errors["create"]
    assert (await task).is_ok()


async def test_who_waits_until_the_end_is_told_why(make: Any, clock: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory)
    began = clock.monotonic()
    error = (await pool.acquire(3)).unwrap_err()
    assert isinstance(error, PoolTimeoutError)
    assert error.__cause__ is REFUSED
    assert clock.monotonic() - began == pytest.approx(3)
    with pytest.raises(PoolTimeoutError) as caught:
        async with pool.connection(timeout=0.1):
            raise AssertionError
    assert caught.value.__cause__ is REFUSED


async def test_there_is_no_cause_once_connections_can_be_made_again(make: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory, max_size=1)
    assert (await pool.acquire(1)).unwrap_err().__cause__ is REFUSED
    del factory.errors["create"]
    assert (await pool.acquire()).is_ok()
    assert (await pool.acquire(1)).unwrap_err().__cause__ is None


async def test_a_creation_that_hangs_is_given_up(make: Any, factory: Any) -> None:
    factory.delay["create"] = 1e6
    pool = await make(factory, max_size=1, factory_timeout=2.0)
    error = (await pool.acquire(5)).unwrap_err()
    assert isinstance(error.__cause__, TimeoutError)
    assert str(error.__cause__) == "create took longer than 2.0s"
    del factory.delay["create"]
    assert (await pool.acquire(3)).is_ok()


async def test_a_creation_that_hangs_holds_nobody_up_while_there_is_room(make: Any, factory: Any) -> None:
    factory.delay["create"] = 1e6
    pool = await make(factory, max_size=2)
    stuck = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0.1)
    del factory.delay["create"]
    later = asyncio.create_task(pool.acquire())
    assert (await stuck).is_ok(), "the first connection is the first one's, whoever it was made for"
    later.cancel()


@pytest.mark.parametrize("takes", [0.0, 0.003])
@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("lasts", [0.5, 2.0, 30.0])
async def test_attempts_are_few_and_the_end_is_noticed_soon(
    make: Any, clock: Any, watchful: Any, takes: float, cold: bool, lasts: float
) -> None:
    pool = await make(watchful, min_size=0 if cold else 10, max_size=10, acquire_timeout=100.0)
    watchful.delay["create"] = takes
    watchful.errors["create"] = REFUSED
    for connection in watchful.made:
        connection.alive = False
    watchful.calls.clear()
    served: list[float] = []

    async def borrow() -> None:
        async with pool.connection():
            served.append(clock.monotonic())

    tasks = [asyncio.create_task(borrow()) for _ in range(100)]
    await asyncio.sleep(lasts)
    assert watchful.calls["create"] <= (15 if lasts == 0.5 else 45)
    del watchful.errors["create"]
    over = clock.monotonic()
    await asyncio.gather(*tasks)
    assert min(served) - over < max(0.2, 0.3 * lasts)


async def test_one_at_a_time_is_tried_until_one_succeeds(make: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    factory.delay["create"] = 0.4
    pool = await make(factory, max_size=5, acquire_timeout=60.0)
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(5)]
    await asyncio.sleep(0.5)
    assert factory.most_running == 5
    factory.most_running = 0
    await asyncio.sleep(10)
    assert factory.most_running == 1
    del factory.errors["create"]
    await asyncio.wait(tasks)
    assert factory.most_running == 4
    assert pool.stats() == PoolStats(in_use=5, total=5)


async def test_attempts_that_were_under_way_together_count_once(make: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory, max_size=20, backoff=1.0)
    tasks: list[asyncio.Task[Any]] = []
    for delay in (0.1, 0.6):
        factory.delay["create"] = delay
        tasks += [asyncio.create_task(pool.acquire()) for _ in range(10)]
        await asyncio.sleep(0)
    factory.delay["create"] = 0.0
    await asyncio.sleep(1.15)
    assert factory.calls["create"] == 21, "a second after the first failure, not after the last"
    for task in tasks:
        task.cancel()


async def test_pools_that_failed_together_do_not_try_again_together(make: Any, clock: Any) -> None:
    attempts: list[list[float]] = []

    def failing() -> Any:
        times: list[float] = []
        attempts.append(times)

        async def create() -> Any:
            times.append(clock.monotonic())
            raise REFUSED

        return SimpleNamespace(create=create, validate=create, destroy=create, open=[])

    tasks = [asyncio.create_task((await make(failing(), backoff=3.0)).acquire()) for _ in range(20)]
    await asyncio.sleep(3.5)
    waits = [second - first for first, second in attempts]
    assert 2.0 <= min(waits) < 2.5 < max(waits) <= 3.0
    for task in tasks:
        task.cancel()


async def test_the_longest_wait_is_bounded(make: Any, clock: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory, acquire_timeout=5_000.0, backoff=0.5, max_backoff=2.0)
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(1_000)
    seen = factory.calls["create"]
    await asyncio.sleep(100)
    assert 50 <= factory.calls["create"] - seen <= 75
    task.cancel()


async def test_nothing_is_tried_when_nobody_waits(make: Any, factory: Any) -> None:
    factory.errors["create"] = REFUSED
    pool = await make(factory)
    assert (await pool.acquire(1)).is_err()
    seen = factory.calls["create"]
    await asyncio.sleep(1_000)
    assert factory.calls["create"] <= seen + 1


async def test_a_creation_that_cancels_itself_has_failed(make: Any, factory: Any) -> None:
    factory.errors["create"] = asyncio.CancelledError()
    pool = await make(factory, max_size=1)
    error = (await pool.acquire(1)).unwrap_err()
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert factory.calls["create"] <= 10
    del factory.errors["create"]
    assert (await pool.acquire()).is_ok()


async def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(
    make: Any, factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="infra_pool")
    factory.errors["create"] = REFUSED
    pool = await make(factory, max_size=5)
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(5)]
    await asyncio.sleep(2)
    assert [(each.levelname, each.exc_info is not None) for each in caplog.records] == [("WARNING", True)]
    del factory.errors["create"]
    await asyncio.wait(tasks)
    began, over = caplog.records
    assert began.getMessage().startswith("Pool pool: no connection could be made")
    assert over.levelname == "INFO"
    assert over.getMessage().startswith("Pool pool: a connection could be made again, after 2.")
