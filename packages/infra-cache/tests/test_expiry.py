"""When entries end, in which order they go, and what they cost until they are cleared away."""

import math
from typing import Any

import pytest
from cachetools import FIFOCache, LFUCache, LRUCache, RRCache

from infra_cache import InMemoryCacheProvider, S3FIFOCache


async def test_an_entry_is_visible_until_its_ttl_is_over_and_not_at_that_moment(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set("key", 1, ttl=10)
    clock.turn(9.999)
    assert await cache.get("key") == 1
    clock.turn(0.001)
    assert not await cache.exists("key")
    assert await cache.get("key") is None


@pytest.mark.parametrize(("ttls", "end"), [((10, 20), 20), ((20, 10), 10), ((10, 20, 15), 15), ((20, 10, 30), 30)])
async def test_the_last_overwrite_says_when_an_entry_ends(clock: Any, ttls: tuple[float, ...], end: float) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    for ttl in ttls:
        await cache.set("key", 1, ttl)
    for moment in range(1, 40):
        clock.turn(1)
        if moment % 7 == 0:
            await cache.set(f"other {moment}", 1)  # which clears away what is over
        assert await cache.exists("key") is (moment < end), moment


async def test_an_overwrite_without_ttl_lasts(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set("key", 1, ttl=5)
    await cache.set("key", 2)
    await cache.set("endless", 1, ttl=5)
    await cache.set("endless", 3, ttl=math.inf)
    clock.turn(1e9)
    assert await cache.get_many(["key", "endless"]) == {"key": 2, "endless": 3}


async def test_the_default_ttl_is_for_those_that_say_nothing(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](default_ttl=10, clock=clock)
    await cache.set("default", 1)
    await cache.set("shorter", 1, ttl=5)
    await cache.set("endless", 1, ttl=math.inf)
    await cache.set_many({"many": 1})
    clock.turn(5)
    assert set(await cache.get_many(["default", "shorter", "endless", "many"])) == {"default", "endless", "many"}
    clock.turn(5)
    assert set(await cache.get_many(["default", "shorter", "endless", "many"])) == {"endless"}


async def test_an_expired_entry_can_be_set_anew(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set("key", 1, ttl=5)
    clock.turn(7)
    await cache.set("key", 2, ttl=5)
    assert await cache.get("key") == 2
    clock.turn(4.9)
    assert await cache.get("key") == 2
    clock.turn(0.1)
    assert await cache.get("key") is None


async def test_huge_ttls_are_for_ever(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    for number, ttl in enumerate((1e300, 10**400, math.inf, 1e12)):
        await cache.set(f"key {number}", 1, ttl)
    clock.turn(1e9)
    assert cache.stats().size == 4
    entry = await cache.get_entry("key 0")
    assert entry is not None
    assert entry.ttl == 1e300
    assert entry.expires_at is not None
    assert entry.expires_at.year == 9999


@pytest.mark.parametrize("policy", [S3FIFOCache, LRUCache, FIFOCache, LFUCache, RRCache])
async def test_expired_entries_go_before_live_ones(clock: Any, policy: Any) -> None:
    cache = InMemoryCacheProvider[int](max_size=100, policy=policy, clock=clock)
    live = [f"live {number}" for number in range(60)]
    await cache.set_many(dict.fromkeys(live[:30], 1))  # the oldest, and never used
    for number in range(40):
        await cache.set(f"dying {number}", 1, ttl=1 + number / 100)
        await cache.get(f"dying {number}")
    for key in live[30:]:
        await cache.set(key, 1, ttl=1)
        await cache.set(key, 1, ttl=100)  # what was scheduled first does not count
    clock.turn(5)
    await cache.set_many({f"new {number}": 1 for number in range(40)})
    assert len(await cache.get_many(live)) == 60
    assert cache.stats().evictions == 0
    assert cache.stats().size == 100
    await cache.set("one more", 1)
    assert cache.stats().evictions == 1


async def test_invalidated_entries_go_before_live_ones() -> None:
    cache = InMemoryCacheProvider[int](max_size=10)
    await cache.set("oldest", 1)
    await cache.set_many({f"tagged {number}": 1 for number in range(9)}, tags=["tag"])
    assert await cache.invalidate_by_tag("tag") == 9
    await cache.set_many({f"new {number}": 1 for number in range(9)})
    assert await cache.get("oldest") == 1
    assert cache.stats().evictions == 0


@pytest.mark.parametrize("ending", ["ttl", "tag"])
async def test_no_call_clears_away_many_at_once(clock: Any, ending: str) -> None:
    policy: LRUCache[str, int] = LRUCache(100_000)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    await cache.set_many({f"key {number}": 1 for number in range(1000)}, ttl=5, tags=["tag"])
    if ending == "ttl":
        clock.turn(5)
    else:
        await cache.invalidate_by_tag("tag")
    for number in range(10):
        before = len(policy)
        await cache.get("nothing")
        await cache.set(f"new {number}", 1)
        assert before - 10 < len(policy) < before
    for number in range(1000):
        await cache.set(f"new {number}", 1)
    assert len(policy) == 1000


async def test_counts_are_exact_however_much_is_over(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    for number in range(1000):
        await cache.set_with_tags(f"key {number}", 1, ["tag"], ttl=1 + number)
    clock.turn(300.5)
    assert cache.stats().size == 700
    clock.turn(100)
    assert await cache.invalidate_by_tag("tag") == 600
    assert cache.stats().size == 0


async def test_what_comes_due_is_looked_at_once_and_not_at_every_call(clock: Any) -> None:
    # An entry that is overwritten over and over is due at its first end, and then at its last.
    cache = InMemoryCacheProvider[int](max_size=10, clock=clock)
    for number in range(10):
        await cache.set(f"key {number}", 1, ttl=10)
    for _ in range(20):
        clock.turn(5)
        for number in range(10):
            await cache.set(f"key {number}", 1, ttl=10)
    assert cache.stats().size == 10
    assert cache.stats().evictions == 0
    clock.turn(10)
    assert cache.stats().size == 0


async def test_all_goes_by_the_clock_that_was_given(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set("key", 1, ttl=10)
    clock.turn(3)
    entry = await cache.get_entry("key")
    assert entry is not None
    assert (clock.now() - entry.created_at).total_seconds() == 3
    assert entry.expires_at is not None
    assert (entry.expires_at - clock.now()).total_seconds() == 7
    await cache.set("endless", 1)
    clock.turn(2)
    endless = await cache.get_entry("endless")
    assert endless is not None
    assert (clock.now() - endless.created_at).total_seconds() == 2


async def test_a_clock_may_tell_whole_numbers(clock: Any) -> None:
    clock.time = 0
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set("key", 1)
    await cache.set("ending", 1, ttl=2)
    assert await cache.get_many(["key", "ending"]) == {"key": 1, "ending": 1}
    assert await cache.get("key") == 1
    clock.time = 2
    assert cache.stats().size == 1
