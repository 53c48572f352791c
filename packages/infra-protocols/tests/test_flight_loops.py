"""A flight belongs to no event loop: it is used under several, one after another."""

import asyncio
import contextlib
import gc
import importlib
import importlib.util
from collections.abc import Callable

import pytest

from infra_protocols import Flight, LoadCycleError


def eager() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"plain": asyncio.new_event_loop, "eager": eager}
if importlib.util.find_spec("uvloop"):
    LOOPS["uvloop"] = importlib.import_module("uvloop").new_event_loop

every_loop = pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)


async def answer() -> int:
    await asyncio.sleep(0)
    return 1


@every_loop
def test_made_outside_any_loop_and_used_under_several(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    flight: Flight[str, int] = Flight()
    for _ in range(3):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(flight.run("k", answer)) == 1
    assert len(flight) == 0


@every_loop
def test_a_load_of_a_loop_that_is_gone_is_not_joined(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    flight: Flight[str, int] = Flight()
    landed: list[int] = []

    async def never() -> int:
        await asyncio.Event().wait()
        raise AssertionError

    loop = new_loop()
    abandoned = loop.create_task(flight.run("k", never, landed.append))
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert len(flight) == 1
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(flight.run("k", answer, landed.append)) == 1
    assert landed == [1]
    assert len(flight) == 0
    # asyncio reports the two tasks that were closed in mid-air, and nothing else goes wrong when they are collected.
    del abandoned
    gc.collect()
    destroyed = [record for record in caplog.records if "destroyed" in record.message]
    assert len(destroyed) == len(caplog.records)


@every_loop
def test_a_load_left_behind_by_a_loop_that_goes_on_does_not_land(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    flight: Flight[str, int] = Flight()
    landed: list[int] = []

    async def late() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 0

    first = new_loop()
    early = first.create_task(flight.run("k", late, landed.append))
    first.run_until_complete(asyncio.sleep(0))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(flight.run("k", answer, landed.append)) == 1
    assert first.run_until_complete(early) == 0
    first.close()
    assert landed == [1]


@every_loop
def test_cancellation_and_cycles(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    flight: Flight[str, int] = Flight()
    cleaned: list[str] = []

    async def forever() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("load")
        raise AssertionError

    async def cycle() -> int:
        return await flight.run("cycle", cycle)

    async def main() -> None:
        caller = asyncio.create_task(flight.run("k", forever))
        for _ in range(3):
            await asyncio.sleep(0)
        caller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller
        assert cleaned == ["load"]
        with pytest.raises(LoadCycleError):
            await flight.run("cycle", cycle)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@every_loop
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_load_ends_the_program_in_order(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    interrupt: type[BaseException],
    caplog: pytest.LogCaptureFixture,
) -> None:
    flight: Flight[str, int] = Flight()
    cleaned: list[int] = []

    async def load() -> int:
        await asyncio.sleep(0)
        raise interrupt

    async def caller(number: int) -> None:
        try:
            await flight.run("k", load)
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)

    async def main() -> None:
        await asyncio.gather(*(caller(number) for number in range(3)))

    with pytest.raises(interrupt), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert sorted(cleaned) == [0, 1, 2]
    assert len(flight) == 0
    assert caplog.records == []


@every_loop
def test_an_interrupt_from_outside_ends_loads_and_callers(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    flight: Flight[str, int] = Flight()
    ended: list[str] = []

    async def load() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("load")
        raise AssertionError

    async def caller() -> None:
        try:
            await flight.run("k", load)
        finally:
            ended.append("caller")

    async def main() -> None:
        others = [asyncio.create_task(caller()) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(others) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert sorted(ended) == ["caller", "caller", "load"]
    assert len(flight) == 0
