"""Renewal before the end, by chance: the sooner the longer a load takes."""

import asyncio
import math
import random
from typing import Any

import pytest

from infra_cache import InMemoryCacheProvider, cached


class Slow:
    """A loader of 1, 2, 3, … that takes some seconds of the clock."""

    def __init__(self, clock: Any, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.runs = 0

    async def __call__(self) -> int:
        self.runs += 1
        self.clock.turn(self.seconds)
        return self.runs


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every random number be such that its logarithm, of what is left to 1, is -1."""
    monkeypatch.setattr(random, "random", lambda: 1 - math.exp(-1))


@pytest.mark.usefixtures("chance")
@pytest.mark.parametrize(("early", "due"), [(1, 8), (2, 6), (0.5, 9), (5, 0), (0.0, None)])
async def test_it_is_time_as_the_paper_says(clock: Any, early: float, due: int | None) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2)
    await cache.get_or_set("key", slow, 10, early=5)
    renewed: list[int] = []
    start = clock.time

    async def never() -> int:
        renewed.append(int(clock.time - start))
        await asyncio.Event().wait()
        raise AssertionError

    for _ in range(10):
        assert await cache.get_or_set("key", never, 10, early=early) == 1
        await settle()
        await cache.close()
        clock.turn(1)
    assert renewed == ([] if due is None else list(range(due, 10)))


@pytest.mark.usefixtures("chance")
async def test_hits_go_on_until_the_renewal_lands(clock: Any) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2)
    gate = asyncio.Event()

    async def held() -> int:
        await gate.wait()
        return 70

    await cache.get_or_set("key", slow, 10, early=1)
    clock.turn(9)
    for _ in range(5):
        assert await cache.get_or_set("key", held, 10, early=1) == 1
        await settle()
    assert cache.stats().loads == 2
    assert cache.stats().hits == 5
    gate.set()
    await settle()
    assert await cache.get("key") == 70


@pytest.mark.usefixtures("chance")
async def test_only_what_was_loaded_with_early_is_renewed_early(clock: Any) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2)
    await cache.get_or_set("plain", slow, 20)
    await cache.get_or_set("stale", slow, 20, stale=5)
    await cache.get_or_set("endless", slow, early=1)
    await cache.set("set", 1, 20)
    clock.turn(15)
    for key in ("plain", "stale", "endless", "set"):
        await cache.get_or_set(key, slow, 20, early=9)
    await settle()
    assert slow.runs == 3


@pytest.mark.usefixtures("chance")
async def test_what_was_renewed_early_is_renewed_again(clock: Any) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2)
    await cache.get_or_set("key", slow, 10, early=1, stale=3)
    for run in (1, 2, 3):
        for _ in range(8):
            assert cache.stats().size == 1  # which has what is due looked at
            assert await cache.get_or_set("key", slow, 10, early=1) == slow.runs == run
            await settle()
            clock.turn(1)
        assert await cache.get_or_set("key", slow, 10, early=1, stale=3) == run
        await settle()
    clock.turn(10)
    assert cache.stats().size == 0
    assert await cache.get_or_set("key", slow, 10, stale=3) == 4


@pytest.mark.usefixtures("chance")
async def test_what_is_set_afterwards_is_not_renewed_early(clock: Any) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 9)
    await cache.get_or_set("key", slow, 10, early=9, stale=5)
    await cache.set("key", 70, 10.0)
    clock.turn(9)
    assert await cache.get_or_set("key", slow, 10, early=9) == 70
    await settle()
    assert slow.runs == 1
    clock.turn(1)
    assert await cache.get_or_set("key", slow, 10, stale=5) == 2


async def test_the_draw_never_fails(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, slow = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2)
    await cache.get_or_set("key", slow, 10, early=1)
    for extreme in (0.0, math.nextafter(1.0, 0.0)):
        monkeypatch.setattr(random, "random", lambda extreme=extreme: extreme)
        assert await cache.get_or_set("key", slow, 10, early=1e308) == 1
        await settle()


async def test_the_renewals_are_spread_as_the_paper_says(clock: Any) -> None:
    # Of many lookups t seconds before the end, a share of exp(-t / (took * beta)) renews.
    random.seed(7)
    cache, slow, keys = InMemoryCacheProvider[int](clock=clock), Slow(clock, 2), range(4000)
    for key in keys:
        await cache.get_or_set(f"key {key}", slow, 10, early=1)
        clock.turn(6)
        await cache.get_or_set(f"key {key}", slow, 10, early=1)
        await settle()
    assert slow.runs / len(keys) - 1 == pytest.approx(math.exp(-4 / 2), abs=0.02)


@pytest.mark.usefixtures("chance")
async def test_a_decorated_function_is_renewed_early_and_past_its_end(clock: Any) -> None:
    cache = InMemoryCacheProvider[int](clock=clock)
    slow = Slow(clock, 2)

    @cached(cache, ttl=10, early=1)
    async def early() -> int:
        return await slow()

    @cached(cache, ttl=10, stale=5)
    async def stale() -> int:
        return await slow()

    assert [await early(), await early()] == [1, 1]
    clock.turn(8)
    assert await early() == 1
    await settle()
    assert await early() == slow.runs == 2
    assert await stale() == 3
    clock.turn(12)
    assert await stale() == 3
    await settle()
    assert await stale() == 4
