"""What `get_or_set` does here, beyond what the suite asks of every cache."""

import asyncio
from typing import Any

import pytest

from infra_cache import InMemoryCacheProvider
from infra_protocols import CacheKey, CacheTypeError, ValidationError


class Held:
    """A loader that waits until it is let go."""

    def __init__(self, value: Any = 1) -> None:
        self.value = value
        self.runs = 0
        self.go = asyncio.Event()

    async def __call__(self) -> Any:
        self.runs += 1
        await self.go.wait()
        return self.value


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("tag", ["first", "second"])
async def test_the_tags_of_whoever_waits_count(tag: str) -> None:
    cache, loader = InMemoryCacheProvider[int](), Held()
    callers = [asyncio.create_task(cache.get_or_set("key", loader, tags=[own])) for own in ("first", "second")]
    await settle()
    assert await cache.invalidate_by_tag("other") == 0
    assert await cache.invalidate_by_tag(tag) == 0
    loader.go.set()
    assert await asyncio.gather(*callers) == [1, 1]
    assert not await cache.exists("key")


async def test_a_tag_of_others_does_not_concern_a_load() -> None:
    cache, loader = InMemoryCacheProvider[int](), Held()
    caller = asyncio.create_task(cache.get_or_set("key", loader, tags=["own"]))
    await settle()
    await cache.invalidate_by_tag("other")
    await cache.delete("other")
    loader.go.set()
    assert await caller == 1
    assert await cache.get("key") == 1


@pytest.mark.parametrize("how", ["set", "set with ttl", "set_with_tags", "set_many"])
@pytest.mark.parametrize("begun", [False, True])
async def test_whatever_is_set_wins_over_a_load(clock: Any, how: str, begun: bool) -> None:
    cache, loader = InMemoryCacheProvider[int](clock=clock), Held(1)
    await cache.set("key", 0, ttl=5.0)
    clock.turn(5)
    caller = asyncio.create_task(cache.get_or_set("key", loader))
    await (settle() if begun else asyncio.sleep(0))
    match how:
        case "set":
            await cache.set("key", 2)
        case "set with ttl":
            await cache.set("key", 2, ttl=50.0)
        case "set_with_tags":
            await cache.set_with_tags("key", 2, ["tag"])
        case _:
            await cache.set_many({"key": 2})
    loader.go.set()
    assert await caller == 1
    assert await cache.get("key") == 2


async def test_a_refused_set_leaves_a_load_alone() -> None:
    cache, loader = InMemoryCacheProvider[str](max_size=3, getsizeof=len), Held("abc")
    caller = asyncio.create_task(cache.get_or_set("key", loader))
    await settle()
    for refused in (cache.set("key", "abcd"), cache.set("key", "a", ttl=0), cache.set_many({"key": "abcd"})):
        with pytest.raises(ValidationError):
            await refused
    loader.go.set()
    await caller
    assert await cache.get("key") == "abc"


@pytest.mark.parametrize(
    "bad",
    [
        {"key": ""},
        {"key": 7},
        {"loader": None},
        {"loader": 7},
        {"ttl": 0},
        {"ttl": "1"},
        {"tags": "tag"},
        {"tags": ""},
        {"tags": [""]},
    ],
)
async def test_a_bad_argument_is_refused_before_anything_is_loaded(bad: dict[str, Any]) -> None:
    cache, loader = InMemoryCacheProvider[int](), Held()
    arguments: dict[str, Any] = {"key": "key", "loader": loader, **bad}
    with pytest.raises(ValidationError):
        await cache.get_or_set(**arguments)
    assert loader.runs == cache.stats().loads == cache.stats().misses == 0


async def test_a_key_may_be_of_a_subclass_of_text() -> None:
    class Name(str):
        __slots__ = ()

    cache, loader = InMemoryCacheProvider[int](), Held(3)
    await cache.set("key", 2)
    assert await cache.get_or_set(Name("key"), loader) == 2
    assert cache.stats().hits == 1


async def test_who_joins_a_load_gets_the_type_it_asked_for() -> None:
    cache, loader = InMemoryCacheProvider[Any](), Held("text")
    plain = asyncio.create_task(cache.get_or_set("key", loader))
    typed = asyncio.create_task(cache.get_or_set(CacheKey("key", int), loader))
    await settle()
    loader.go.set()
    assert await plain == "text"
    with pytest.raises(CacheTypeError):
        await typed
    assert loader.runs == 1


async def test_a_typed_load_of_another_type_is_kept_by_nobody() -> None:
    cache, loader = InMemoryCacheProvider[Any](), Held("text")
    typed = asyncio.create_task(cache.get_or_set(CacheKey("key", int), loader))
    await settle()
    await cache.delete("key")
    loader.go.set()
    with pytest.raises(CacheTypeError):
        await typed
    assert not await cache.exists("key")


async def test_loads_are_counted_when_they_begin() -> None:
    cache, loader = InMemoryCacheProvider[int](), Held()
    callers = [asyncio.create_task(cache.get_or_set("key", loader)) for _ in range(10)]
    await settle()
    stats = cache.stats()
    assert (stats.loads, stats.misses, stats.hits, stats.size) == (1, 10, 0, 0)
    loader.go.set()
    await asyncio.gather(*callers)
    assert cache.stats().loads == 1


async def test_the_default_ttl_is_for_what_is_loaded_too(clock: Any) -> None:
    cache, loader = InMemoryCacheProvider[int](default_ttl=10, clock=clock), Held()
    loader.go.set()
    await cache.get_or_set("key", loader)
    clock.turn(9)
    assert await cache.exists("key")
    clock.turn(1)
    assert not await cache.exists("key")
