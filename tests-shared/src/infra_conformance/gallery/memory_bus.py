"""A correct event bus, as plain as can be: what the faulty ones of the gallery are made from."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infra_conformance.event_bus_base import MakeBus
from infra_conformance.gallery.fault import Fault
from infra_protocols.clock import Clock
from infra_protocols.errors import (
    DispatchError,
    HandlerCancelledError,
    HandlerFailure,
    HandlerTimeoutError,
    ValidationError,
)
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_range, require_type
from infra_result import Err, Ok, Result

type Handler = Callable[[Any], Awaitable[object] | object]
type Answer = Result[int, DispatchError]


class Place:
    """A handler's place on a bus."""

    def __init__(self, bus: "MemoryBus", event_type: type, handler: Handler) -> None:
        self.bus = bus
        self.event_type = event_type
        self.handler = handler
        self.active: bool = True

    def unsubscribe(self) -> None:
        """Leave the bus."""
        if self.active:
            self.active = False
            self.bus.leave(self)


class Tour:
    """An event on its way."""

    def __init__(self, event: object, places: Sequence[Place]) -> None:
        self.event = event
        self.places = places
        self.turns: Iterator[Place] = iter(places)
        self.called = 0
        self.failures: dict[Place, Exception] = {}


class MemoryBus:
    """
    A correct `EventBusProtocol`, in which workers call handlers, as many at once as may be.

    >>> async def main():
    ...     bus = MemoryBus()
    ...     bus.subscribe(int, print)
    ...     return await bus.publish(7)
    >>> asyncio.run(main())
    7
    Ok(1)
    """

    def __init__(self, timeout: float | None = None, concurrency: int = 1) -> None:
        self.timeout: float | None = self.checked_timeout(timeout)
        self.concurrency: int = self.checked_concurrency(concurrency)
        self.places: list[Place] = []

    def checked_timeout(self, timeout: float | None) -> float | None:
        """Refuse what is no timeout."""
        return None if timeout is None else or_raise(require_range(timeout, "timeout", above=0))

    def checked_concurrency(self, concurrency: int) -> int:
        """Refuse what is no concurrency."""
        or_raise(require_type(concurrency, "concurrency", int))
        return or_raise(require_range(concurrency, "concurrency", min=1))

    def subscribe(self, event_type: type, handler: Handler) -> Place:
        """Have `handler` called with each event that is an `event_type`."""
        self.check(event_type, handler)
        place = Place(self, event_type, handler)
        self.join(place)
        return place

    def check(self, event_type: object, handler: object) -> None:
        """Refuse what cannot be subscribed."""
        if not isinstance(event_type, type) or not callable(handler):
            message = ErrorMessages.VALIDATION_WRONG_KIND.format(field="handler", expected="callable")
            raise ValidationError(message, field="handler", kind=type(handler).__name__)

    def join(self, place: Place) -> None:
        """Add a place."""
        self.places.append(place)

    def leave(self, place: Place) -> None:
        """Remove a place."""
        self.places.remove(place)

    async def publish(self, event: object) -> Answer:
        """Hand `event` to all who are subscribed to its type, and return how many were called."""
        tour = Tour(event, self.asking(event))
        await self.call_all(tour)
        return self.answer(tour)

    def asking(self, event: object) -> Sequence[Place]:
        """Return who is to get an event, in order."""
        return [place for place in self.places if self.matches(event, place.event_type)]

    def matches(self, event: object, event_type: type) -> bool:
        """Tell whether an event is for those who asked for `event_type`."""
        return isinstance(event, event_type)

    async def call_all(self, tour: Tour) -> None:
        """Call them, so many at once."""
        workers = min(self.concurrency, len(tour.places))
        tasks = [asyncio.ensure_future(self.work(tour)) for _ in range(workers)]
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await self.clear_away(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def clear_away(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        """Have all workers end, and see them end."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def work(self, tour: Tour) -> None:
        """Call one after the other."""
        for place in tour.turns:
            if place.active:
                tour.called += 1
                await self.call(tour, place)

    async def call(self, tour: Tour, place: Place) -> None:
        """Call one, and remember its failure."""
        try:
            await self.in_time(place, tour.event)
        except asyncio.CancelledError as error:
            self.cancelled(tour, place, error)
        except Exception as error:
            if _cancelling():
                raise asyncio.CancelledError from error
            self.failed(tour, place, error)

    def cancelled(self, tour: Tour, place: Place, error: asyncio.CancelledError) -> None:
        """Tell a handler that raised it from whoever published, who was cancelled."""
        if _cancelling():
            raise error
        message = ErrorMessages.MESSAGING_HANDLER_CANCELLED.format(handler=place.handler)
        self.failed(tour, place, HandlerCancelledError(message))

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        """Remember a failure."""
        tour.failures[place] = error

    async def in_time(self, place: Place, event: object) -> None:
        """Call a handler, and cancel it when its time is over."""
        scope = asyncio.timeout(self.timeout)
        late = HandlerTimeoutError(
            ErrorMessages.MESSAGING_HANDLER_TIMEOUT.format(handler=place.handler, timeout=self.timeout)
        )
        try:
            async with scope:
                await self.hand(place, event)
        except Exception as error:
            if scope.expired():
                raise late from error
            raise
        if scope.expired():
            raise late

    async def hand(self, place: Place, event: object) -> None:
        """Call a handler, and await what can be."""
        answer = place.handler(event)
        if inspect.isawaitable(answer):
            await answer

    def answer(self, tour: Tour) -> Answer:
        """Return what came of it."""
        failures = [HandlerFailure(each.handler, tour.failures[each]) for each in tour.places if each in tour.failures]
        return Err(DispatchError.of(failures)) if failures else Ok(tour.called)


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def faulty(bus: Callable[[float | None, int], Any], *caught_by: str) -> Fault:
    """Return the fault of a bus, and the numbers of the checks that must catch it."""

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[MakeBus]:
        yield bus

    return Fault(make, bus.__name__, frozenset(f"bus-{number}" for number in caught_by))
