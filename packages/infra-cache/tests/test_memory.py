"""What is this cache's own, beyond the promises of every cache."""

import asyncio
from typing import Any

import pytest
from cachetools import LRUCache

from infra_cache import InMemoryCacheProvider
from infra_protocols import CacheKey, CacheProvider, CacheTypeError, Store, ValidationError


def test_it_is_a_cache_and_a_store() -> None:
    cache = InMemoryCacheProvider[int]()
    assert isinstance(cache, CacheProvider)
    assert isinstance(cache, Store)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), True, "1", float("-inf")])
def test_a_bad_default_ttl_is_refused(ttl: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        InMemoryCacheProvider[int](default_ttl=ttl)
    assert refused.value.field == "default_ttl"


async def test_peek_finds_without_awaiting(clock: Any) -> None:
    cache = InMemoryCacheProvider[int | None](clock=clock)
    await cache.set("key", 1, ttl=10)
    await cache.set("none", None)
    assert cache.peek("key", 0) == 1
    assert cache.peek("none", 0) is None
    assert cache.peek("nothing", 0) == 0
    await cache.set("key", 1, ttl=20)
    clock.turn(15)
    assert cache.peek("key", 0) == 1
    clock.turn(5)
    assert cache.peek("key", 0) == 0
    unhashable: Any = []
    assert cache.peek(unhashable, 0) == 0
    assert (cache.stats().hits, cache.stats().misses) == (3, 0)


async def test_peek_is_a_use() -> None:
    cache = InMemoryCacheProvider[int](max_size=2)
    await cache.set_many({"a": 1, "b": 2})
    cache.peek("a", 0)
    await cache.set("c", 3)
    assert set(await cache.get_many(["a", "b", "c"])) == {"a", "c"}


@pytest.mark.parametrize("key", [[], {}, None, 7, b"key", "", " "])
async def test_a_key_that_is_no_text_is_refused_everywhere(key: Any) -> None:
    cache = InMemoryCacheProvider[int]()

    async def load() -> int:
        raise AssertionError

    for call in (
        cache.get(key),
        cache.get_entry(key),
        cache.set(key, 1),
        cache.set(key, 1, ttl=1.0),
        cache.set_with_tags(key, 1, ["tag"]),
        cache.get_or_set(key, load),
        cache.delete(key),
        cache.exists(key),
        cache.get_many([key]),
        cache.delete_many([key]),
    ):
        with pytest.raises(ValidationError) as refused:
            await call
        assert (refused.value.field, refused.value.kind) == ("key", type(key).__name__)


@pytest.mark.parametrize("keys", ["key", 7, None])
async def test_several_keys_are_not_one_text(keys: Any) -> None:
    cache = InMemoryCacheProvider[int]()
    await cache.set_many(dict.fromkeys("key", 1))
    for call in (cache.get_many(keys), cache.delete_many(keys)):
        with pytest.raises(ValidationError) as refused:
            await call
        assert refused.value.field == "keys"
    assert cache.stats().size == 3


async def test_tags_may_come_from_an_iterator_and_count_once() -> None:
    cache = InMemoryCacheProvider[int]()
    await cache.set_with_tags("key", 1, iter(["b", "a", "b"]))
    entry = await cache.get_entry("key")
    assert entry is not None
    assert entry.tags == ("b", "a")
    assert await cache.invalidate_by_tag("b") == 1
    assert await cache.invalidate_by_tag("a") == 0


async def test_what_is_evicted_loses_its_tags() -> None:
    cache = InMemoryCacheProvider[int](max_size=2, policy=LRUCache)
    await cache.set_with_tags("first", 1, ["tag"])
    await cache.set_with_tags("second", 1, ["tag"])
    await cache.set("third", 1)
    await cache.set("first", 2)
    assert await cache.invalidate_by_tag("tag") == 0
    assert await cache.get("first") == 2


async def test_an_invalidated_key_that_is_set_anew_is_as_new(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    await cache.set_with_tags("key", 1, ["red", "blue"], ttl=5)
    await cache.invalidate_by_tag("red")
    assert not await cache.delete("key")
    await cache.set_with_tags("key", 2, ["green"], ttl=50)
    assert await cache.invalidate_by_tag("red") == 0
    assert await cache.invalidate_by_tag("blue") == 0
    clock.turn(20)
    for number in range(20):
        await cache.set(f"other {number}", number)  # which buries what was invalidated
    assert await cache.get("key") == 2
    assert await cache.invalidate_by_tag("green") == 1
    assert cache.stats().size == 20


async def test_an_entry_invalidated_by_two_tags_counts_once() -> None:
    cache = InMemoryCacheProvider[int]()
    await cache.set_many({f"both {number}": 1 for number in range(50)}, tags=["red", "blue"])
    await cache.set_many({f"blue {number}": 1 for number in range(5)}, tags=["blue"])
    assert await cache.invalidate_by_tag("red") == 50
    assert await cache.invalidate_by_tag("blue") == 5
    assert cache.stats().size == 0


async def test_statistics() -> None:
    cache = InMemoryCacheProvider[int](max_size=2, policy=LRUCache)

    async def load() -> int:
        return 1

    for key in ("a", "a", "b", "c"):
        await cache.get_or_set(key, load)
    await cache.get_many(["b", "c", "b", "nothing"])
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.loads, stats.evictions, stats.size) == (3, 4, 3, 1, 2)
    await cache.clear()
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.loads, stats.evictions, stats.size) == (3, 4, 3, 1, 0)


