"""Memory in front of Redis: filled by reads, and never with what has changed meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from infra_protocols import CacheKey, CacheTypeError


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Gate:
    """Holds replies to a tiered cache's reads up, after Redis has answered."""

    def __init__(self, cache: Any) -> None:
        remote = cache._remote
        fetch = remote.fetch
        self.answered = asyncio.Event()
        self.open = asyncio.Event()
        self.asked = 0

        async def held(key: Any) -> Any:
            self.asked += 1
            found = await fetch(key)
            self.answered.set()
            await self.open.wait()
            return found

        remote.fetch = held


async def in_memory(cache: Any, name: str) -> Any:
    return await cache._local.get(name)


async def told(cache: Any) -> None:
    """Wait until all that was done so far has been told: what is told of a marker comes after it."""
    marker = uuid4().hex
    await cache._remote.set(marker, 0)
    await cache.get(marker)
    assert await in_memory(cache, marker) == 0
    await cache._remote.delete(marker)
    await until(lambda: _gone(cache, marker))


async def _gone(cache: Any, name: str) -> bool:
    return await in_memory(cache, name) is None


async def test_what_was_read_once_is_answered_from_memory(redises: Any) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set_many({"a": 1, "b": 2})
    gate = Gate(cache)
    gate.open.set()

    async def load() -> int:
        raise AssertionError

    for _ in range(3):
        assert await cache.get("a") == 1
        assert await cache.get_or_set("a", load) == 1
        assert await cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    assert gate.asked == 2 + 3  # a, b, and each time c, which is not there
    stats = cache.stats()
    assert (stats.hits, stats.misses) == (12, 3)


