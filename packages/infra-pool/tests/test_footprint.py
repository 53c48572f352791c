"""What a pool takes when nobody uses it."""

import asyncio
import gc
import tracemalloc

from infra_pool import ConnectionPool, PoolConfig

POOLS = 50


class Objects:
    async def create(self) -> object:
        return object()

    async def destroy(self, connection: object) -> None: ...

    async def validate(self, connection: object) -> bool:
        return True


async def used(count: int) -> list[ConnectionPool[object]]:
    pools = [ConnectionPool(Objects(), PoolConfig(min_size=5)) for _ in range(count)]
    for pool in pools:
        await pool.open()
        async with pool.connection():
            pass
    return pools


async def test_an_idle_pool_takes_at_most_10_kib_and_no_task() -> None:
    first = await used(1)  # what is made once for all is not counted
    gc.collect()
    tracemalloc.start()
    pools = await used(POOLS)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / POOLS <= 10 * 1024
    assert len(asyncio.all_tasks()) == 1
    for pool in [*first, *pools]:
        await pool.close()
