"""What `EventBus` promises beyond its port."""

import asyncio
import gc
import inspect
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable
from weakref import ref

import pytest

from infra_messaging import EventBus
from infra_messaging.bus import MOST_TYPES
from infra_protocols import (
    DispatchError,
    HandlerCancelledError,
    HandlerFailure,
    HandlerTimeoutError,
    ValidationError,
)
from infra_result import Err, Ok, Result


class Opened: ...


class Box[T]:
    def __init__(self, content: T) -> None:
        self.content = content


class IntBox(Box[int]): ...


class Sized(ABC):
    @abstractmethod
    def size(self) -> int: ...


@runtime_checkable
class Named(Protocol):
    def name(self) -> str: ...


def failures(result: Result[int, DispatchError]) -> tuple[HandlerFailure, ...]:
    return result.unwrap_err().failures


class TestTypes:
    async def test_a_class_may_be_registered_at_any_time(self) -> None:
        class Late: ...

        bus, got = EventBus[object](), list[object]()
        bus.subscribe(Sized, got.append)
        assert await bus.publish(Late()) == Ok(0)
        Sized.register(Late)
        late = Late()
        assert await bus.publish(late) == Ok(1)
        assert got == [late]

    async def test_what_is_registered_elsewhere_changes_nothing(self) -> None:
        class Other(ABC): ...  # noqa: B024

        bus, got = EventBus[object](), list[object]()
        bus.subscribe(Sized, got.append)
        for _ in range(3):
            assert await bus.publish(Opened()) == Ok(0)
            Other.register(type("Fresh", (), {}))

    async def test_a_protocol_goes_by_methods(self) -> None:
        class Ada:
            def name(self) -> str:
                return "Ada"

        bus, got = EventBus[object](), list[str]()
        bus.subscribe(Named, lambda named: got.append(named.name()))
        assert await bus.publish(Ada()) == Ok(1)
        assert await bus.publish(Opened()) == Ok(0)
        assert got == ["Ada"]

    def test_a_protocol_that_subclasses_cannot_be_known_by_is_refused(self) -> None:
        @runtime_checkable
        class WithData(Protocol):
            size: int

        class NotAtRunTime(Protocol):
            def name(self) -> str: ...

        for event_type in (WithData, NotAtRunTime):
            with pytest.raises(ValidationError, match="event_type must be a class that issubclass takes"):
                EventBus[object]().subscribe(event_type, print)

    async def test_a_generic_class_is_asked_for_without_its_arguments(self) -> None:
        bus, got = EventBus[object](), list[str]()
        bus.subscribe(Box, lambda box: got.append(f"a box of {box.content}"))
        bus.subscribe(IntBox, lambda box: got.append(f"a number: {box.content}"))
        assert await bus.publish(Box[str]("text")) == Ok(1)
        assert await bus.publish(IntBox(7)) == Ok(2)
        assert got == ["a box of text", "a box of 7", "a number: 7"]

    @pytest.mark.parametrize("event_type", [Box[int], list[int], int | str, "Box", Box(1), None])
    def test_what_is_no_class_is_refused(self, event_type: Any) -> None:
        with pytest.raises(ValidationError, match="event_type must be a class") as refusal:
            EventBus[object]().subscribe(event_type, print)
        assert refusal.value.field == "event_type"
        assert refusal.value.kind == type(event_type).__name__

    def test_what_cannot_be_called_is_refused(self) -> None:
        handler: Any = "print"
        with pytest.raises(ValidationError, match="handler must be callable") as refusal:
            EventBus[object]().subscribe(Opened, handler)
        assert (refusal.value.field, refusal.value.kind) == ("handler", "str")

    async def test_types_that_are_made_on_the_way_go_again(self) -> None:
        bus = EventBus[object]()
        bus.subscribe(Opened, lambda opened: None)

        async def publish_a_new_one() -> "ref[type]":
            made = type("Made", (Opened,), {})
            assert await bus.publish(made()) == Ok(1)
            return ref(made)

        first = await publish_a_new_one()
        for _ in range(MOST_TYPES):
            await publish_a_new_one()
        gc.collect()
        assert first() is None

    async def test_who_has_left_goes(self) -> None:
        class Handler:
            def __call__(self, opened: Opened) -> None: ...

        bus, handler = EventBus[object](), Handler()
        subscription = bus.subscribe(Opened, handler)
        assert await bus.publish(Opened()) == Ok(1)
        subscription.unsubscribe()
        gone = ref(handler)
        del handler, subscription
        assert gone() is None


