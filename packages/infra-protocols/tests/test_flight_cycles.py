"""Loads that wait for one another: refused when nobody could go on, and only then."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from infra_protocols import Flight, LoadCycleError

pytestmark = pytest.mark.usefixtures("reports", "tasks")

type Flights = Flight[object, int]


def asks(flight: Flights, key: object, load: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        await asyncio.sleep(0)
        return await flight.run(key, load)

    return ask


@pytest.mark.parametrize("length", [1, 2, 3, 10])
@pytest.mark.parametrize("waits", [True, False])
async def test_a_cycle_is_refused(length: int, waits: bool) -> None:
    flight: Flights = Flight()

    async def load(number: int) -> int:
        if waits:
            await asyncio.sleep(0)
        following = (number + 1) % length
        return await flight.run(following, lambda: load(following))

    with pytest.raises(LoadCycleError) as caught:
        await flight.run(0, lambda: load(0))
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.parameters == {"key": 0}
    assert len(flight) == 0


async def test_a_cycle_through_gather_is_refused() -> None:
    flight: Flights = Flight()

    async def left() -> int:
        await asyncio.sleep(0)
        return 1

    async def right() -> int:
        return await flight.run("top", top)

    async def top() -> int:
        return sum(await asyncio.gather(flight.run("left", left), flight.run("right", right)))

    with pytest.raises(LoadCycleError):
        await flight.run("top", top)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_cycle_through_a_task_group_is_refused() -> None:
    flight: Flights = Flight()

    async def top() -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(flight.run("top", top))
        return 1

    with pytest.raises(ExceptionGroup) as caught:
        await flight.run("top", top)
    assert caught.group_contains(LoadCycleError)


async def test_a_cycle_through_two_flights_is_refused() -> None:
    one: Flights = Flight()
    other: Flights = Flight()

    async def first() -> int:
        return await other.run("k", second)

    async def second() -> int:
        return await one.run("k", first)

    with pytest.raises(LoadCycleError):
        await one.run("k", first)


async def test_a_cycle_that_two_callers_close_together_is_refused() -> None:
    flight: Flights = Flight()

    async def first() -> int:
        await asyncio.sleep(0)
        return await flight.run("b", second)

    async def second() -> int:
        await asyncio.sleep(0)
        return await flight.run("a", first)

    outcomes = await asyncio.gather(flight.run("a", first), flight.run("b", second), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LoadCycleError, LoadCycleError]


async def test_a_loader_may_do_without_what_it_is_refused() -> None:
    flight: Flights = Flight()

    async def load() -> int:
        try:
            return await flight.run("k", load)
        except LoadCycleError:
            return 7

    assert await flight.run("k", load) == 7


async def test_recursion_through_other_keys_is_no_cycle() -> None:
    flight: Flights = Flight()
    calls: list[int] = []

    async def fibonacci(number: int) -> int:
        calls.append(number)
        if number < 2:
            return number
        one, other = await asyncio.gather(
            flight.run(number - 1, lambda: fibonacci(number - 1)),
            flight.run(number - 2, lambda: fibonacci(number - 2)),
        )
        return one + other

    assert await flight.run(30, lambda: fibonacci(30)) == 832040
    assert set(calls) == set(range(31))


async def test_a_diamond_is_no_cycle() -> None:
    flight: Flights = Flight()
    calls: list[str] = []

    async def base() -> int:
        calls.append("base")
        await asyncio.sleep(0)
        return 1

    side = asks(flight, "base", base)

    async def top() -> int:
        return sum(await asyncio.gather(flight.run("left", side), flight.run("right", side), flight.run("base", base)))

    assert await flight.run("top", top) == 3
    assert calls == ["base"]


async def test_what_was_asked_for_and_got_is_no_longer_waited_for() -> None:
    flight: Flights = Flight()
    gate = asyncio.Event()

    async def quick() -> int:
        return 1

    async def slow() -> int:
        await flight.run("quick", quick)
        await gate.wait()
        return 2

    async def again() -> int:
        return await flight.run("slow", slow)

    asked = asyncio.create_task(flight.run("slow", slow))
    for _ in range(5):
        await asyncio.sleep(0)
    late = asyncio.create_task(flight.run("quick", again))
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(asked, late) == [2, 2]


async def test_a_task_that_outlives_its_load_is_not_taken_for_it() -> None:
    flight: Flights = Flight()
    finished = asyncio.Event()
    background: list[asyncio.Task[int]] = []

    async def refresh() -> int:
        await finished.wait()
        return await flight.run("k", load)

    async def load() -> int:
        if not background:
            background.append(asyncio.create_task(refresh()))
        return 1

    assert await flight.run("k", load) == 1
    finished.set()
    assert await background[0] == 1


async def test_a_load_that_is_over_waits_for_nothing() -> None:
    """Its background task may still wait for something: that is no longer a reason to refuse anybody."""
    flight: Flights = Flight()
    gate = asyncio.Event()
    background: list[asyncio.Task[int]] = []

    async def slow() -> int:
        await gate.wait()
        return await flight.run("caller", caller)

    async def first() -> int:
        background.append(asyncio.create_task(flight.run("slow", slow)))
        await asyncio.sleep(0)
        return 1

    async def caller() -> int:
        value = await flight.run("first", first)
        await gate.wait()
        return value

    asked = asyncio.create_task(flight.run("caller", caller))
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(asked, *background) == [1, 1]


async def test_in_the_very_tick_in_which_a_load_ends_it_waits_for_nothing() -> None:
    flight: Flights = Flight()
    background: list[asyncio.Task[int]] = []
    done = asyncio.Event()

    async def slow() -> int:
        await done.wait()
        return await flight.run("caller", caller)

    async def first() -> int:
        background.append(asyncio.create_task(flight.run("slow", slow)))
        for _ in range(3):
            await asyncio.sleep(0)
        return 1

    async def caller() -> int:
        # Landing happens as the load ends and before its callers go on: `caller` then still awaits `first`.
        value = await flight.run("first", first, lambda _: done.set())
        for _ in range(3):
            await asyncio.sleep(0)
        return value

    assert await flight.run("caller", caller) == 1
    assert await background[0] == 1


async def test_in_that_tick_it_is_not_taken_for_what_its_background_task_does() -> None:
    flight: Flights = Flight()
    background: list[asyncio.Task[int]] = []
    done = asyncio.Event()

    async def ask() -> int:
        await done.wait()
        return await flight.run("caller", caller)

    async def first() -> int:
        background.append(asyncio.create_task(ask()))
        for _ in range(3):
            await asyncio.sleep(0)
        return 1

    async def caller() -> int:
        value = await flight.run("first", first, lambda _: done.set())
        for _ in range(3):
            await asyncio.sleep(0)
        return value

    assert await flight.run("caller", caller) == 1
    assert await background[0] == 1


async def test_who_gave_up_waiting_no_longer_waits() -> None:
    flight: Flights = Flight()
    gate = asyncio.Event()

    async def patient() -> int:
        await gate.wait()
        return await flight.run("hasty", hasty)

    async def hasty() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await flight.run("patient", patient)
        gate.set()
        for _ in range(3):
            await asyncio.sleep(0)
        return 1

    asked = asyncio.create_task(flight.run("patient", patient))
    await asyncio.sleep(0)
    assert await flight.run("hasty", hasty) == 1
    assert await asked == 1


async def test_a_forgotten_load_may_be_asked_for_by_its_own_loader_once() -> None:
    flight: Flights = Flight()

    async def load() -> int:
        flight.forget("k")
        return await flight.run("k", anew)

    async def anew() -> int:
        return 2

    assert await flight.run("k", load) == 2


async def test_what_a_background_task_keeps_of_a_load_does_not_hold_its_value() -> None:
    class Value:
        pass

    flight: Flight[str, Value] = Flight()
    end = asyncio.Event()
    background: list[asyncio.Task[bool]] = []

    async def load() -> Value:
        background.append(asyncio.create_task(end.wait()))
        return Value()

    value = await flight.run("k", load)
    kept = weakref.ref(value)
    del value
    await asyncio.sleep(0)  # until then the event loop itself holds what it has just delivered
    gc.collect()
    assert kept() is None
    end.set()
    await background[0]
