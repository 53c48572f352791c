"""Any cachetools policy decides what goes when there is no room, and only then."""

import random
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import cachetools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_cache import InMemoryCacheProvider, S3FIFOCache
from infra_protocols import ValidationError

type Policy = cachetools.Cache[str, Any]


def for_ever(key: object, value: object, now: float) -> float:
    return now + 1e9


CLASSES: list[Callable[..., Policy]] = [
    cachetools.Cache,
    cachetools.FIFOCache,
    cachetools.LFUCache,
    cachetools.LRUCache,
    cachetools.RRCache,
    S3FIFOCache,
]
# These two take another argument, so that they do not plug in as classes.
TIMED: list[Callable[..., Policy]] = [
    partial(cachetools.TTLCache[str, Any], ttl=1e9),
    partial(cachetools.TLRUCache[str, Any], ttu=for_ever),
]
ALL = [*CLASSES, *TIMED]
ALL_NAMES = ["Cache", "FIFO", "LFU", "LRU", "RR", "S3FIFO", "TTL", "TLRU"]
every_policy = pytest.mark.parametrize("policy", ALL, ids=ALL_NAMES)


async def works_with_room_for_three(cache: InMemoryCacheProvider[int]) -> None:
    for number in range(5):
        await cache.set(str(number), number)
    assert await cache.get("4") == 4
    stats = cache.stats()
    assert (stats.size, stats.evictions) == (3, 2)
    assert len(await cache.get_many(map(str, range(5)))) == 3


@pytest.mark.parametrize("policy", CLASSES, ids=ALL_NAMES[:6])
async def test_every_policy_plugs_in_as_a_class(policy: Callable[..., Policy]) -> None:
    await works_with_room_for_three(InMemoryCacheProvider[int](3, policy=policy))


@every_policy
async def test_every_policy_plugs_in_as_a_factory(policy: Callable[..., Policy]) -> None:
    def make(maxsize: float, *, getsizeof: Callable[[int], float] | None = None) -> Policy:
        return policy(maxsize, getsizeof=getsizeof)

    await works_with_room_for_three(InMemoryCacheProvider[int](3, policy=make))


@every_policy
async def test_every_policy_plugs_in_as_an_instance(policy: Callable[..., Policy]) -> None:
    await works_with_room_for_three(InMemoryCacheProvider[int](policy=policy(3)))


async def test_the_policy_picks_what_goes() -> None:
    left: dict[str, set[str]] = {}
    for name, policy in (
        ("fifo", cachetools.FIFOCache[str, int]),
        ("lru", cachetools.LRUCache[str, int]),
        ("lfu", cachetools.LFUCache[str, int]),
    ):
        cache = InMemoryCacheProvider[int](3, policy=policy)
        for key in "abc":
            await cache.set(key, 1)
        for key in "aabbca":
            await cache.get(key)
        await cache.set("d", 1)
        left[name] = set(await cache.get_many(list("abcd")))
    assert left == {"fifo": set("bcd"), "lru": set("acd"), "lfu": set("abd")}


async def test_a_policy_that_makes_its_own_choice_is_asked_for_it() -> None:
    choice = partial(cachetools.RRCache[str, int], choice=max)
    cache = InMemoryCacheProvider[int](3, policy=choice)
    for key in "acbd":
        await cache.set(key, 1)
    assert set(await cache.get_many(list("abcd"))) == set("abd")


async def test_the_default_is_s3fifo_and_a_hit_and_an_overwrite_are_uses_of_it() -> None:
    default = InMemoryCacheProvider[int](100)
    assert "S3FIFOCache" in repr(vars(default)["_entries"].policy)
    for ttl in (None, 60.0):
        policy = S3FIFOCache[str, int](100)
        cache = InMemoryCacheProvider[int](policy=policy)
        known: list[int] = []
        for call in (cache.set("a", 1, ttl), cache.get("a"), cache.set("a", 2, ttl), cache.get("a"), cache.get("a")):
            await call
            known.append(policy.known["a"])
        assert known == [0, 2, 4, 6, 6]
        assert policy.kept == {"a": 2}
        await cache.set("b", 1, ttl)
        assert cache.peek("b", 0) == 1
        assert policy.known["b"] == 2
        assert cache.stats().hits == 4


