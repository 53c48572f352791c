"""Values past their end: who gets them, who renews them, and what becomes of both."""

import asyncio
import logging
import math
from typing import Any

import pytest
from cachetools import FIFOCache, LFUCache, LRUCache, RRCache, TTLCache

from infra_cache import InMemoryCacheProvider
from infra_protocols import CacheKey, CacheTypeError, ValidationError


class Source:
    """A loader of 1, 2, 3, …, each let go by hand, unless it is open."""

    def __init__(self, *, held: bool = False) -> None:
        self.runs = self.ended = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    async def __call__(self) -> int:
        self.runs += 1
        run = self.runs
        try:
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            return run
        finally:
            self.ended += 1


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def loaded(clock: Any, source: Source, **more: Any) -> InMemoryCacheProvider[int]:
    """Return a cache in which the first value of `source` is over since 1 s, and at hand for another 4."""
    cache = InMemoryCacheProvider[int](clock=clock, **more)
    assert await cache.get_or_set("key", source, 10, ["tag"], stale=5) == 1
    clock.turn(11)
    return cache


async def test_an_old_value_is_returned_at_once_and_renewed(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.gate.clear()
    for _ in range(3):
        assert await cache.get_or_set("key", source, 10, stale=5) == 1
    await settle()
    assert source.runs == 2
    assert len(asyncio.all_tasks()) == 3, "those who are served leave no task each"
    source.gate.set()
    await settle()
    assert await cache.get("key") == 2
    clock.turn(9.9)
    assert await cache.get("key") == 2  # its time counts from when it was renewed


@pytest.mark.parametrize(
    ("kept_for", "asked", "after", "served"),
    [
        (5, 5, 4.9, True),
        (5, 5, 5, False),
        (5, 2, 1.9, True),
        (5, 2, 2, False),
        (2, 5, 1.9, True),
        (2, 5, 2, False),
        (0, 5, 0, False),
        (5, 0, 0, False),
        (math.inf, 10**400, 1e12, True),
        (math.inf, 5, 5, False),
    ],
)
@pytest.mark.parametrize("noticed", [False, True])
async def test_the_smaller_bound_counts(
    clock: Any, kept_for: float, asked: float, after: float, served: bool, noticed: bool
) -> None:
    cache, source = InMemoryCacheProvider[int](clock=clock), Source()
    await cache.get_or_set("key", source, 10, stale=kept_for)
    clock.turn(10)
    if noticed:
        assert cache.stats().size == 0
    clock.turn(after)
    assert await cache.get_or_set("key", source, 10, stale=asked) == (1 if served else 2)
    assert cache.stats().stale == served
    assert cache.stats().misses == (1 if served else 2)
    assert cache.stats().hits == served


@pytest.mark.parametrize("noticed", [False, True])
async def test_an_old_value_cannot_be_seen(clock: Any, noticed: bool) -> None:
    source = Source()
    cache = await loaded(clock, source)
    if noticed:
        assert cache.stats().size == 0
    assert await cache.get("key") is None
    assert await cache.get_entry("key") is None
    assert await cache.get_many(["key"]) == {}
    assert not await cache.exists("key")
    assert cache.peek("key", None) is None
    assert cache.stats().size == 0
    assert await cache.get_or_set("key", source, stale=5) == 1, "looking must not have thrown it away"


@pytest.mark.parametrize("noticed", [False, True])
@pytest.mark.parametrize("how", ["delete", "delete_many", "invalidate_by_tag", "clear", "set"])
@pytest.mark.parametrize("renewing", [False, True])
async def test_what_is_forgotten_is_not_returned_as_stale(clock: Any, noticed: bool, how: str, renewing: bool) -> None:
    source = Source()
    cache = await loaded(clock, source)
    if noticed:
        assert cache.stats().size == 0
    source.gate.clear()
    if renewing:
        assert await cache.get_or_set("key", source, 10, ["tag"], stale=5) == 1
        await settle()
    match how:
        case "delete":
            assert not await cache.delete("key")
        case "delete_many":
            assert await cache.delete_many(["key"]) == 0
        case "invalidate_by_tag":
            assert await cache.invalidate_by_tag("tag") == 0
        case "clear":
            await cache.clear()
        case _:
            await cache.set("key", 70, 2)
            assert await cache.get_or_set("key", source, stale=5) == 70
            clock.turn(2)
    caller = asyncio.create_task(cache.get_or_set("key", source, 10, stale=5))
    await settle()
    assert not caller.done()
    source.gate.set()
    assert await caller == source.runs == 2 + renewing
    assert await cache.get("key") == source.runs
    assert cache.stats().size == 1


async def test_who_cannot_be_served_waits_for_the_renewal(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.gate.clear()
    await cache.get_or_set("key", source, stale=5)
    callers = [asyncio.create_task(cache.get_or_set("key", source, stale=bound)) for bound in (0, 0.5)]
    await settle()
    assert not any(caller.done() for caller in callers)
    source.gate.set()
    assert await asyncio.gather(*callers) == [2, 2]
    assert source.runs == 2


async def test_while_others_load_nothing_more_is_started(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.gate.clear()
    caller = asyncio.create_task(cache.get_or_set("key", source))
    await settle()
    assert await cache.get_or_set("key", source, stale=5) == 1
    source.gate.set()
    assert await caller == 2
    assert source.runs == 2


async def test_a_renewal_that_fails_leaves_the_value_and_the_next_caller_tries_again(
    clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.error = LookupError("the source is down")
    assert await cache.get_or_set("key", source, stale=5) == 1
    await settle()
    source.error = None
    assert await cache.get_or_set("key", source, stale=5) == 1
    await settle()
    assert await cache.get("key") == source.runs == 3
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("infra_cache", logging.WARNING)
    assert "key" in record.message
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


async def test_a_renewal_that_is_cancelled_from_inside_is_told_too(
    clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cache = await loaded(clock, Source())

    async def cancelled() -> int:
        raise asyncio.CancelledError

    assert await cache.get_or_set("key", cancelled, stale=5) == 1
    await settle()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_renewed_value_that_is_too_large_leaves_the_old_one(clock: Any) -> None:
    cache = InMemoryCacheProvider[str](max_size=3, getsizeof=len, clock=clock)

    async def load(value: str) -> str:
        return value

    await cache.get_or_set("key", lambda: load("abc"), 10, stale=5)
    clock.turn(10)
    for _ in range(2):
        assert await cache.get_or_set("key", lambda: load("abcd"), 10, stale=5) == "abc"
        await settle()
    assert cache.stats().loads == 3


async def test_a_typed_key_gets_an_old_value_of_its_type_only(clock: Any) -> None:
    cache, words = InMemoryCacheProvider[Any](clock=clock), CacheKey("key", str)

    async def text() -> str:
        return "text"

    await cache.get_or_set("key", Source(), 10, stale=5)
    clock.turn(10)
    with pytest.raises(CacheTypeError):
        await cache.get_or_set(words, text, 10, stale=5)
    await settle()
    assert await cache.get_or_set(words, text, 10, stale=5) == "text"
    clock.turn(10)
    assert await cache.get_or_set(words, text, 10, stale=5) == "text"
    assert cache.stats().stale == 2


async def test_a_plain_load_of_an_old_value_leaves_nothing_to_return_as_stale(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    assert await cache.get_or_set("key", source, 10) == 2
    clock.turn(10)
    assert await cache.get_or_set("key", source, 10, stale=5) == 3


async def test_no_bad_bound_is_taken(clock: Any) -> None:
    cache, source = InMemoryCacheProvider[int](clock=clock), Source()
    bad: Any
    for bad in (-1, -0.001, math.nan, -math.inf, "1", None, True, False):
        with pytest.raises(ValidationError) as refusal:
            await cache.get_or_set("key", source, stale=bad)
        assert refusal.value.field == "stale"
        with pytest.raises(ValidationError) as refusal:
            await cache.get_or_set("key", source, early=bad)
        assert refusal.value.field == "early"
    with pytest.raises(ValidationError, match="early must be between 0 and"):
        await cache.get_or_set("key", source, early=math.inf)
    assert source.runs == 0
    assert await cache.get_or_set("key", source, stale=0, early=0) == 1


@pytest.mark.parametrize("policy", [LRUCache, FIFOCache, LFUCache, RRCache])
async def test_what_is_at_hand_goes_before_what_lives(clock: Any, policy: Any) -> None:
    cache = InMemoryCacheProvider[int](max_size=30, policy=policy, clock=clock)
    live = [f"live {number}" for number in range(10)]
    await cache.set_many(dict.fromkeys(live, 1))
    for number in range(10):
        await cache.get_or_set(f"old {number}", Source(), 5 + number / 100, stale=100)
        await cache.set(f"over {number}", 1, 6 + number / 100)
    clock.turn(7)
    assert cache.stats().expirations == 10
    for number in range(15):
        await cache.set(f"new {number}", 1)
    kept = [await cache.get_or_set(f"old {number}", Source(held=True), stale=100) for number in range(5, 10)]
    assert kept == [1] * 5
    assert len(await cache.get_many(live)) == 10
    for number in range(15, 20):
        await cache.set(f"new {number}", 1)
    assert (cache.stats().evictions, cache.stats().expirations, cache.stats().size) == (0, 20, 30)
    assert len(await cache.get_many(live)) == 10
    await cache.set("one more", 1)
    assert cache.stats().evictions == 1
    await cache.close()


async def test_no_call_goes_through_many_that_end_at_once(clock: Any) -> None:
    policy: LRUCache[str, int] = LRUCache(1000)
    cache = InMemoryCacheProvider[int](policy=policy, clock=clock)
    for number in range(1000):
        await cache.get_or_set(f"key {number}", Source(), 5, stale=100)
    clock.turn(5)
    for number in range(10):
        await cache.set(f"new {number}", 1)
    assert len(cache._entries._lingering) < 100  # pyright: ignore[reportPrivateUsage]
    assert len(policy) == 1000


async def test_a_policy_of_its_own_mind_may_drop_what_is_at_hand(clock: Any) -> None:
    policy = TTLCache[str, Any](100, ttl=7, timer=clock.monotonic)
    cache, source = InMemoryCacheProvider[int](policy=policy, clock=clock), Source()
    await cache.get_or_set("key", source, 5, stale=100)
    clock.turn(5)
    assert await cache.get_or_set("key", Source(held=True), 5, stale=100) == 1
    await cache.close()
    clock.turn(5)
    assert await cache.get_or_set("key", source, 5, stale=100) == 2


async def test_close_ends_the_renewals_and_the_cache_goes_on(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.gate.clear()
    async with cache as entered:
        assert entered is cache
        await cache.get_or_set("key", source, stale=5)
        await settle()
    assert (source.runs, source.ended) == (2, 2)
    await cache.close()
    source.gate.set()
    assert await cache.get_or_set("key", source, stale=5) == 1
    await settle()
    assert await cache.get("key") == 3


async def test_close_leaves_the_load_to_those_who_wait_for_it(clock: Any) -> None:
    source = Source()
    cache = await loaded(clock, source)
    source.gate.clear()
    await cache.get_or_set("key", source, stale=5)
    caller = asyncio.create_task(cache.get_or_set("key", source))
    await settle()
    await cache.close()
    source.gate.set()
    assert await caller == 2


async def test_a_renewal_that_closes_the_cache_does_not_wait_for_itself(clock: Any) -> None:
    cache = await loaded(clock, Source())

    async def closes() -> int:
        await cache.close()
        return 2

    await cache.get_or_set("key", closes, stale=5)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_renewals_of_a_loop_that_is_gone_are_in_nobodys_way(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)

    async def first() -> None:
        source = Source()
        await cache.get_or_set("key", source, 10, stale=5)
        clock.turn(11)
        source.gate.clear()
        await cache.get_or_set("key", source, stale=5)

    async def one() -> int:
        return 70

    async def second() -> None:
        await cache.close()
        assert await cache.get_or_set("key", one, stale=5) == 1
        await settle()
        assert await cache.get("key") == 70

    loop = asyncio.new_event_loop()
    loop.run_until_complete(first())
    tasks = asyncio.all_tasks(loop)
    assert tasks
    asyncio.run(cache.close())
    asyncio.run(second())
    assert not cache._loads._renewals._tasks  # pyright: ignore[reportPrivateUsage]
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))
    loop.close()
    assert asyncio.run(cache.get("key")) == 70