class TestSettings:
    @pytest.mark.parametrize("timeout", [0, -1, math.nan, "1", True])
    def test_timeout_is_above_nothing(self, timeout: Any) -> None:
        with pytest.raises(ValidationError, match="timeout must be"):
            EventBus[object](timeout=timeout)

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, "1", True, None])
    def test_concurrency_is_a_whole_number(self, concurrency: Any) -> None:
        with pytest.raises(ValidationError, match="concurrency must be"):
            EventBus[object](concurrency=concurrency)

    async def test_a_timeout_may_be_for_ever(self) -> None:
        bus = EventBus[object](timeout=math.inf)
        bus.subscribe(Opened, lambda opened: asyncio.sleep(0))
        assert await bus.publish(Opened()) == Ok(1)

    async def test_a_plain_function_has_all_the_time_it_takes(self) -> None:
        bus = EventBus[object](timeout=0.001)
        bus.subscribe(Opened, lambda opened: time.sleep(0.02))
        assert await bus.publish(Opened()) == Ok(1)


class TestTasks:
    @pytest.mark.parametrize("timeout", [None, 30.0])
    async def test_one_after_the_other_they_run_where_it_was_published(self, timeout: float | None) -> None:
        bus, tasks = EventBus[object](timeout=timeout), list[Any]()

        async def here(event: Opened) -> None:
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())

        bus.subscribe(Opened, here)
        bus.subscribe(Opened, here)
        assert await bus.publish(Opened()) == Ok(2)
        assert tasks == [asyncio.current_task()] * 2

    async def test_at_once_each_has_a_task_and_a_context(self) -> None:
        bus, seen = EventBus[object](concurrency=2), list[str]()
        name = ContextVar("name", default="nobody")

        def named(own: str) -> Callable[[Opened], Awaitable[None]]:
            async def handler(event: Opened) -> None:
                seen.append(name.get())
                name.set(own)

            return handler

        for each in ("a", "b", "c"):
            bus.subscribe(Opened, named(each))
        name.set("publisher")
        assert await bus.publish(Opened()) == Ok(3)
        assert seen == ["publisher"] * 3
        assert name.get() == "publisher"

    async def test_one_that_cancels_its_own_task_fails_alone(self) -> None:
        bus, got = EventBus[object](concurrency=2), list[str]()

        async def cancels(event: Opened) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

        async def good(event: Opened) -> None:
            await asyncio.sleep(0)
            got.append("good")

        for handler in (good, cancels, good, good):
            bus.subscribe(Opened, handler)
        (failure,) = failures(await bus.publish(Opened()))
        assert failure.handler is cancels
        assert isinstance(failure.error, HandlerCancelledError)
        assert got == ["good"] * 3

    async def test_one_that_swallows_its_cancellation_swallows_it_where_it_was_awaited(self) -> None:
        async def swallows(event: Opened) -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(30)

        for concurrency, passes in ((1, False), (2, True)):
            bus = EventBus[object](concurrency=concurrency)
            bus.subscribe(Opened, swallows)
            bus.subscribe(Opened, lambda event: None)
            publishing = asyncio.ensure_future(bus.publish(Opened()))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            publishing.cancel()
            await asyncio.wait((publishing,))
            assert publishing.cancelled() is passes

    @pytest.mark.parametrize("concurrency", [1, 2])
    async def test_one_that_cancels_what_it_awaits_is_not_cancelled(self, concurrency: int) -> None:
        async def fails_in_a_group(event: Opened) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(_fails())
                await asyncio.sleep(30)

        async def late_by_its_own_clock(event: Opened) -> None:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(30)

        bus = EventBus[object](concurrency=concurrency)
        for handler in (fails_in_a_group, late_by_its_own_clock, fails_in_a_group):
            bus.subscribe(Opened, handler)
        told = [type(failure.error) for failure in failures(await bus.publish(Opened()))]
        assert told == [ExceptionGroup, TimeoutError, ExceptionGroup]

    async def test_tasks_may_be_begun_at_once(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        bus, got = EventBus[object](concurrency=2), list[int]()

        async def handler(event: int) -> None:
            got.append(event)
            await asyncio.sleep(0)
            raise ValueError

        for _ in range(4):
            bus.subscribe(int, handler)
        assert len(failures(await bus.publish(7))) == 4
        assert got == [7] * 4

    def test_a_bus_belongs_to_no_loop(self) -> None:
        bus = EventBus[object](concurrency=2)
        for _ in range(3):
            bus.subscribe(Opened, lambda opened: asyncio.sleep(0))
        for _ in range(2):
            assert asyncio.run(bus.publish(Opened())) == Ok(3)


class TestErrors:
    async def test_they_tell_what_was_done(self) -> None:
        bus = EventBus[object](timeout=0.01)

        async def late(event: Opened) -> None:
            await asyncio.sleep(30)

        async def cancelled(event: Opened) -> None:
            await asyncio.get_running_loop().create_task(_cancelled())

        bus.subscribe(Opened, late)
        bus.subscribe(Opened, cancelled)
        result = await bus.publish(Opened())
        assert isinstance(result, Err)
        assert result.error.operation == "bus.publish"
        one, other = failures(result)
        assert isinstance(one.error, HandlerTimeoutError)
        assert isinstance(one.error.__cause__, TimeoutError)
        assert "late did not return within 0.01s" in str(one.error)
        assert isinstance(other.error, HandlerCancelledError)
        assert isinstance(other.error.__cause__, asyncio.CancelledError)
        assert "cancelled was cancelled from inside" in str(other.error)
        assert one.error.operation == other.error.operation == "bus.publish"

    @pytest.mark.parametrize("concurrency", [1, 2])
    async def test_an_error_is_not_the_context_of_the_next(self, concurrency: int) -> None:
        bus = EventBus[object](concurrency=concurrency)

        def bad(event: Opened) -> None:
            raise ValueError

        for _ in range(3):
            bus.subscribe(Opened, bad)
        assert [each.error.__context__ for each in failures(await bus.publish(Opened()))] == [None] * 3

    async def test_who_drops_a_failure_is_rid_of_it(self) -> None:
        class Bulky(Exception): ...

        async def bad(event: Opened) -> None:
            raise Bulky

        bus = EventBus[object]()
        bus.subscribe(Opened, bad)
        gc.collect()
        gc.disable()
        try:
            result = await bus.publish(Opened())
            (error,) = [ref(each.error) for each in failures(result)]
            del result
            assert error() is None
        finally:
            gc.enable()

    async def test_an_event_that_publishes_itself_ends_in_a_failure(self) -> None:
        bus, results = EventBus[object](), list[Result[int, DispatchError]]()

        async def again(event: Opened) -> None:
            results.append(await bus.publish(event))

        bus.subscribe(Opened, again)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(_depth() + 200)
        try:
            assert await bus.publish(Opened()) == Ok(1)
        finally:
            sys.setrecursionlimit(limit)
        (failure,) = failures(results[0])
        assert isinstance(failure.error, RecursionError)
        assert all(result == Ok(1) for result in results[1:])

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_what_ends_the_process_passes(self, error: type[BaseException]) -> None:
        def stop(event: Opened) -> None:
            raise error

        async def never(event: Opened) -> None:
            raise AssertionError

        bus = EventBus[object]()
        bus.subscribe(Opened, lambda opened: asyncio.sleep(0))
        bus.subscribe(Opened, stop)
        bus.subscribe(Opened, never)
        with pytest.raises(error):
            asyncio.run(bus.publish(Opened()))


async def _fails() -> None:
    raise ValueError


async def _cancelled() -> None:
    raise asyncio.CancelledError


def _depth() -> int:
    return len(inspect.stack(0))
