"""Any cachetools.Cache decides which entry goes, also one that drops entries by itself."""

import math
import random
from typing import Any

import pytest
from cachetools import Cache, FIFOCache, LFUCache, LRUCache, RRCache, TLRUCache, TTLCache

from infra_cache import InMemoryCacheProvider, S3FIFOCache
from infra_protocols import ValidationError


async def test_exists_and_a_refused_set_are_no_use_of_an_entry() -> None:
    cache = InMemoryCacheProvider[str](max_size=4, getsizeof=len)
    await cache.set("old", "aa")
    await cache.set("new", "aa")
    assert await cache.exists("old")
    with pytest.raises(ValidationError):
        await cache.set("old", "aaaaa")
    await cache.set("newest", "aa")
    assert await cache.get_many(["old", "new"]) == {"new": "aa"}


async def test_an_overwrite_in_the_quick_way_is_refused_too() -> None:
    cache = InMemoryCacheProvider[str](max_size=3, getsizeof=len)
    await cache.set("key", "abc", ttl=5.0)
    with pytest.raises(ValidationError, match="between 0 and 3"):
        await cache.set("key", "abcd", ttl=5.0)
    assert await cache.get("key") == "abc"


async def test_what_getsizeof_raises_is_not_hidden() -> None:
    def getsizeof(value: str) -> int:
        raise ValueError("no size")

    cache = InMemoryCacheProvider[str](max_size=3, getsizeof=getsizeof)
    with pytest.raises(ValueError, match="no size"):
        await cache.set("key", "abc")
    assert cache.stats().size == 0


async def test_a_policy_may_refuse_for_reasons_of_its_own() -> None:
    class Picky(LRUCache[str, int]):
        def __setitem__(self, key: str, value: int) -> None:
            if value < 0:
                raise ValueError("negative")
            super().__setitem__(key, value)

    cache = InMemoryCacheProvider[int](max_size=3, policy=Picky)
    await cache.set("key", 1, ttl=5.0)
    for ttl in (None, 5.0):
        with pytest.raises(ValueError, match="negative"):
            await cache.set("key", -1, ttl)
    assert await cache.get("key") == 1


async def test_an_overwrite_that_grows_may_push_out_its_own_old_value(clock: Any) -> None:
    cache = InMemoryCacheProvider[str](max_size=4, getsizeof=len, clock=clock)
    await cache.set_with_tags("key", "a", ["old"], ttl=5)
    await cache.set("other", "bbb", ttl=5)
    await cache.set("key", "aaaa", ttl=9.0)
    assert await cache.get_many(["key", "other"]) == {"key": "aaaa"}
    assert await cache.invalidate_by_tag("old") == 0
    clock.turn(8)
    assert await cache.get("key") == "aaaa"
    clock.turn(1)
    assert cache.stats().size == 0


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("grown", ["aa", "aaaa"])
async def test_making_room_may_meet_the_lease_that_is_being_replaced(clock: Any, moved: bool, grown: str) -> None:
    cache = InMemoryCacheProvider[str](max_size=4, getsizeof=len, clock=clock)
    await cache.set("key", "a", ttl=5.0)
    if moved:
        await cache.set("key", "a", ttl=8.0)
    await cache.set("other", "bbb", ttl=50.0)
    clock.turn(6)  # the key is over, or its lease is due to be looked at
    await cache.set("key", grown, ttl=9.0)
    assert await cache.get("key") == grown
    clock.turn(8.9)
    assert await cache.get("key") == grown
    clock.turn(0.1)
    assert await cache.get("key") is None


@pytest.mark.parametrize("policy", [S3FIFOCache, LRUCache])
async def test_an_overwrite_for_as_long_as_before_may_push_out_its_own_old_value(clock: Any, policy: Any) -> None:
    ttl = 5.0
    cache = InMemoryCacheProvider[str](max_size=4, policy=policy, getsizeof=len, clock=clock)
    await cache.set("key", "a", ttl)
    await cache.set("other", "bbb", ttl)
    clock.turn(3)
    await cache.set("key", "aaaa", ttl)
    clock.turn(4)
    assert await cache.get_many(["key", "other"]) == {"key": "aaaa"}
    clock.turn(1)
    assert cache.stats().size == 0
    assert cache.stats().evictions == 2


class Forgetful(LRUCache[str, int]):
    """Drops entries by itself, and tells nobody."""

    def drop(self, key: str) -> None:
        Cache[str, int].__delitem__(self, key)


