"""What a cache takes is bounded by what it holds, its indexes included, whatever was done to it before."""

import gc
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import cachetools
import pytest

from infra_cache import InMemoryCacheProvider, S3FIFOCache

SLACK = 1000


def objects_in(cache: object) -> int:
    """Count the objects that the cache keeps alive; code and what belongs to it is left out."""
    seen: set[int] = set()
    found: list[object] = [cache]
    while found:
        each = found.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        if isinstance(each, MethodType | BuiltinFunctionType):
            found.append(each.__self__)
        else:
            found.extend(gc.get_referents(each))
    return len(seen)


@pytest.fixture(
    params=[S3FIFOCache, cachetools.LRUCache, cachetools.LFUCache, cachetools.FIFOCache, cachetools.RRCache]
)
def cache(request: pytest.FixtureRequest, clock: Any) -> InMemoryCacheProvider[int]:
    return InMemoryCacheProvider[int](100, policy=request.param, clock=clock)


async def filled(count: int, clock: Any, tags: tuple[str, ...] = ()) -> int:
    """Count the objects of a cache in which nothing but `count` entries has ever been."""
    fresh = InMemoryCacheProvider[int](max(count, 1), policy=cachetools.LFUCache, clock=clock)
    for number in range(count):
        await fresh.set_with_tags(f"fresh {number}", number, tags, ttl=10_000)
    return objects_in(fresh)


async def test_the_count_sees_every_entry(clock: Any) -> None:
    assert await filled(1000, clock) - await filled(0, clock) > 3 * 1000
    assert await filled(1000, clock, tags=("tag",)) > await filled(1000, clock)


def growing(turn: int) -> float:
    return 1.0 + turn


def shrinking(turn: int) -> float:
    return 50_000.0 - turn


def by_turns(turn: int) -> float | None:
    return (None, 50_000.0 - turn, 1.0 + turn)[turn % 3]


@pytest.mark.parametrize("ttl", [growing, shrinking, by_turns])
@pytest.mark.parametrize("moving", [0.0, 0.5])
async def test_one_key_overwritten_stays_one_entry(
    ttl: Callable[[int], float | None], moving: float, clock: Any
) -> None:
    cache = InMemoryCacheProvider[int](100, clock=clock)
    most = 0
    for turn in range(20_000):
        await cache.set("key", turn, ttl=ttl(turn))
        clock.turn(moving)
        if turn % 1000 == 999:
            most = max(most, objects_in(cache))
    assert most <= 2 * await filled(1, clock) + SLACK


