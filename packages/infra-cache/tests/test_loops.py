"""One cache, several event loops one after another."""

import asyncio
import gc
from typing import Any

import pytest

from infra_cache import InMemoryCacheProvider, cached


async def one() -> int:
    return 1


def ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None: ...


async def never() -> int:
    await asyncio.Event().wait()
    raise AssertionError


def test_what_one_loop_kept_the_next_one_finds() -> None:
    cache = InMemoryCacheProvider[int]()
    assert asyncio.run(cache.get_or_set("a", one)) == 1
    assert asyncio.run(cache.get("a")) == 1
    assert asyncio.run(cache.get_or_set("a", never)) == 1
    assert asyncio.run(cache.get_or_set("b", one)) == 1
    assert cache.stats().loads == 2


def test_a_load_that_its_loop_cancelled_does_not_hold_up_the_next_one() -> None:
    cache = InMemoryCacheProvider[int]()
    started: list[asyncio.Task[int]] = []

    async def leave_mid_load() -> None:
        started.append(asyncio.create_task(cache.get_or_set("a", never, tags=["tag"])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(leave_mid_load())
    assert cache.stats().loads == 1
    assert started[0].cancelled()
    assert asyncio.run(asyncio.wait_for(cache.get_or_set("a", one), 5)) == 1
    assert asyncio.run(cache.invalidate_by_tag("tag")) == 0
    assert asyncio.run(cache.get("a")) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_closed_mid_load_does_not_hold_up_the_next_one() -> None:
    cache = InMemoryCacheProvider[int]()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(ignore)  # it would tell of the task that it leaves behind
    task = loop.create_task(cache.get_or_set("a", never))
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    assert cache.stats().loads == 1
    loop.close()
    assert not task.done()

    assert asyncio.run(asyncio.wait_for(cache.get_or_set("a", one), 5)) == 1
    assert asyncio.run(cache.get("a")) == 1
    del task
    gc.collect()
    assert asyncio.run(cache.get("a")) == 1


def test_a_decorated_function_goes_from_loop_to_loop() -> None:
    runs: list[int] = []

    @cached(InMemoryCacheProvider[int]())
    async def double(number: int) -> int:
        runs.append(number)
        await asyncio.sleep(0)
        return 2 * number

    async def twice() -> list[int]:
        return [*await asyncio.gather(double(2), double(2))]

    assert asyncio.run(twice()) == [4, 4]
    assert asyncio.run(twice()) == [4, 4]
    assert runs == [2]