async def test_what_a_policy_drops_by_itself_is_not_there() -> None:
    policy = Forgetful(10)
    cache = InMemoryCacheProvider[int](policy=policy)
    await cache.set_many({f"key {number}": 1 for number in range(6)}, ttl=60, tags=["tag"])
    for number in range(5):
        policy.drop(f"key {number}")
    assert await cache.get("key 0") is None
    assert await cache.get_entry("key 1") is None
    assert not await cache.exists("key 2")
    assert not await cache.delete("key 3")
    assert cache.stats().size == 1
    assert await cache.invalidate_by_tag("tag") == 1
    await cache.set("key 4", 2)
    assert await cache.get("key 4") == 2


@pytest.mark.parametrize("tagged", [True, False])
async def test_policies_with_a_time_of_their_own_work(clock: Any, tagged: bool) -> None:
    # Their time is over first: what they drop is dropped, what they keep is kept for as long as it was given.
    def end(key: str, value: int, now: float) -> float:
        return now + 5

    policies: list[Cache[str, int]] = [
        TTLCache[str, int, float](10, 5, timer=clock.monotonic),
        TLRUCache[str, int, float](10, end, timer=clock.monotonic),
    ]
    for policy in policies:
        cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
        await cache.set_with_tags("short", 1, ["tag"] if tagged else [], ttl=2)
        await cache.set_with_tags("long", 1, ["tag"] if tagged else [], ttl=20)
        clock.turn(3)
        assert await cache.get_many(["short", "long"]) == {"long": 1}
        clock.turn(3)
        assert await cache.get_many(["short", "long"]) == {}
        assert cache.stats().size == 0
        await cache.set_many({f"key {number}": number for number in range(30)}, tags=["tag"] if tagged else [])
        assert cache.stats().size == 10
        assert await cache.get("key 29") == 29
        clock.turn(6)
        assert cache.stats().size == 0
        assert await cache.invalidate_by_tag("tag") == 0
        await cache.set("key", 1)
        assert await cache.get("key") == 1


async def test_a_policy_sees_keys_and_values_as_they_are(clock: Any) -> None:
    seen: list[tuple[str, int]] = []

    def end(key: str, value: int, now: float) -> float:
        seen.append((key, value))
        return now + value

    policy: TLRUCache[str, int] = TLRUCache(10, end, timer=clock.monotonic)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    await cache.set("key", 5)
    await cache.set("gone already", -1)
    assert seen == [("key", 5), ("gone already", -1)]
    assert await cache.get("gone already") is None
    assert cache.stats().size == 1


async def test_a_policy_that_watches_evictions_goes_on_doing_so() -> None:
    class Watched(LRUCache[str, int]):
        evicted: list[str]

        def popitem(self) -> tuple[str, int]:
            key, value = super().popitem()
            self.evicted.append(key)
            return key, value

    policy = Watched(2)
    policy.evicted = []
    cache = InMemoryCacheProvider[int](policy=policy)
    await cache.set_many({"a": 1, "b": 1, "c": 1})
    assert policy.evicted == ["a"]
    await cache.clear()
    assert cache.stats().evictions == 1


async def test_random_calls_keep_every_policy_and_its_cache_in_step(clock: Any) -> None:
    rng = random.Random(7)
    policies: tuple[Any, ...] = (S3FIFOCache, LRUCache, LFUCache, FIFOCache, RRCache)
    for policy, sized in ((policy, sized) for policy in policies for sized in (False, True)):
        made: Cache[str, str] = policy(20, getsizeof=len) if sized else policy(20)
        cache = InMemoryCacheProvider[str](policy=made, clock=clock)
        written: dict[str, tuple[str, float, tuple[str, ...]]] = {}
        for _ in range(3000):
            key = f"k{rng.randrange(30)}"
            match rng.randrange(6):
                case 0 | 1 | 2:
                    value, ttl = "v" * rng.randrange(1, 9), rng.choice((math.inf, 1.0, 3.0, 9.0))
                    tags = tuple(rng.sample(("red", "blue"), rng.randrange(3)))
                    written[key] = value, clock.time + ttl, tags
                    await (cache.set_with_tags(key, value, tags, ttl) if tags else cache.set(key, value, ttl))
                case 3:
                    await cache.delete(key)
                    written.pop(key, None)
                case 4:
                    clock.turn(rng.random())
                case _:
                    tag = rng.choice(("red", "blue"))
                    if rng.random() < 0.1:
                        await cache.invalidate_by_tag(tag)
                        written = {key: entry for key, entry in written.items() if tag not in entry[2]}
            found = await cache.get(key)
            if found is not None:
                value, end, _ = written[key]
                assert found == value
                assert clock.time < end
            assert made.currsize <= 20
        visible = {key: entry for key, entry in written.items() if await cache.exists(key)}
        assert cache.stats().size == len(visible)
        for tag in ("red", "blue"):
            expected = [key for key, entry in visible.items() if tag in entry[2]]
            assert await cache.invalidate_by_tag(tag) == len(expected)
            visible = {key: entry for key, entry in visible.items() if tag not in entry[2]}
