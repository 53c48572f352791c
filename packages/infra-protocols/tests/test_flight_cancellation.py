"""A caller of a flight may be cancelled at any moment: nobody else notices, and nothing is left behind."""

import asyncio
import gc
import itertools
from collections.abc import Coroutine, Generator
from typing import Any

import pytest

from infra_protocols import Flight, LoadCancelledError

type Reports = list[dict[str, Any]]

pytestmark = pytest.mark.usefixtures("tasks")


class Source:
    """A loader that waits a few times, and cleans up for a while."""

    def __init__(self, waits: int = 3, cleans: int = 2, error: BaseException | None = None) -> None:
        self.calls = 0
        self.running = 0
        self.cancelled = 0
        self._waits = waits
        self._cleans = cleans
        self._error = error

    async def load(self) -> int:
        self.calls += 1
        self.running += 1
        call = self.calls
        try:
            await ticks(self._waits)
            if self._error is not None:
                raise self._error
            return call
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            try:
                await ticks(self._cleans)
            finally:
                self.running -= 1


async def ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


NEVER = 99
MOMENTS = (*range(11), NEVER)


@pytest.mark.parametrize("error", [None, ConnectionError("boom"), asyncio.CancelledError()], ids=repr)
async def test_each_caller_cancelled_at_each_moment(error: BaseException | None, reports: Reports) -> None:
    for plan in itertools.product(MOMENTS, repeat=3):
        await cancel_by(plan, error)
    assert reports == []


async def cancel_by(plan: tuple[int, ...], error: BaseException | None) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(error=error)
    landed: list[int] = []
    callers = [asyncio.create_task(flight.run("k", source.load, landed.append)) for _ in plan]
    cancelled: set[int] = set()
    for moment in range(max(MOMENTS[:-1]) + 1):
        for number, caller in enumerate(callers):
            if plan[number] == moment and caller.cancel():
                cancelled.add(number)
        await asyncio.sleep(0)
    await asyncio.wait(callers)

    assert source.running == 0, f"{plan}: the load or its clean-up still runs"
    assert source.calls <= 1, plan
    assert len(flight) == 0, plan
    for number, caller in enumerate(callers):
        assert caller.cancelled() == (number in cancelled), f"{plan}: caller {number}"
        if caller.cancelled():
            continue
        if error is None:
            assert caller.result() == 1, plan
        elif isinstance(error, asyncio.CancelledError):
            assert isinstance(caller.exception(), LoadCancelledError), plan
        else:
            assert caller.exception() is error, plan
    if error is None and len(cancelled) < len(plan):
        assert landed == [1], plan
        assert source.cancelled == 0, plan


