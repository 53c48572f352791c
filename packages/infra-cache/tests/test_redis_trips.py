"""How often Redis is asked: once a call, once for all calls of one turn of the loop."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest


class Counted:
    """Counts the exchanges of a cache's line, and notes their commands."""

    def __init__(self, cache: Any) -> None:
        self.trips: list[list[bytes]] = []
        link = cache._line._link
        exchange = link.exchange

        async def counted(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
            self.trips.append([command[0] for command in commands])
            replies: list[Any] = await exchange(commands)
            return replies

        link.exchange = counted


@pytest.fixture
async def cache(redises: Any) -> Any:
    made = await redises.cache()

    async def load() -> int:
        return 1

    # So that Redis knows all the scripts.
    await made.set_with_tags("warm", 1, ["warm"])
    await made.get_or_set("warmer", load, tags=["warm"])
    await made.get("warm")
    await made.delete("warm")
    await made.invalidate_by_tag("warm")
    return made


async def one() -> int:
    return 1


async def test_each_call_is_one_round_trip_and_a_load_is_two(cache: Any) -> None:
    counted = Counted(cache)
    many = {f"key {number}": number for number in range(50)}
    for trips, call in (
        (1, lambda: cache.set("key", 1)),
        (1, lambda: cache.get("key")),
        (1, lambda: cache.get_entry("key")),
        (1, lambda: cache.exists("key")),
        (1, lambda: cache.set_with_tags("key", 1, ["red", "blue"])),
        (1, lambda: cache.get("key")),
        (1, lambda: cache.get_or_set("key", one, tags=["red"])),
        (2, lambda: cache.get_or_set("absent", one, tags=["red"])),
        (1, lambda: cache.invalidate_by_tag("red")),
        (1, lambda: cache.delete("key")),
        (1, lambda: cache.set_many(many, tags=["red"])),
        (1, lambda: cache.set_many(many)),
        (1, lambda: cache.get_many(many)),
        (1, lambda: cache.delete_many(many)),
    ):
        counted.trips.clear()
        await call()
        assert len(counted.trips) == trips


@pytest.mark.parametrize("count", [2, 100])
async def test_gets_of_one_turn_are_one_command(cache: Any, count: int) -> None:
    await cache.set_many({f"key {number}": number for number in range(count)})
    counted = Counted(cache)
    found = await asyncio.gather(*(cache.get(f"key {number % count}") for number in range(2 * count)))
    assert found == [*range(count), *range(count)]
    assert [len(commands) for commands in counted.trips] == [1]


async def test_without_tags_gets_are_a_plain_mget(redises: Any) -> None:
    cache = await redises.cache(tags=False)
    counted = Counted(cache)
    await asyncio.gather(*(cache.get(f"key {number}") for number in range(3)))
    assert counted.trips == [["MGET"]]


async def test_waiters_of_one_key_ask_once(cache: Any) -> None:
    counted = Counted(cache)
    assert await asyncio.gather(*(cache.get_or_set("fresh", one) for _ in range(100))) == [1] * 100
    assert sum(map(len, counted.trips)) == 2


async def test_what_comes_meanwhile_waits_and_goes_together(cache: Any) -> None:
    counted = Counted(cache)
    first = asyncio.create_task(cache.set("first", 1))
    while not counted.trips:  # noqa: ASYNC110
        await asyncio.sleep(0)
    rest = [asyncio.create_task(cache.set(f"key {number}", number)) for number in range(5)]
    await asyncio.gather(first, *rest)
    assert [len(commands) for commands in counted.trips] == [1, 5]
