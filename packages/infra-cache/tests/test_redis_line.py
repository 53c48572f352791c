"""The line to Redis when a server has gone and come back, when callers leave, and when its keys are spread."""

import asyncio
from collections.abc import Generator
from typing import Any, cast

import pytest
from redis.asyncio.cluster import RedisCluster as ClusterClient

from infra_cache.redis import RedisCacheProvider
from infra_conformance.engines import provided
from infra_conformance.servers import RedisCluster, RedisServer


@pytest.fixture(scope="module")
def cluster() -> Generator[RedisCluster]:
    with provided(RedisCluster()) as cluster:
        yield cluster


async def test_the_first_call_after_a_restart_is_answered() -> None:
    with provided(RedisServer()) as server:
        async with RedisCacheProvider.from_url(server.url, int, "test") as cache:
            await cache.set("key", 1)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await cache.set("other", 2)  # which is not tried again, as reads are
            assert await cache.get_many(["key", "other"]) == {"other": 2}
            assert cache.stats().errors == 0


@pytest.mark.parametrize("call", ["set_many", "delete_many"])
async def test_what_was_not_sent_when_its_caller_left_is_not_sent(redises: Any, call: str) -> None:
    cache = await redises.cache(tags=False)
    await cache.set("there", 1)
    trips = 0
    exchange = cache._line._link.exchange

    async def counted(commands: Any) -> list[Any]:
        nonlocal trips
        trips += 1
        replies: list[Any] = await exchange(commands)
        return replies

    cache._line._link.exchange = counted
    before = asyncio.create_task(cache.get("there"))
    while not trips:  # noqa: ASYNC110
        await asyncio.sleep(0)
    argument = {"new": 1, "newer": 2} if call == "set_many" else ["absent", "there"]
    doomed = asyncio.create_task(getattr(cache, call)(argument))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await before == 1
    assert await cache.get_many(["there", "new", "newer"]) == {"there": 1}


async def test_where_keys_are_spread_what_is_kept_beyond_its_end_is_seen_until_then(cluster: RedisCluster) -> None:
    async def load() -> int:
        return 1

    client = cast("Any", ClusterClient).from_url(cluster.url)
    names = [f"key {number}" for number in range(10)]
    try:
        async with RedisCacheProvider[int](client, int, "test", tags=False, one_loader=True) as cache:
            for name in names:
                await cache.get_or_set(name, load, 60, stale=60)
            assert await asyncio.gather(*(cache.get(name) for name in names)) == [1] * 10
            assert await cache.get_many(names) == dict.fromkeys(names, 1)
            found = await asyncio.gather(*(cache.fetch(name) for name in names))
            assert all(each is not None and 0 < each.left <= 60 for each in found)
            await cache.clear()
    finally:
        await client.aclose()