async def test_the_leader_may_go(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    leader = asyncio.create_task(flight.run("k", source.load))
    await ticks(1)
    follower = asyncio.create_task(flight.run("k", source.load))
    await ticks(1)
    leader.cancel()
    assert await follower == 1
    assert leader.cancelled()
    assert source.cancelled == 0


async def test_the_last_to_go_takes_the_load_along_and_waits_for_its_clean_up(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(waits=1000)
    callers = [asyncio.create_task(flight.run("k", source.load)) for _ in range(3)]
    await ticks(3)
    callers[1].cancel()
    callers[0].cancel()
    await ticks(3)
    assert callers[0].done()
    assert callers[1].done()
    assert source.running == 1
    callers[2].cancel()
    await asyncio.wait(callers)
    assert (source.running, source.cancelled) == (0, 1)


async def test_an_abandoned_load_is_out_of_the_way_of_newcomers(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(waits=1000, cleans=20)
    landed: list[int] = []
    caller = asyncio.create_task(flight.run("k", source.load, landed.append))
    await ticks(2)
    caller.cancel()
    await ticks(2)
    assert source.running == 1
    assert len(flight) == 0
    other = Source()
    assert await flight.run("k", other.load, landed.append) == 1
    await asyncio.wait([caller])
    assert landed == [1]


async def test_a_newcomer_saves_a_load_whose_callers_are_about_to_go(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    caller = asyncio.create_task(flight.run("k", source.load))
    await ticks(2)
    joined = asyncio.create_task(flight.run("k", source.load))
    caller.cancel()
    assert await joined == 1
    assert source.cancelled == 0
    assert caller.cancelled()


async def test_a_caller_cancelled_twice_need_not_wait_for_the_clean_up(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(waits=1000, cleans=20)
    caller = asyncio.create_task(flight.run("k", source.load))
    await ticks(2)
    caller.cancel()
    await ticks(3)
    assert not caller.done()
    caller.cancel()
    await ticks(2)
    assert caller.cancelled()
    assert source.running == 1
    await ticks(25)
    assert source.running == 0


async def test_result_and_cancellation_in_the_same_tick(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    landed: list[int] = []
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def load() -> int:
        return await answer

    caller = asyncio.create_task(flight.run("k", load, landed.append))
    other = asyncio.create_task(flight.run("k", load, landed.append))
    await ticks(2)
    answer.set_result(5)
    await ticks(1)
    caller.cancel()  # the load is done, its outcome on the way to the callers
    assert await other == 5
    assert landed == [5]
    assert caller.cancelled()


async def test_all_cancelled_in_the_tick_of_the_result(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    landed: list[int] = []
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    caller = asyncio.create_task(flight.run("k", lambda: answer, landed.append))
    await ticks(2)
    answer.set_result(5)
    await ticks(1)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert landed == [5]  # it was loaded and nobody forgot it: there is no reason to throw it away


async def test_a_refused_landing_is_reported_when_nobody_waits(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    refusal = ValueError("not this")

    def land(_: int) -> None:
        raise refusal

    caller = asyncio.create_task(flight.run("k", lambda: answer, land))
    await ticks(2)
    answer.set_result(5)
    await ticks(1)
    caller.cancel()
    await asyncio.wait([caller])
    assert [report["exception"] for report in reports] == [refusal]
    reports.clear()


async def test_what_an_abandoned_load_raises_is_reported(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()

    async def load() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("in the clean-up") from None
        raise AssertionError

    caller = asyncio.create_task(flight.run("k", load))
    await ticks(2)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    del caller
    await ticks(1)
    gc.collect()
    assert [str(report["exception"]) for report in reports] == ["in the clean-up"]
    reports.clear()


async def test_an_abandoned_load_that_ends_well_does_not_land(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    landed: list[int] = []

    async def load() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 1
        raise AssertionError

    caller = asyncio.create_task(flight.run("k", load, landed.append))
    await ticks(2)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert landed == []


async def test_a_timeout_of_a_caller_is_its_own(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    gate = asyncio.Event()

    async def load() -> int:
        await gate.wait()
        return 1

    other = asyncio.create_task(flight.run("k", load))
    await ticks(2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await flight.run("k", load)
    gate.set()
    assert await other == 1


async def test_a_timeout_of_the_only_caller_ends_the_load(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(waits=1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await flight.run("k", source.load)
    assert source.running == 0
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_cancellation_goes_down_through_nested_loads(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    inner = Source(waits=1000)
    outer_cleaned: list[int] = []

    async def outer() -> int:
        try:
            return await flight.run("inner", inner.load)
        finally:
            outer_cleaned.append(inner.running)

    caller = asyncio.create_task(flight.run("outer", outer))
    await ticks(4)
    assert inner.running == 1
    caller.cancel()
    await asyncio.wait([caller])
    assert outer_cleaned == [0]
    assert len(flight) == 0


class Struck:
    """Awaits a coroutine and has it fail where it first waits, as a fault injector does."""

    def __init__(self, call: Coroutine[Any, Any, int], fault: Exception) -> None:
        self._call = call
        self._fault = fault

    def __await__(self) -> Generator[Any, Any, int]:
        self._call.send(None)
        yield None
        yield None
        awaited = self._call.throw(self._fault)
        while True:
            yield awaited
            try:
                awaited = self._call.send(None)
            except StopIteration as end:
                return end.value


async def test_a_fault_thrown_into_the_only_caller_ends_the_load(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source(waits=1000)
    with pytest.raises(ConnectionResetError):
        await Struck(flight.run("k", source.load), ConnectionResetError())
    assert (source.running, source.cancelled) == (0, 1)
    assert len(flight) == 0


async def test_keyboard_interrupt_in_a_task_factory_leaves_nothing_behind(reports: Reports) -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    loop = asyncio.get_running_loop()
    usual = loop.get_task_factory()

    def interrupted(*args: Any, **options: Any) -> asyncio.Future[Any]:
        args[1].close()
        raise KeyboardInterrupt

    loop.set_task_factory(interrupted)
    with pytest.raises(KeyboardInterrupt):
        await flight.run("k", source.load)
    loop.set_task_factory(usual)
    assert await flight.run("k", source.load) == 1