async def test_set_many_may_hold_more_than_there_is_room_for() -> None:
    cache = InMemoryCacheProvider[int](max_size=3)
    await cache.set_many({f"key {number}": number for number in range(10)})
    assert cache.stats().size == 3
    assert await cache.get("key 9") == 9


@pytest.mark.parametrize(
    "bad",
    [
        {"items": {"good": 1, " ": 1}},
        {"items": {"good": 1, 7: 1}},
        {"items": {"good": 1}, "ttl": 0},
        {"items": {"good": 1}, "tags": ["tag", ""]},
        {"items": {"good": 1}, "tags": "tag"},
    ],
)
async def test_set_many_keeps_all_or_nothing(bad: dict[str, Any]) -> None:
    cache = InMemoryCacheProvider[int]()
    with pytest.raises(ValidationError):
        await cache.set_many(**bad)
    assert cache.stats().size == 0


def test_it_serves_one_event_loop_after_another() -> None:
    cache = InMemoryCacheProvider[int]()

    async def load() -> int:
        await asyncio.sleep(0)
        return 1

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    async def cut_off() -> None:
        waiting = asyncio.create_task(cache.get_or_set("slow", never))
        await asyncio.sleep(0)
        del waiting

    assert asyncio.run(cache.get_or_set("key", load)) == 1
    assert asyncio.run(cache.get("key")) == 1
    asyncio.run(cut_off())
    assert asyncio.run(cache.get_or_set("slow", load)) == 1
    assert asyncio.run(cache.delete("key"))


async def test_a_hit_does_not_suspend() -> None:
    cache = InMemoryCacheProvider[int]()
    await cache.set("key", 1)

    async def load() -> int:
        raise AssertionError

    calls: tuple[Any, ...] = (cache.get("key"), cache.get_or_set("key", load), cache.get_entry("key"))
    for call in calls:
        with pytest.raises(StopIteration):
            call.send(None)


async def test_an_error_tells_the_types_and_not_the_value() -> None:
    cache = InMemoryCacheProvider[Any]()
    await cache.set("key", "a secret")
    with pytest.raises(CacheTypeError, match="expected int, got str") as refused:
        await cache.get(CacheKey("key", int))
    assert "secret" not in str(refused.value)
    assert "secret" not in str(refused.value.to_dict())
