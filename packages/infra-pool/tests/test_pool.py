"""Opening a pool, borrowing from it, and what it is told."""

import asyncio
from typing import Any

import pytest

from infra_pool import ConnectionPool, ConnectionPoolContext, PoolConfig, PoolLease, PoolStats
from infra_protocols import ConnectionPoolProtocol, PoolClosedError, ValidationError


async def test_it_is_the_pool_of_the_port(factory: Any) -> None:
    pool = ConnectionPool(factory)
    assert isinstance(pool, ConnectionPoolProtocol)
    assert isinstance(pool.connection(), ConnectionPoolContext)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"factory": object()}, "factory"),
        ({"config": {"max_size": 3}}, "config"),
        ({"name": " "}, "name"),
    ],
)
def test_bad_arguments_are_refused(factory: Any, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ConnectionPool(**{"factory": factory, **arguments})
    assert caught.value.field == field


async def test_nothing_is_made_before_it_is_needed(make: Any, factory: Any) -> None:
    pool = await make(factory)
    assert factory.calls.total() == 0
    async with pool.connection() as connection:
        assert connection is factory.made[0]
        assert pool.stats() == PoolStats(in_use=1, total=1)
    assert pool.stats() == PoolStats(idle=1, total=1)


async def test_opening_makes_the_least_that_there_must_be_all_at_once(make: Any, clock: Any, factory: Any) -> None:
    factory.delay["create"] = 1.0
    began = clock.monotonic()
    pool = await make(factory, min_size=3)
    assert clock.monotonic() - began == pytest.approx(1.0)
    assert pool.stats() == PoolStats(idle=3, total=3)


async def test_thousands_can_be_made_at_once(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=2_000, max_size=2_000)
    assert pool.stats() == PoolStats(idle=2_000, total=2_000)


async def test_an_opening_that_fails_is_tried_again_later(make: Any, factory: Any) -> None:
    factory.errors["create"] = ConnectionError("refused")
    pool = await make(factory, min_size=2)
    assert pool.stats() == PoolStats()
    del factory.errors["create"]
    await asyncio.sleep(1)
    assert pool.stats() == PoolStats(idle=2, total=2)


async def test_opening_again_does_nothing(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=1)
    await pool.open()
    assert factory.calls["create"] == 1


@pytest.mark.usefixtures("clock")
async def test_an_opening_that_is_cancelled_closes_the_pool(factory: Any) -> None:
    factory.delay["create"] = 5.0
    pool = ConnectionPool(factory, PoolConfig(min_size=2))
    opening = asyncio.create_task(pool.open())
    await asyncio.sleep(1)
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert len(asyncio.all_tasks()) == 1
    with pytest.raises(PoolClosedError):
        await pool.open()


async def test_a_pool_that_is_not_open_lends_nothing(factory: Any) -> None:
    pool = ConnectionPool(factory)
    refused = (await pool.acquire()).unwrap_err()
    assert isinstance(refused, PoolClosedError)
    assert refused.message == "Pool is not open"
    with pytest.raises(PoolClosedError, match="not open"):
        async with pool.connection():
            raise AssertionError
    with pytest.raises(PoolClosedError, match="not open"):
        pool.resize(1, 2)


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", True])
async def test_a_bad_timeout_is_refused_and_changes_nothing(make: Any, factory: Any, timeout: Any) -> None:
    pool = await make(factory, min_size=1)
    assert isinstance((await pool.acquire(timeout)).unwrap_err(), ValidationError)
    with pytest.raises(ValidationError):
        async with pool.connection(timeout):
            raise AssertionError
    with pytest.raises(ValidationError):
        await pool.close(timeout)
    assert pool.stats() == PoolStats(idle=1, total=1)


async def test_a_lease_says_which_connection_it_is_of(make: Any, clock: Any, factory: Any) -> None:
    pool = await make(factory)
    await asyncio.sleep(5)
    lease = (await pool.acquire()).unwrap()
    info = lease.info
    assert [type(lease)] == [PoolLease]
    assert (info.id, info.connection, info.state.value, info.use_count) == ("pool-1", factory.made[0], "in_use", 1)
    assert info.created_at == clock.now()
    await asyncio.sleep(3)
    assert lease.release().is_ok()
    await asyncio.sleep(2)
    assert (lease.info.state.value, info.state.value) == ("idle", "in_use"), "what was handed out is a copy"
    assert (clock.now() - lease.info.last_used_at).total_seconds() == pytest.approx(2)
    assert (clock.now() - lease.info.created_at).total_seconds() == pytest.approx(5)


async def test_the_connection_used_last_is_lent_first(make: Any, factory: Any) -> None:
    pool = await make(factory, min_size=3)
    leases = [(await pool.acquire()).unwrap() for _ in range(3)]
    for lease in (leases[1], leases[0], leases[2]):
        lease.release().unwrap()
    again = [(await pool.acquire()).unwrap().info.id for _ in range(3)]
    assert again == [lease.info.id for lease in (leases[2], leases[0], leases[1])]
