"""What is counted, and when."""

import asyncio
from typing import Any

import pytest
from cachetools import LRUCache

from infra_cache import InMemoryCacheProvider


@pytest.fixture
def cache(clock: Any) -> InMemoryCacheProvider[int]:
    return InMemoryCacheProvider[int](max_size=5, clock=clock)


async def one() -> int:
    return 1


async def test_loads_are_timed_by_the_clock_however_they_end(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    async def slow() -> int:
        clock.turn(2)
        return 1

    async def fails() -> int:
        clock.turn(3)
        raise LookupError

    async def waits() -> int:
        clock.turn(4)
        await asyncio.Event().wait()
        raise AssertionError

    await cache.get_or_set("slow", slow)
    with pytest.raises(LookupError):
        await cache.get_or_set("fails", fails)
    caller = asyncio.create_task(cache.get_or_set("waits", waits))
    for _ in range(3):
        await asyncio.sleep(0)
    assert (cache.stats().loads, cache.stats().load_seconds) == (3, 5.0)
    caller.cancel()
    await asyncio.wait((caller,))
    assert cache.stats().load_seconds == 9.0
    await cache.get("slow")
    assert cache.stats().load_seconds == 9.0


@pytest.mark.parametrize("noticed_by", ["get", "delete", "invalidate_by_tag", "tidying", "room", "stats"])
async def test_what_ends_is_counted_once_whoever_notices(
    cache: InMemoryCacheProvider[int], clock: Any, noticed_by: str
) -> None:
    await cache.set_with_tags("key", 1, ["tag"], 5)
    await cache.set("lasting", 1)
    clock.turn(5)
    match noticed_by:
        case "get":
            await cache.get("key")
        case "delete":
            assert not await cache.delete("key")
        case "invalidate_by_tag":
            assert await cache.invalidate_by_tag("tag") == 0
        case "tidying":
            await cache.get("something else")
        case "room":
            await cache.set_many({f"new {number}": 1 for number in range(4)})
        case _:
            pass
    for _ in range(2):
        stats = cache.stats()
        assert (stats.expirations, stats.invalidations, stats.evictions) == (1, 0, 0)


async def test_many_that_end_are_counted_exactly(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    for number in range(1000):
        await cache.set(f"key {number}", 1, 1 + number)
    clock.turn(300)
    assert cache.stats().expirations == 300
    for number in range(0, 1000, 3):
        await cache.get(f"key {number}")
    assert cache.stats().expirations == 300


async def test_what_does_not_end_by_itself_is_not_counted_as_that(
    cache: InMemoryCacheProvider[int], clock: Any
) -> None:
    for key in ("replaced", "deleted", "invalidated", "cleared"):
        await cache.set_with_tags(key, 1, [key], 5)
    await cache.set("replaced", 2, 50)
    assert await cache.delete("deleted")
    assert await cache.invalidate_by_tag("invalidated") == 1
    await cache.clear()
    clock.turn(5)
    stats = cache.stats()
    assert (stats.expirations, stats.invalidations, stats.size) == (0, 1, 0)


async def test_a_policy_that_drops_by_itself_is_not_counted(clock: Any) -> None:
    policy: LRUCache[str, Any] = LRUCache(5)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    await cache.set("key", 1, 5)
    policy.clear()
    clock.turn(5)
    assert cache.stats().expirations == 0


async def test_what_is_at_hand_ends_when_it_is_so_no_longer(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for key in ("left", "renewed"):
        await cache.get_or_set(key, one, 5, stale=5)
    clock.turn(7)
    assert (cache.stats().expirations, cache.stats().size) == (0, 0)
    await cache.get_or_set("renewed", one, 50, stale=5)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (cache.stats().stale, cache.stats().hits, cache.stats().loads) == (1, 1, 3)
    clock.turn(3)
    assert (cache.stats().expirations, cache.stats().size) == (1, 1)


@pytest.mark.parametrize("how", ["get", "delete", "invalidate_by_tag", "room"])
@pytest.mark.parametrize("noticed", [False, True])
async def test_what_was_at_hand_is_counted_once_too(
    cache: InMemoryCacheProvider[int], clock: Any, how: str, noticed: bool
) -> None:
    await cache.get_or_set("key", one, 5, ["tag"], stale=5)
    clock.turn(7)
    if noticed:
        assert cache.stats().expirations == 0
    match how:
        case "get":
            clock.turn(3)
            await cache.get("key")
        case "delete":
            await cache.delete("key")
        case "invalidate_by_tag":
            await cache.invalidate_by_tag("tag")
            await cache.get("something else")
        case _:
            await cache.set_many({f"new {number}": 1 for number in range(5)})
    assert (cache.stats().expirations, cache.stats().evictions) == (0 if how == "invalidate_by_tag" else 1, 0)
    clock.turn(9)
    assert cache.stats().invalidations == 0


async def test_invalidations_are_what_could_be_seen(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    await cache.set_many({"a": 1, "b": 1}, tags=["tag", "other"])
    await cache.set_with_tags("c", 1, ["tag"], 5)
    clock.turn(5)
    assert await cache.invalidate_by_tag("tag") == 2
    assert await cache.invalidate_by_tag("other") == 0
    assert cache.stats().invalidations == 2
