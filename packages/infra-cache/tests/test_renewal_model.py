"""Any sequence of calls, and of time passing, with renewals: against a dict of what there is and what was."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_cache import InMemoryCacheProvider

KEYS = st.sampled_from("abc")
TAGS = st.sampled_from(["red", "blue"])
TTLS = st.sampled_from([2.0, 1.0, 4.0, None])
BOUNDS = st.sampled_from([3.0, 1.0, 8.0, 0.0])
LOADS = st.tuples(st.just("load"), KEYS, TTLS, BOUNDS, st.lists(TAGS, unique=True))
COUNTS = st.tuples(st.just("count"))
OTHERS = st.one_of(
    st.tuples(st.just("set"), KEYS, TTLS, st.lists(TAGS, unique=True)),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("invalidate"), TAGS),
    st.tuples(st.just("clear")),
)
TURNS = st.tuples(st.just("turn"), st.sampled_from([1.0, 2.0, 3.0]))
STEPS = st.lists(LOADS | LOADS | COUNTS | TURNS | TURNS | OTHERS, min_size=20, max_size=40)


@dataclass
class Was:
    value: int
    end: float
    stale: float
    tags: list[str]


class Clock:
    time = 0.0

    def monotonic(self) -> float:
        return self.time

    now: Any = None


@pytest.mark.parametrize("max_size", [3, 2, 1])
@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_what_is_seen_and_what_is_at_hand(max_size: int, steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(run(max_size, steps))


async def run(max_size: int, steps: list[tuple[Any, ...]]) -> None:
    clock, model, value = Clock(), dict[str, Was](), 0
    cache = InMemoryCacheProvider[int](max_size=max_size, clock=clock)
    roomy = max_size == 3  # else some of it may be gone

    async def load() -> int:
        return value

    def seen(key: str) -> bool:
        return key in model and clock.time < model[key].end

    def end(ttl: float | None) -> float:
        return float("inf") if ttl is None else clock.time + ttl

    for step in steps:
        value += 1
        match step:
            case "load", key, ttl, stale, tags:
                got = await cache.get_or_set(key, load, ttl, tags, stale=stale)
                for _ in range(4):
                    await asyncio.sleep(0)
                was = model.get(key)
                if was is not None and clock.time < was.end + min(was.stale, stale):
                    assert got == was.value or (not roomy and got == value)
                else:
                    assert got == value or seen(key)
                if got == value or not seen(key):
                    model[key] = Was(value, end(ttl), stale, tags)
            case "set", key, ttl, tags:
                await cache.set_with_tags(key, value, tags, ttl)
                model[key] = Was(value, end(ttl), 0.0, tags)
            case "get", key:
                got = await cache.get(key)
                assert got == (model[key].value if seen(key) else None) or (not roomy and got is None)
            case "delete", key:
                assert await cache.delete(key) == seen(key) or not roomy
                model.pop(key, None)
            case "invalidate", tag:
                gone = sum(seen(key) and tag in was.tags for key, was in model.items())
                assert await cache.invalidate_by_tag(tag) == gone or not roomy
                model = {key: was for key, was in model.items() if tag not in was.tags}
            case "turn", seconds:
                clock.time += seconds
            case ("clear",):
                await cache.clear()
                model.clear()
            case _:
                assert cache.stats().size == sum(map(seen, model)) or not roomy
        consistent(cache)


def consistent(cache: Any) -> None:
    entries = cache._entries
    lifetimes, policy = entries._lifetimes, entries.policy
    assert len(policy) <= policy.maxsize
    assert not lifetimes.moments.keys() & lifetimes.lingering.keys()
    assert set(policy) == {*lifetimes.moments, *lifetimes.lingering, *entries._invalidated}
    assert entries.tagged.keys() <= set(policy)
    leases = [lease for lease in lifetimes.heap if lease.key]
    assert len(leases) == len({lease.key for lease in leases}) == len(lifetimes.heap) - lifetimes._spoilt
    held = [*lifetimes.moments.values(), *lifetimes.lingering.values()]
    assert {id(lease) for lease in leases} == {id(each) for each in held if hasattr(each, "key")}
    assert lifetimes.heap[:1] == sorted(lifetimes.heap)[:1]