async def test_what_somebody_takes_out_of_the_default_policy_is_not_there(clock: Any) -> None:
    for call in ("get", "set", "peek"):
        for went in (False, True):
            policy = S3FIFOCache[str, int](3)
            cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
            ttl = 60.0
            await cache.set_many({"a": 1, "b": 1, "c": 1}, ttl)
            key = S3FIFOCache[str, int].popitem(policy)[0] if went else "a"
            policy.pop(key, None)
            match call:
                case "get":
                    assert await cache.get(key) is None
                case "peek":
                    assert cache.peek(key, 0) == 0
                case _:
                    clock.turn(5)
                    await cache.set(key, 2, ttl)
                    clock.turn(59)
                    assert await cache.get(key) == 2
                    clock.turn(1)
                    assert await cache.get(key) is None
            assert len(policy) == len(policy.known) or went


async def test_what_a_policy_or_a_clock_raises_is_not_taken_for_a_miss() -> None:
    class Faulty(cachetools.LRUCache[str, int]):
        def __getitem__(self, key: str, *_: object) -> int:
            raise TypeError("a fault")

    cache = InMemoryCacheProvider[int](3, policy=Faulty)
    await cache.set("a", 1)
    with pytest.raises(TypeError, match="a fault"):
        await cache.get("a")
    with pytest.raises(TypeError, match="a fault"):
        cache.peek("a", 0)


async def test_peeking_by_exists_is_no_use() -> None:
    cache = InMemoryCacheProvider[int](2, policy=cachetools.LRUCache)
    await cache.set("a", 1)
    await cache.set("b", 1)
    assert await cache.exists("a")
    await cache.set("c", 1)
    assert not await cache.exists("a")


@every_policy
@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), max_size=25))
async def test_getsizeof_sizes_the_values_and_their_total_is_bounded(
    policy: Callable[..., Policy], sizes: list[tuple[str, int]]
) -> None:
    sized: list[object] = []

    def size_of(value: str) -> float:
        sized.append(value)
        return len(value)

    cache = InMemoryCacheProvider[str](10, policy=policy, getsizeof=size_of)
    for key, size in sizes:
        before = await cache.get(key)
        if size > 10:
            with pytest.raises(ValidationError):
                await cache.set(key, "x" * size)
            assert await cache.get(key) == before
        else:
            await cache.set(key, "x" * size)
            assert await cache.get(key) == "x" * size
        assert sum(map(len, (await cache.get_many(list("abcd"))).values())) <= 10
    assert {type(value) for value in sized} <= {str}


@every_policy
async def test_a_value_larger_than_the_cache_is_refused_and_the_old_one_stays(policy: Callable[..., Policy]) -> None:
    cache = InMemoryCacheProvider[str](5, policy=policy, getsizeof=len)
    await cache.set_with_tags("a", "old", ["tag"], ttl=50)
    await cache.set("b", "b")

    for refused in (
        cache.set("a", "longer"),
        cache.set_with_tags("a", "longer", ["other"]),
        cache.set_many({"b": "new", "a": "longer"}),
    ):
        with pytest.raises(ValidationError) as caught:
            await refused
        assert caught.value.field == "value"
        assert await cache.get_many(["a", "b"]) == {"a": "old", "b": "b"}
    entry = await cache.get_entry("a")
    assert entry is not None
    assert (entry.ttl, entry.tags) == (50, ("tag",))


async def test_a_loaded_value_larger_than_the_cache_is_returned_and_not_kept() -> None:
    cache = InMemoryCacheProvider[str](5, getsizeof=len)

    async def load() -> str:
        return "longer"

    assert await cache.get_or_set("a", load) == "longer"
    assert not await cache.exists("a")


