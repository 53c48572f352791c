"""Loads by several processes: what is deleted or set meanwhile wins, and one may load for all."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from infra_protocols import CacheKey, LoadCycleError


class Held:
    """A loader that waits until it is let go."""

    def __init__(self, value: Any = 1) -> None:
        self.value = value
        self.runs = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self) -> Any:
        self.runs += 1
        self.begun.set()
        await self.go.wait()
        return self.value


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("one_loader", [False, True])
@pytest.mark.parametrize("how", ["delete", "delete_many", "invalidate_by_tag", "clear", "set", "set_with_tags"])
async def test_what_another_process_does_during_a_load_wins(redises: Any, how: str, one_loader: bool) -> None:
    ours, theirs = await redises.cache(one_loader=one_loader), await redises.cache(one_loader=one_loader)
    old, new = Held(1), Held(2)
    early = asyncio.create_task(ours.get_or_set("key", old, 60, ["red", "blue"]))
    await old.begun.wait()
    match how:
        case "delete_many":
            await theirs.delete_many(["key"])
        case "invalidate_by_tag":
            await theirs.invalidate_by_tag("blue")
        case "clear":
            await theirs.clear()
        case "set":
            await theirs.set("key", 2)
        case "set_with_tags":
            await theirs.set_with_tags("key", 2, ["red"])
        case _:
            await theirs.delete("key")
    # Whoever comes later loads anew, also in the process that is still loading.
    new.go.set()
    late = [await cache.get_or_set("key", new, 60, ["red"]) for cache in (ours, theirs)]
    old.go.set()
    assert (await early, late) == (1, [2, 2])
    assert await theirs.get("key") == 2
    assert new.runs == (0 if how.startswith("set") else 1)


@pytest.mark.parametrize("tags", [True, False])
async def test_a_load_is_kept_for_all_and_run_once_a_process(redises: Any, tags: bool) -> None:
    caches = [await redises.cache(tags=tags) for _ in range(2)]
    loaders = [Held(7) for _ in caches]
    calls = [
        asyncio.create_task(c.get_or_set("key", load))
        for c, load in zip(caches, loaders, strict=True)
        for _ in range(5)
    ]
    await until(lambda: all(loader.runs for loader in loaders))
    for loader in loaders:
        loader.go.set()
    assert await asyncio.gather(*calls) == [7] * 10
    assert [loader.runs for loader in loaders] == [1, 1]
    assert [await cache.get("key") for cache in caches] == [7, 7]


@pytest.mark.parametrize("tags", [True, False])
async def test_one_loads_for_all_processes(redises: Any, tags: bool) -> None:
    caches = [await redises.cache(one_loader=True, tags=tags) for _ in range(4)]
    loader = Held(7)
    calls = [asyncio.create_task(cache.get_or_set("key", loader)) for cache in caches for _ in range(5)]
    await until(lambda: loader.runs > 0)
    await asyncio.sleep(0.1)  # time enough for the others to come and see
    loader.go.set()
    assert await asyncio.gather(*calls) == [7] * 20
    assert loader.runs == 1


async def test_when_the_one_fails_or_is_cancelled_the_next_loads_at_once(redises: Any) -> None:
    ours, theirs = await redises.cache(one_loader=True, lease=60), await redises.cache(one_loader=True, lease=60)
    held, next_one = Held(1), Held(2)
    next_one.go.set()
    early = asyncio.create_task(ours.get_or_set("key", held))
    await held.begun.wait()
    late = asyncio.create_task(theirs.get_or_set("key", next_one))
    await asyncio.sleep(0.05)
    assert not late.done()
    early.cancel()
    async with asyncio.timeout(5):
        assert await late == 2

    async def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        await ours.get_or_set("other", fail)
    async with asyncio.timeout(5):
        assert await theirs.get_or_set("other", next_one) == 2


HOLDER = """
import asyncio, sys
from infra_cache.redis import RedisCacheProvider

async def load():
    print("loading", flush=True)
    await asyncio.sleep(3600)

async def main():
    async with RedisCacheProvider.from_url(sys.argv[1], int, sys.argv[2], one_loader=True, lease=0.6) as cache:
        await cache.get_or_set("key", load)

asyncio.run(main())
"""


async def test_the_one_may_die_and_only_one_takes_its_place(redises: Any) -> None:
    command = [sys.executable, "-c", HOLDER, redises.url, redises.namespace]
    holder = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"loading\n"
    caches = [await redises.cache(one_loader=True, lease=0.6) for _ in range(5)]
    loader = Held(7)
    calls = [asyncio.create_task(cache.get_or_set("key", loader)) for cache in caches]
    await asyncio.sleep(1.0)  # more than the lease: while it lives, the holder keeps it
    assert loader.runs == 0
    holder.kill()
    await holder.wait()
    await until(lambda: loader.runs > 0)
    await asyncio.sleep(0.2)
    loader.go.set()
    assert await asyncio.gather(*calls) == [7] * 5
    assert loader.runs == 1


async def test_a_load_that_takes_longer_than_the_lease_is_kept(redises: Any) -> None:
    cache, loader = await redises.cache(lease=0.15), Held(1)
    call = asyncio.create_task(cache.get_or_set("key", loader, tags=["red"]))
    await loader.begun.wait()
    await asyncio.sleep(0.5)
    loader.go.set()
    assert await call == 1
    assert await cache.get("key") == 1


async def test_a_loader_that_asks_another_process_for_its_own_key_ends(redises: Any) -> None:
    ours, theirs = await redises.cache(), await redises.cache()

    async def again() -> int:
        return await ours.get_or_set("key", again)

    async def there_and_back() -> int:
        return await theirs.get_or_set("key", again)

    for loader in (again, there_and_back):
        with pytest.raises(LoadCycleError):
            await ours.get_or_set("key", loader)


async def test_a_value_that_cannot_be_encoded_is_refused_and_the_next_loads(redises: Any) -> None:
    cache = await redises.cache()

    async def load() -> Any:
        return object()

    async def good() -> int:
        return 1

    with pytest.raises(ValueError, match="value"):
        await cache.get_or_set("key", load)
    assert await cache.get_or_set("key", good) == 1


async def test_typed_keys_have_codecs_of_their_own(redises: Any) -> None:
    cache, key = await redises.cache(), CacheKey("words", list[str])

    async def load() -> list[str]:
        return ["a", "b"]

    assert await cache.get_or_set(key, load) == ["a", "b"]
    assert await cache.get(key) == ["a", "b"]
    with pytest.raises(TypeError, match="words"):
        await cache.get("words")
