"""Leases that are used twice, too late, or in the wrong pool."""

from typing import Any

import pytest

from infra_pool import PoolStats
from infra_protocols import PoolLeaseError


async def test_a_lease_is_good_once(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    lease = (await pool.acquire()).unwrap()
    assert pool.release(lease).is_ok()
    for again in (lease.release, lambda: pool.release(lease)):
        assert isinstance(again().unwrap_err(), PoolLeaseError)
    assert pool.stats() == PoolStats(idle=1, total=1)
    with pytest.raises(PoolLeaseError):
        _ = lease.connection


async def test_a_stale_lease_does_not_take_the_connection_from_whoever_has_it_now(make: Any, factory: Any) -> None:
    pool = await make(factory, max_size=1)
    old = (await pool.acquire()).unwrap()
    old.release().unwrap()
    new = (await pool.acquire()).unwrap()
    assert new.connection is factory.made[0]
    assert old.release().is_err()
    assert pool.stats() == PoolStats(in_use=1, total=1)
    assert new.release().is_ok()


async def test_a_lease_of_another_pool_is_refused_and_stays_good(make: Any, factory: Any) -> None:
    one, other = await make(factory), await make(factory)
    lease = (await one.acquire()).unwrap()
    refused = other.release(lease).unwrap_err()
    assert isinstance(refused, PoolLeaseError)
    assert "not of this pool" in refused.message
    assert other.release(object()).is_err()
    assert one.release(lease).is_ok()


async def test_what_a_closing_pool_has_taken_back_can_be_released_still(make: Any, factory: Any) -> None:
    pool = await make(factory)
    lease = (await pool.acquire()).unwrap()
    await pool.close(0)
    assert factory.open == []
    with pytest.raises(PoolLeaseError):
        _ = lease.connection
    assert lease.release().is_ok()
    assert lease.release().is_err()
    assert lease.info.state.value == "closed"