async def test_setting_and_deleting_leaves_nothing(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for turn in range(5000):
        key = f"key {turn % 7}"
        await cache.set_with_tags(key, turn, ["all", f"tag {turn}"], ttl=10_000 - turn)
        assert await cache.delete(key)
    assert objects_in(cache) <= 2 * await filled(0, clock) + SLACK


async def test_many_keys_pass_through(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for turn in range(5000):
        await cache.set(f"key {turn}", turn, ttl=100_000 - turn)
    assert objects_in(cache) <= 2 * await filled(100, clock) + SLACK


async def test_many_tags_pass_through(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for turn in range(5000):
        await cache.set_with_tags(f"key {turn % 300}", turn, [f"tag {turn}", "all"], ttl=100_000)
    assert objects_in(cache) <= 2 * await filled(100, clock, ("one", "two")) + SLACK


async def test_invalidating_over_and_over(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for turn in range(5000):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn // 10}", f"other {turn}"], ttl=100_000 - turn)
        if turn % 10 == 9:
            assert await cache.invalidate_by_tag(f"tag {turn // 10}") == 10
    assert objects_in(cache) <= 2 * await filled(100, clock, ("one", "two")) + SLACK


async def test_what_expires_is_freed_by_the_calls_that_follow(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](100_000, clock=clock)
    for turn in range(20_000):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}"], ttl=10)
        clock.turn(1)
    assert objects_in(cache) <= 2 * await filled(20, clock, ("one",)) + SLACK


async def test_gets_alone_free_what_expired(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    for turn in range(2000):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}"], ttl=10)
    clock.turn(10)
    for _ in range(2000):
        assert await cache.get("never set") is None
    assert objects_in(cache) <= 2 * await filled(0, clock) + SLACK


async def test_what_the_policy_drops_by_itself_is_forgotten(clock: Any) -> None:
    policy = cachetools.TTLCache[str, Any](100_000, ttl=10, timer=clock.monotonic)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    for turn in range(10_000):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}"])
        clock.turn(1)
    assert objects_in(cache) <= 2 * await filled(20, clock, ("one",)) + SLACK


async def test_loads_that_are_done_or_failed_leave_nothing(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](10, clock=clock)

    async def fail() -> int:
        raise LookupError

    async def load() -> int:
        return 1

    for turn in range(3000):
        with pytest.raises(LookupError):
            await cache.get_or_set(f"key {turn}", fail, tags=[f"tag {turn}"])
        await cache.get_or_set(f"key {turn}", load, ttl=100_000 - turn, tags=[f"tag {turn}"])
    assert objects_in(cache) <= 2 * await filled(10, clock, ("one",)) + SLACK


async def one() -> int:
    return 1


async def test_what_is_at_hand_past_its_end_takes_no_room_beyond_the_bound(
    cache: InMemoryCacheProvider[int], clock: Any
) -> None:
    empty = objects_in(cache)
    for turn in range(5000):
        await cache.get_or_set(f"key {turn}", one, 10 + turn % 7, [f"tag {turn}"], stale=1e9, early=1)
        clock.turn(1)
    # Each has an object more, its end, than an entry that is not to be renewed.
    assert objects_in(cache) <= 2 * await filled(100, clock, ("one",)) + 2 * 100 + SLACK
    await cache.clear()
    assert objects_in(cache) <= empty + 20


async def test_what_was_at_hand_is_freed_by_the_calls_that_follow(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](100_000, clock=clock)
    for turn in range(10_000):
        await cache.get_or_set(f"key {turn}", one, 10, [f"tag {turn}"], stale=10)
        clock.turn(1)
    assert objects_in(cache) <= 2 * await filled(20, clock, ("one",)) + SLACK


async def test_one_key_renewed_over_and_over_stays_one_entry(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    for turn in range(5000):
        await cache.get_or_set("key", one, 1 + turn % 7, ["tag"], stale=100, early=1)
        clock.turn(3)
    await cache.close()
    assert objects_in(cache) <= 2 * await filled(1, clock, ("tag",)) + SLACK


async def test_what_the_policy_drops_of_what_is_at_hand_is_forgotten(clock: Any) -> None:
    policy = cachetools.TTLCache[str, Any](100_000, ttl=10, timer=clock.monotonic)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    for turn in range(5000):
        await cache.get_or_set(f"key {turn}", one, 5, [f"tag {turn}"], stale=1e9)
        clock.turn(1)
    assert objects_in(cache) <= 2 * await filled(20, clock, ("one",)) + SLACK


async def test_what_is_not_to_be_renewed_is_no_larger(clock: Any, footprint: Callable[[object], int]) -> None:
    async def fill(**more: Any) -> int:
        cache = InMemoryCacheProvider[int](clock=clock)
        for number in range(1000):
            await (cache.get_or_set(f"key {number}", one, 10, **more) if more else cache.set(f"key {number}", 1, 10))
        return footprint(cache)

    assert await fill(stale=0.0, early=0.0) <= await fill() + 1000
    assert await fill(stale=5) > await fill() + 1000 * 25


async def test_clearing_gives_all_of_it_back(cache: InMemoryCacheProvider[int], clock: Any) -> None:
    empty = objects_in(cache)
    for turn in range(100):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}"], ttl=100 + turn)
    assert objects_in(cache) > empty + 500
    await cache.clear()
    assert objects_in(cache) <= empty + 20