CHANGES: dict[str, Callable[[Any], Awaitable[object]]] = {
    "set": lambda cache: cache.set("key", 2),
    "set_with_tags": lambda cache: cache.set_with_tags("key", 2, ["blue"]),
    "set_many": lambda cache: cache.set_many({"key": 2}),
    "delete": lambda cache: cache.delete("key"),
    "delete_many": lambda cache: cache.delete_many(["key"]),
    "invalidate_by_tag": lambda cache: cache.invalidate_by_tag("red"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_somebody_else_changes_is_told(redises: Any, change: str) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set_with_tags("key", 1, ["red"])
    assert await cache.get("key") == 1
    assert await in_memory(cache, "key") == 1
    await CHANGES[change](other)
    await until(lambda: _gone(cache, "key"))
    assert await cache.get("key") == (2 if "set" in change else None)


async def test_what_expires_or_is_flushed_is_told_too(redises: Any) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set("key", 1, ttl=60)
    assert await cache.get("key") == 1
    await redises.client.pexpire(other.names.entry("key"), 1)
    await until(lambda: _gone(cache, "key"))


@pytest.mark.parametrize("mine", [True, False], ids=["own", "of another"])
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_that_overtakes_a_reply_blocks_the_fill(redises: Any, change: str, mine: bool) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set_with_tags("key", 1, ["red"])
    gate = Gate(cache)
    reading = asyncio.create_task(cache.get("key"))
    await gate.answered.wait()
    await CHANGES[change](cache if mine else other)
    if not mine:
        spoiled = cache._fills._open["key"]
        await until(lambda: _spoiled(spoiled))
    gate.open.set()
    assert await reading == 1  # it began before
    assert await in_memory(cache, "key") is None
    assert await cache.get("key") == (2 if "set" in change else None)


async def _spoiled(fills: set[Any]) -> bool:
    return all(fill.spoiled or fill.tags for fill in fills)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_kept_while_a_change_of_ones_own_is_on_its_way(redises: Any, change: str) -> None:
    # Redis may have done it already when it answers a read that began before: what another read then brings is older.
    cache, other = await redises.tiered(), await redises.cache()
    await other.set_with_tags("key", 1, ["red"])
    assert await cache.get("key") == 1
    remote: Any = cache._remote
    name = "invalidate_by_tag" if change == "invalidate_by_tag" else change
    do, go = getattr(remote, name), asyncio.Event()

    async def slow(*args: Any, **options: Any) -> Any:
        await go.wait()
        return await do(*args, **options)

    setattr(remote, name, slow)
    changing: Any = asyncio.ensure_future(CHANGES[change](cache))
    await asyncio.sleep(0)
    assert await cache.get("key") == 1
    assert await in_memory(cache, "key") is None
    go.set()
    await changing
    assert await cache.get("key") == (2 if "set" in change else None)


async def test_a_change_that_is_cancelled_leaves_nothing_behind(redises: Any) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set("key", 1)
    for turn in range(20):
        await cache.get("key")
        changing = asyncio.create_task(cache.set("key", turn + 10))
        for _ in range(turn % 5):
            await asyncio.sleep(0)
        changing.cancel()
        await asyncio.wait((changing,))
        assert await cache.get("key") == await other.get("key")
    assert not cache._fills._closed
    assert not cache._fills._open


async def test_memory_never_outlives_redis(redises: Any, clock: Any) -> None:
    local = InMemoryCacheProvider[int](clock=clock, default_ttl=1e6)
    remote = await redises.cache()
    async with TieredCacheProvider(local, remote, clock=clock) as cache:
        await remote.set("key", 1, ttl=60)
        gate = Gate(cache)
        reading = asyncio.create_task(cache.get("key"))
        await gate.answered.wait()
        clock.turn(20)  # so long the reply took
        gate.open.set()
        assert await reading == 1
        clock.turn(39)
        assert await local.get("key") == 1
        clock.turn(1)
        assert await local.get("key") is None


async def test_typed_keys_are_checked_in_memory_too(redises: Any) -> None:
    cache = await redises.tiered()
    await cache.set(CacheKey("key", list), [1])
    assert await cache.get(CacheKey("key", list)) == [1]
    assert await in_memory(cache, "key") == [1]
    with pytest.raises(CacheTypeError):
        await cache.get(CacheKey("key", str))


@asynccontextmanager
async def tracked(redises: Any, **options: Any) -> AsyncGenerator[tuple[Any, Any]]:
    """Yield a tiered cache, and a call that ends its tracking connection."""
    name = uuid4().hex
    client: Any = cast("Any", Redis).from_url(redises.url, client_name=name)

    async def cut() -> None:
        for found in await redises.client.client_list():
            if found["name"] == name and "B" in found["flags"]:
                await redises.client.client_kill_filter(_id=found["id"])

    remote = RedisCacheProvider(client, int, redises.namespace)
    async with remote, TieredCacheProvider(InMemoryCacheProvider[int](), remote, **options) as cache:
        yield cache, cut
    await client.aclose()


async def test_when_the_connection_is_lost_memory_is_dropped_and_trusted_again_with_a_new_one(redises: Any) -> None:
    other = await redises.cache()
    async with tracked(redises) as (cache, cut):
        await other.set("key", 1)
        assert await cache.get("key") == 1
        lost, found = asyncio.Event(), asyncio.Event()
        on_lost, on_found = cache.on_lost, cache.on_found
        cache.on_lost = lambda: (on_lost(), lost.set())
        cache.on_found = lambda: (on_found(), found.set())
        await cut()
        await lost.wait()
        assert await in_memory(cache, "key") is None
        await other.set("key", 2)
        assert await cache.get("key") == 2
        await asyncio.wait_for(found.wait(), 10)
        assert await cache.get("key") == 2
        assert await in_memory(cache, "key") == 2
        await other.set("key", 3)
        await until(lambda: _gone(cache, "key"))


async def test_while_it_is_not_trusted_nothing_is_kept(redises: Any) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set("key", 1)
    cache.on_lost()
    assert await cache.get("key") == 1
    assert await in_memory(cache, "key") is None


async def test_it_can_be_closed_and_opened_again(redises: Any) -> None:
    cache, other = await redises.tiered(), await redises.cache()
    await other.set("key", 1)
    assert await cache.get("key") == 1
    await cache.close()
    await cache.close()
    await other.set("key", 2)
    assert await cache.get("key") == 2
    assert await in_memory(cache, "key") is None
    await cache.open()
    assert await cache.get("key") == 2
    assert await in_memory(cache, "key") == 2
    await told(cache)