@every_policy
async def test_the_dead_go_before_the_living(policy: Callable[..., Policy], clock: Any) -> None:
    cache = InMemoryCacheProvider[int](6, policy=policy, clock=clock)
    keys = ["live 1", "brief 1", "tagged 1", "live 2", "brief 2", "tagged 2"]
    random.Random(1).shuffle(keys)
    for key in keys:
        if key.startswith("tagged"):
            await cache.set_with_tags(key, 1, ["tag"])
        else:
            await cache.set(key, 1, ttl=10 if key.startswith("brief") else None)
    clock.turn(10)
    assert await cache.invalidate_by_tag("tag") == 2

    for key in ("new 1", "new 2", "new 3", "new 4"):
        await cache.set(key, 1)

    assert len(await cache.get_many(["live 1", "live 2", "new 1", "new 2", "new 3", "new 4"])) == 6
    assert cache.stats().evictions == 0
    await cache.set("new 5", 1)
    assert cache.stats().evictions == 1


async def test_what_a_ttl_policy_drops_by_itself_is_gone_for_the_cache_too(clock: Any) -> None:
    policy = cachetools.TTLCache[str, int](100, ttl=5, timer=clock.monotonic)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    for key in "abc":
        await cache.set_with_tags(key, 1, ["tag"], ttl=60)
    clock.turn(4)
    await cache.set_with_tags("d", 1, ["tag"])
    clock.turn(1)

    assert not await cache.exists("a")
    assert await cache.get("a") is None
    assert await cache.get_entry("b") is None
    assert await cache.delete("c") is False
    assert cache.stats().size == 1
    assert cache.stats().evictions == 0
    assert await cache.invalidate_by_tag("tag") == 1


async def test_tags_of_what_a_policy_dropped_do_not_come_back_with_the_key(clock: Any) -> None:
    policy = cachetools.TTLCache[str, int](100, ttl=5, timer=clock.monotonic)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    await cache.set_with_tags("a", 1, ["tag"])
    clock.turn(5)
    await cache.set("a", 2)
    assert await cache.invalidate_by_tag("tag") == 0
    assert await cache.get("a") == 2


@pytest.mark.parametrize(("option", "given_"), [("max_size", 10), ("getsizeof", len)])
def test_an_instance_has_its_own_size(option: str, given_: Any) -> None:
    options: dict[str, Any] = {option: given_}
    with pytest.raises(ValidationError) as caught:
        InMemoryCacheProvider[str](policy=cachetools.LRUCache(10), **options)
    assert caught.value.field == option


def test_an_instance_that_holds_something_is_refused() -> None:
    policy = cachetools.LRUCache[str, int](10)
    policy["a"] = 1
    with pytest.raises(ValidationError) as caught:
        InMemoryCacheProvider[int](policy=policy)
    assert caught.value.field == "policy"


def test_an_instance_that_another_cache_uses_is_refused() -> None:
    policy = cachetools.LRUCache[str, int](10)
    first = InMemoryCacheProvider[int](policy=policy)
    with pytest.raises(ValidationError):
        InMemoryCacheProvider[int](policy=policy)
    assert first.stats().size == 0


@pytest.mark.parametrize("policy", [None, 3, int, "LRUCache"])
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        InMemoryCacheProvider[int](policy=policy)
    assert caught.value.field == "policy"


@pytest.mark.parametrize("max_size", [0, -1, 0.5, float("nan"), "10", True])
def test_a_size_out_of_bounds_is_refused(max_size: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        InMemoryCacheProvider[int](max_size)
    assert caught.value.field == "max_size"


async def test_an_infinite_size_is_no_bound() -> None:
    cache = InMemoryCacheProvider[int](inf)
    await cache.set_many({str(number): number for number in range(20_000)})
    assert cache.stats().size == 20_000
