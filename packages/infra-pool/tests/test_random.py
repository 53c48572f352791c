"""Anything at any time: whatever is cancelled, fails or is slow, nothing is lost in the end."""

import asyncio
import random
from typing import Any

import pytest

from infra_pool import PoolStats


async def client(pool: Any, rng: random.Random, factory: Any, rounds: int, lent: set[int]) -> None:
    async def use() -> None:
        async with pool.connection(rng.choice([None, 0, 0.01, 1.0])) as connection:
            assert connection.number not in lent, "lent twice"
            lent.add(connection.number)
            try:
                await asyncio.sleep(rng.choice([0, 0, 0.001, 0.1]))
                connection.alive = rng.random() > 0.1
                if rng.random() < 0.1:
                    raise KeyError
            finally:
                lent.discard(connection.number)

    for _ in range(rounds):
        task = asyncio.create_task(use())
        if rng.random() < 0.4:
            await asyncio.sleep(rng.choice([0, 0, 0.001, 0.05]))
            task.cancel()
        await asyncio.wait([task])
        stats = pool.stats()
        assert stats.total + stats.pending <= 5
        await asyncio.sleep(rng.choice([0, 0.01]))


async def disturb(factory: Any, rng: random.Random, stop: asyncio.Event) -> None:
    calls = ["create", "destroy", "validate", "reset"]
    while not stop.is_set():
        factory.delay = {call: rng.choice([0.0, 0.001, 0.05, 50.0]) for call in rng.sample(calls, 2)}
        factory.errors = {call: OSError(call) for call in rng.sample(calls, rng.choice([0, 0, 1]))}
        factory.sound = rng.random() > 0.2
        await asyncio.sleep(rng.choice([0.001, 0.05, 1.0]))
    factory.delay.clear()
    factory.errors.clear()
    factory.sound = True


@pytest.mark.parametrize("seed", range(10))
async def test_nothing_is_lost(make: Any, watchful: Any, seed: int) -> None:
    rng = random.Random(seed)
    pool = await make(
        watchful,
        max_size=5,
        acquire_timeout=2.0,
        factory_timeout=0.5,
        validation_interval=rng.choice([0.0, 0.02]),
        max_lifetime=rng.choice([0.5, 1000.0]),
        max_idle_time=rng.choice([0.05, 1000.0]),
    )
    stop, lent = asyncio.Event(), set[int]()
    disturbing = asyncio.create_task(disturb(watchful, rng, stop))
    await asyncio.gather(*(client(pool, rng, watchful, 30, lent) for _ in range(15)))
    stop.set()
    await disturbing
    await asyncio.sleep(2)
    leases = [(await pool.acquire()).unwrap() for _ in range(5)]
    assert pool.stats() == PoolStats(in_use=5, total=5)
    assert (await pool.acquire(0.1)).is_err()
    for lease in leases:
        lease.release().unwrap()
    assert sorted(watchful.open) == sorted(lease.info.connection.number for lease in leases)
