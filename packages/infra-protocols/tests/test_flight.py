"""What a flight shares, lands and forgets. Cancellation, cycles and event loops have files of their own."""

import asyncio
import contextvars
import traceback
from typing import Any

import pytest

from infra_protocols import Flight, LoadCancelledError
from infra_protocols.errors import CacheError

pytestmark = pytest.mark.usefixtures("reports", "tasks")


class Source:
    """A loader that is let go by hand."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()

    async def load(self) -> int:
        self.calls += 1
        call = self.calls
        await self.gate.wait()
        return call


async def ticks(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_thousand_callers_share_one_load() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    callers = [asyncio.create_task(flight.run("k", source.load)) for _ in range(1000)]
    await ticks()
    assert len(flight) == 1
    source.gate.set()
    assert await asyncio.gather(*callers) == [1] * 1000
    assert source.calls == 1
    assert len(flight) == 0


async def test_the_next_caller_after_the_end_loads_anew() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    source.gate.set()
    assert [await flight.run("k", source.load) for _ in range(3)] == [1, 2, 3]


async def test_keys_do_not_share() -> None:
    flight: Flight[str, str] = Flight()

    async def load(name: str) -> str:
        await asyncio.sleep(0)
        return name

    keys = ["a", "b", "c"]
    assert await asyncio.gather(*(flight.run(key, lambda key=key: load(key)) for key in keys)) == keys


async def test_flights_do_not_share() -> None:
    one: Flight[str, int] = Flight()
    other: Flight[str, int] = Flight()
    source = Source()
    source.gate.set()
    assert await asyncio.gather(one.run("k", source.load), other.run("k", source.load)) == [1, 2]


async def test_a_loader_that_never_waits() -> None:
    flight: Flight[str, int] = Flight()

    async def load() -> int:
        return 7

    assert await asyncio.gather(*(flight.run("k", load) for _ in range(3))) == [7, 7, 7]
    assert len(flight) == 0


async def test_any_awaitable_will_do() -> None:
    flight: Flight[str, int] = Flight()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    caller = asyncio.create_task(flight.run("k", lambda: future))
    await ticks()
    future.set_result(3)
    assert await caller == 3


async def test_a_failure_reaches_every_caller_as_the_same_exception() -> None:
    flight: Flight[str, int] = Flight()
    boom = ConnectionError("boom")

    async def load() -> int:
        await asyncio.sleep(0)
        raise boom

    caught = await asyncio.gather(*(flight.run("k", load) for _ in range(5)), return_exceptions=True)
    assert caught == [boom] * 5
    assert len(flight) == 0


async def test_a_failure_is_not_kept() -> None:
    flight: Flight[str, int] = Flight()
    source = Source()
    source.gate.set()

    async def fail() -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await flight.run("k", fail)
    assert await flight.run("k", source.load) == 1


async def test_a_loader_that_fails_before_it_returns_an_awaitable() -> None:
    flight: Flight[str, int] = Flight()

    def load() -> asyncio.Future[int]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await flight.run("k", load)
    assert len(flight) == 0


async def test_a_loader_that_returns_no_awaitable() -> None:
    flight: Flight[str, int] = Flight()
    load: Any = lambda: 3  # noqa: E731  (typed Any, to get past the checker)
    with pytest.raises(TypeError):
        await flight.run("k", load)
    assert len(flight) == 0


async def test_stop_iteration_does_not_hang_the_callers() -> None:
    flight: Flight[str, int] = Flight()

    def load() -> asyncio.Future[int]:
        raise StopIteration

    with pytest.raises(RuntimeError):
        await flight.run("k", load)


async def test_the_traceback_does_not_grow_with_the_callers() -> None:
    flight: Flight[str, int] = Flight()
    boom = ConnectionError("boom")

    async def load() -> int:
        await asyncio.sleep(0)
        raise boom

    async def depth() -> int:
        try:
            await flight.run("k", load)
        except ConnectionError as error:
            return len(traceback.extract_tb(error.__traceback__))
        raise AssertionError

    depths = await asyncio.gather(*(depth() for _ in range(50)))
    assert len(set(depths)) == 1
    assert depths[0] <= 6


async def test_the_traceback_shows_where_the_loader_failed() -> None:
    flight: Flight[str, int] = Flight()

    async def load() -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        await flight.run("k", load)
    assert caught.traceback[-1].name == "load"


async def test_a_loader_cancelled_from_inside_is_an_error_for_its_callers() -> None:
    flight: Flight[str, int] = Flight()

    async def load() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        raise AssertionError

    first, second = await asyncio.gather(*(flight.run("k", load) for _ in range(2)), return_exceptions=True)
    assert isinstance(first, LoadCancelledError)
    assert first is second
    assert isinstance(first, CacheError)
    assert isinstance(first.__cause__, asyncio.CancelledError)
    assert "k" in first.message
    assert first.parameters == {"key": "k"}


async def test_a_loader_that_awaits_something_cancelled_is_an_error_too() -> None:
    flight: Flight[str, int] = Flight()
    cancelled: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    async with asyncio.TaskGroup() as group:

        async def caller() -> None:
            with pytest.raises(LoadCancelledError):
                await flight.run("k", lambda: cancelled)

        for _ in range(3):
            group.create_task(caller())


async def test_the_error_text_is_safe_for_any_key() -> None:
    flight: Flight[object, int] = Flight()

    class Key:
        def __str__(self) -> str:
            raise AssertionError

        __repr__ = __str__

    async def load() -> int:
        raise asyncio.CancelledError

    with pytest.raises(LoadCancelledError) as caught:
        await flight.run(Key(), load)
    assert "Key" in str(caught.value)


class TestLanding:
    async def test_lands_before_any_caller_gets_the_value(self) -> None:
        flight: Flight[str, int] = Flight()
        source = Source()
        landed: list[int] = []

        async def caller() -> None:
            value = await flight.run("k", source.load, landed.append)
            assert landed == [value]

        source.gate.set()
        await asyncio.gather(*(caller() for _ in range(3)))
        assert landed == [1]

    async def test_arguments_go_to_the_load_and_after_the_value_to_the_landing(self) -> None:
        flight: Flight[str, int] = Flight()
        landed: list[tuple[object, ...]] = []

        async def load(number: int, *, factor: int = 2) -> int:
            await asyncio.sleep(0)
            return number * factor

        def land(value: int, number: int) -> None:
            landed.append((value, number))

        first = asyncio.create_task(flight.run("k", load, land, 7))
        second = asyncio.create_task(flight.run("k", load, land, 8))
        assert [await first, await second] == [14, 14]
        assert landed == [(14, 7)]

    async def test_a_failure_does_not_land(self) -> None:
        flight: Flight[str, int] = Flight()
        landed: list[int] = []

        async def load() -> int:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await flight.run("k", load, landed.append)
        assert landed == []

    @pytest.mark.parametrize("one_key", [True, False])
    async def test_what_was_forgotten_serves_its_callers_and_does_not_land(self, one_key: bool) -> None:
        flight: Flight[str, int] = Flight()
        source = Source()
        landed: list[int] = []
        callers = [asyncio.create_task(flight.run("k", source.load, landed.append)) for _ in range(2)]
        await ticks()
        if one_key:
            flight.forget("k")
        else:
            flight.clear()
        assert len(flight) == 0
        source.gate.set()
        assert await asyncio.gather(*callers) == [1, 1]
        assert landed == []

    async def test_forgotten_between_the_end_of_the_load_and_its_landing(self) -> None:
        flight: Flight[str, int] = Flight()
        landed: list[int] = []

        async def load() -> int:
            await asyncio.sleep(0)
            # The last thing the load does, as seen from outside: it is done, but has not landed.
            asyncio.get_running_loop().call_soon(flight.forget, "k")
            return 1

        assert await flight.run("k", load, landed.append) == 1
        assert landed == []

    async def test_a_newcomer_after_forget_loads_anew_and_lands(self) -> None:
        flight: Flight[str, int] = Flight()
        old, new = Source(), Source()
        new.calls = 10
        landed: list[int] = []
        before = asyncio.create_task(flight.run("k", old.load, landed.append))
        await ticks()
        assert flight.forget("k")
        after = asyncio.create_task(flight.run("k", new.load, landed.append))
        await ticks()
        new.gate.set()
        assert await after == 11
        old.gate.set()
        assert await before == 1
        assert landed == [11]

    async def test_the_end_of_a_forgotten_load_leaves_its_successor_alone(self) -> None:
        flight: Flight[str, int] = Flight()
        old, new = Source(), Source()
        landed: list[int] = []
        before = asyncio.create_task(flight.run("k", old.load, landed.append))
        await ticks()
        flight.forget("k")
        after = asyncio.create_task(flight.run("k", new.load, landed.append))
        await ticks()
        old.gate.set()
        await before
        assert len(flight) == 1
        joined = asyncio.create_task(flight.run("k", old.load, landed.append))
        await ticks()
        new.gate.set()
        assert await asyncio.gather(after, joined) == [1, 1]
        assert (old.calls, new.calls) == (1, 1)
        assert landed == [1]

    async def test_forget_says_whether_there_was_one(self) -> None:
        flight: Flight[str, int] = Flight()
        source = Source()
        assert not flight.forget("k")
        caller = asyncio.create_task(flight.run("k", source.load))
        await ticks()
        assert flight.forget("k")
        assert not flight.forget("k")
        source.gate.set()
        await caller
        assert not flight.forget("k")

    async def test_a_refused_landing_is_what_the_callers_get(self) -> None:
        flight: Flight[str, int] = Flight()
        refusal = ValueError("not this")

        def land(_: int) -> None:
            raise refusal

        async def load() -> int:
            await asyncio.sleep(0)
            return 1

        caught = await asyncio.gather(*(flight.run("k", load, land) for _ in range(3)), return_exceptions=True)
        assert caught == [refusal] * 3
        assert len(flight) == 0

    async def test_a_landing_that_looks_like_a_cancellation(self) -> None:
        flight: Flight[str, int] = Flight()

        def land(_: int) -> None:
            raise asyncio.CancelledError

        async def load() -> int:
            return 1

        with pytest.raises(LoadCancelledError):
            await flight.run("k", load, land)


async def test_a_load_sees_the_context_of_the_caller_that_started_it() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    flight: Flight[str, str] = Flight()

    async def load() -> str:
        await asyncio.sleep(0)
        return name.get()

    async def caller(mine: str) -> str:
        name.set(mine)
        return await flight.run("k", load)

    assert await asyncio.gather(caller("first"), caller("second")) == ["first", "first"]
