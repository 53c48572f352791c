"""What an entry held is given back when the entry goes."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from cachetools import LRUCache

from infra_cache import InMemoryCacheProvider, cached

type Footprint = Callable[[object], int]


class Thing:
    """Something that can be seen to go."""


@pytest.mark.parametrize("ttl", [None, 100.0])
@pytest.mark.parametrize("how", ["overwrite", "delete", "evict", "clear"])
async def test_a_value_goes_when_its_entry_does(how: str, ttl: float | None) -> None:
    cache = InMemoryCacheProvider[Thing](max_size=1)
    thing = Thing()
    seen = weakref.ref(thing)
    await cache.set_with_tags("key", thing, ["tag"], ttl)
    del thing
    match how:
        case "overwrite":
            await cache.set("key", Thing(), ttl)
        case "delete":
            await cache.delete("key")
        case "evict":
            await cache.set("other", Thing(), ttl)
        case _:
            await cache.clear()
    assert seen() is None


@pytest.mark.parametrize("how", ["expire", "invalidate"])
async def test_an_ended_value_goes_with_the_calls_that_follow(clock: Any, how: str) -> None:
    cache = InMemoryCacheProvider[Thing](clock=clock)
    thing = Thing()
    seen = weakref.ref(thing)
    await cache.set_with_tags("key", thing, ["tag"], ttl=5)
    del thing
    if how == "expire":
        clock.turn(5)
    else:
        await cache.invalidate_by_tag("tag")
    await cache.get("nothing")
    assert seen() is None


async def test_clear_gives_all_back(clock: Any, footprint: Footprint) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    items = {f"key {number}": 1 for number in range(1000)}
    await cache.set_many(items, ttl=5, tags=["tag"])
    await cache.invalidate_by_tag("tag")
    await cache.set_many(items, ttl=5, tags=["tag"])
    full = footprint(cache)
    await cache.clear()
    assert footprint(cache) < full / 4  # policies of older cachetools keep their tables
    assert cache.stats().size == 0


async def test_a_cache_that_is_dropped_goes() -> None:
    policy: LRUCache[str, int] = LRUCache(10)
    cache = InMemoryCacheProvider[int](policy=policy)

    @cached(cache)
    async def load(number: int) -> int:
        return number

    await load(1)
    seen = weakref.ref(cache)
    del cache, load, policy
    gc.collect()
    assert seen() is None


def test_a_cache_that_is_full_adds_nothing_for_the_garbage_collector_without_ttl() -> None:
    # Entries without ttl and tags are texts, numbers and values in dicts: there is no object of ours to visit.
    cache = InMemoryCacheProvider[int]()
    gc.collect()
    before = len(gc.get_objects())
    _run(cache.set_many({f"key {number}": number for number in range(5000)}))
    assert len(gc.get_objects()) - before < 200


def _run(coroutine: Any) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)
