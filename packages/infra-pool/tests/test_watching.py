"""What is measured, and what is told of connections that do not come back."""

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from infra_pool import PoolMetric


def told(records: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.name == "infra_pool"]


async def test_a_meter_is_told_of_each_borrow(make: Any, factory: Any) -> None:
    factory.delay["create"] = 2.0
    measured: list[tuple[PoolMetric, float]] = []

    def meter(metric: PoolMetric, value: float) -> None:
        measured.append((metric, round(value, 6)))

    pool = await make(factory, meter=meter, max_size=1)
    async with pool.connection():
        waiting = asyncio.create_task(pool.acquire())
        assert (await pool.acquire(1)).is_err()
        await asyncio.sleep(4)
    (await waiting).unwrap().release().unwrap()
    (await pool.acquire()).unwrap().release().unwrap()
    assert measured == [
        (PoolMetric.CREATE_TIME, 2.0),
        (PoolMetric.WAIT_TIME, 2.0),
        (PoolMetric.TIMEOUTS, 1),
        (PoolMetric.USE_TIME, 5.0),
        (PoolMetric.WAIT_TIME, 5.0),
        (PoolMetric.USE_TIME, 0.0),
        (PoolMetric.WAIT_TIME, 0.0),
        (PoolMetric.USE_TIME, 0.0),
    ]


async def test_what_a_meter_raises_is_logged_and_harms_nobody(
    make: Any, factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(metric: PoolMetric, value: float) -> None:
        raise KeyError(metric)

    pool = await make(factory, meter=broken)
    async with pool.connection():
        pass
    assert told(caplog.records)[-1] == "Pool pool: the meter failed on db.client.connection.use_time"
    assert len(caplog.records) == 3


async def forgets(pool: Any) -> Any:
    return (await pool.acquire()).unwrap()


@pytest.mark.parametrize("waits", [False, True])
async def test_a_leak_is_told_once_with_the_place_of_its_borrow(
    make: Any, factory: Any, caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    pool = await make(factory, min_size=1, max_size=1, leak_after=10.0)
    first = await forgets(pool)
    if waits:
        borrowing = asyncio.create_task(forgets(pool))
        await asyncio.sleep(5)
        first.release().unwrap()
        first = await borrowing
    await asyncio.sleep(9.9)
    assert not told(caplog.records)
    await asyncio.sleep(100)
    [leak] = told(caplog.records)
    head, *stack = leak.splitlines()
    assert head == "Pool pool: connection pool-1 has been out for 10.0s; it was borrowed here:"
    assert "in forgets" in stack[-2 if "^" not in stack[-1] else -3]
    assert "(await pool.acquire()).unwrap()" in leak
    assert first.release().is_ok()


async def test_what_comes_back_in_time_is_no_leak(make: Any, factory: Any, caplog: pytest.LogCaptureFixture) -> None:
    pool = await make(factory, leak_after=10.0)
    for _ in range(3):
        async with pool.connection():
            await asyncio.sleep(9)
    await asyncio.sleep(100)
    assert not told(caplog.records)


async def test_a_leak_does_not_keep_what_the_borrower_has_in_its_hands(make: Any, factory: Any) -> None:
    class Thing: ...

    pool = await make(factory, leak_after=10.0)

    async def borrow() -> tuple[Any, Any]:
        thing = Thing()
        return (await pool.acquire()).unwrap(), weakref.ref(thing)

    lease, thing = await borrow()
    gc.collect()
    assert thing() is None
    lease.release().unwrap()
