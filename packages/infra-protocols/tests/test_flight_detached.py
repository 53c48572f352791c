"""Loads that nobody waits for: a flight's caller in a task that is apart from the load in which it was made."""

import asyncio
import contextvars

import pytest

from infra_protocols import Flight, LoadCycleError, detached

every_way = pytest.mark.usefixtures("reports", "tasks")


class Source:
    """A loader that is let go by hand."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.gate = asyncio.Event()

    async def load(self) -> int:
        self.begun += 1
        try:
            await self.gate.wait()
        finally:
            await asyncio.sleep(0)
            self.ended += 1
        return self.begun


async def ticks(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@every_way
async def test_the_load_is_on_its_way_at_once_and_lands() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    landed: list[int] = []
    assert "k" not in flight
    task = detached(flight.run("k", source.load, landed.append))
    assert "k" in flight
    source.gate.set()
    assert await task == 1
    assert landed == [1]
    assert "k" not in flight


@every_way
async def test_whoever_comes_joins_it() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    task = detached(flight.run("k", source.load))
    caller = asyncio.create_task(flight.run("k", source.load))
    await ticks()
    source.gate.set()
    assert [await task, await caller] == [1, 1]
    assert source.begun == 1


@every_way
async def test_those_who_joined_and_left_do_not_take_it_along() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    task = detached(flight.run("k", source.load))
    caller = asyncio.create_task(flight.run("k", source.load))
    await ticks()
    caller.cancel()
    await asyncio.wait((caller,))
    assert "k" in flight
    source.gate.set()
    assert await task == 1


@every_way
@pytest.mark.parametrize("begun", [True, False])
async def test_cancelled_it_takes_the_load_along_and_waits_for_its_clean_up(begun: bool) -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    task = detached(flight.run("k", source.load))
    if begun:
        await ticks()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert source.ended == source.begun
    assert "k" not in flight


@every_way
async def test_cancelled_it_leaves_the_load_to_those_who_joined() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    task = detached(flight.run("k", source.load))
    caller = asyncio.create_task(flight.run("k", source.load))
    await ticks()
    task.cancel()
    await asyncio.wait((task,))
    source.gate.set()
    assert await caller == 1


@every_way
async def test_what_the_load_raises_is_the_tasks() -> None:
    flight: Flight[str, int] = Flight()

    async def fail() -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await detached(flight.run("k", fail))


@every_way
async def test_forgotten_it_is_not_in_the_way() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    landed: list[int] = []
    task = detached(flight.run("k", source.load, landed.append))
    flight.forget("k")
    assert "k" not in flight
    source.gate.set()
    await task
    assert landed == []


@every_way
async def test_loads_that_go_on_beside_one_another_are_no_cycle() -> None:
    flight: Flight[str, int] = Flight()
    tasks: list[asyncio.Task[int]] = []

    async def waits_for_the_other() -> int:
        return await flight.run("one", starts_the_other) + 1

    async def starts_the_other() -> int:
        tasks.append(detached(flight.run("other", waits_for_the_other)))
        await ticks()
        return 1

    assert await flight.run("one", starts_the_other) == 1
    assert await tasks[0] == 2


@every_way
async def test_a_load_that_does_wait_for_what_it_detached_is_a_cycle() -> None:
    flight: Flight[str, int] = Flight()
    tasks: list[asyncio.Task[int]] = []

    async def waits_for_the_other() -> int:
        return await flight.run("one", joins_the_other)

    async def joins_the_other() -> int:
        tasks.append(detached(flight.run("other", waits_for_the_other)))
        await ticks()
        return await flight.run("other", waits_for_the_other)

    with pytest.raises(LoadCycleError):
        await flight.run("one", joins_the_other)
    with pytest.raises(LoadCycleError):
        await tasks[0]


@every_way
async def test_the_context_is_a_copy_of_the_callers() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")
    name.set("caller")

    async def load() -> str:
        seen = name.get()
        name.set("load")
        return seen

    assert await detached(load()) == "caller"
    assert name.get() == "caller"


def test_a_load_that_a_loop_left_behind_is_not_on_its_way() -> None:
    flight: Flight[str, int] = Flight()

    async def begin() -> asyncio.Task[int]:
        return detached(flight.run("k", Source().load))

    async def look() -> bool:
        return "k" in flight

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(begin())
    assert loop.run_until_complete(look())
    with asyncio.Runner() as runner:
        assert not runner.run(look())
    task.cancel()
    loop.run_until_complete(asyncio.wait((task,)))
    loop.close()
