"""Event buses that are wrong about handlers that fail, and about being cancelled."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from infra_conformance.gallery.event_bus_turns import Nesting
from infra_conformance.gallery.memory_bus import Answer, MemoryBus, Place, Tour, faulty
from infra_protocols.errors import DispatchError, HandlerFailure
from infra_result import Err

# -- Failures.


class SwallowsFailures(MemoryBus):
    """What goes wrong in a handler is the handler's affair."""

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        pass


class StopsAtTheFirst(MemoryBus):
    """A handler that fails keeps the event from those behind it."""

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        super().failed(tour, place, error)
        list(tour.turns)


class RaisesThrough(MemoryBus):
    """What a handler raises reaches whoever published."""

    async def call(self, tour: Tour, place: Place) -> None:
        await self.in_time(place, tour.event)


class RaisesInTheEnd(MemoryBus):
    """It collects failures, and raises them."""

    def answer(self, tour: Tour) -> Answer:
        answer = super().answer(tour)
        if isinstance(answer, Err):
            raise answer.error
        return answer


class DropsWhoFails(MemoryBus):
    """A handler that has failed is called no more."""

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        super().failed(tour, place, error)
        place.unsubscribe()


class _Telling(MemoryBus):
    """A bus that has a way of its own to tell failures."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        """Return what to tell."""
        return failures

    def answer(self, tour: Tour) -> Answer:
        answer = super().answer(tour)
        if isinstance(answer, Err):
            return Err(DispatchError.of(list(self.told(answer.error.failures, tour))))
        return answer


class TellsTheFirst(_Telling):
    """One failure will do."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return failures[:1]


class TellsThemBackwards(_Telling):
    """It tells the last one first."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return failures[::-1]


class BlamesTheFirst(_Telling):
    """Whoever failed, it names the first that was called."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return [HandlerFailure(tour.places[0].handler, failure.error) for failure in failures]


class TellsNames(_Telling):
    """It tells what a handler is called, and not which it is."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return [HandlerFailure(str(failure.handler), failure.error) for failure in failures]


class WrapsErrors(_Telling):
    """It tells an error of its own, made of the one that was raised."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return [HandlerFailure(failure.handler, RuntimeError(str(failure.error))) for failure in failures]


class OneFailureEach(_Telling):
    """Of a handler that was called twice it tells one failure."""

    def told(self, failures: Sequence[HandlerFailure], tour: Tour) -> Iterable[HandlerFailure]:
        return {failure.handler: failure for failure in failures}.values()


class RaisesInside(Nesting):
    """To a handler that publishes it raises failures, so that this fails too."""

    async def nested(self, event: object) -> Answer:
        answer = await super().nested(event)
        if isinstance(answer, Err):
            raise answer.error
        return answer


# -- What is no failure.


class PassesAnyCancellation(MemoryBus):
    """To it a handler that ends in CancelledError was cancelled, and with it whoever published."""

    async def call_all(self, tour: Tour) -> None:
        self.cancels: bool = False
        await super().call_all(tour)
        if self.cancels:
            raise asyncio.CancelledError

    def cancelled(self, tour: Tour, place: Place, error: asyncio.CancelledError) -> None:
        self.cancels = True
        raise error


class ForgivesCancellation(MemoryBus):
    """A handler that ends in CancelledError of itself has not failed."""

    def cancelled(self, tour: Tour, place: Place, error: asyncio.CancelledError) -> None:
        with suppress(Exception):
            super().cancelled(Tour(None, []), place, error)


class TellsCancelledError(MemoryBus):
    """It tells of a CancelledError as of any other."""

    def cancelled(self, tour: Tour, place: Place, error: asyncio.CancelledError) -> None:
        super().cancelled(tour, place, error)
        failure: Any = error
        self.failed(tour, place, failure)


class _Inline(MemoryBus):
    """A bus that calls handlers in the task of whoever publishes."""

    async def call_all(self, tour: Tour) -> None:
        if self.concurrency > 1:
            await super().call_all(tour)
        else:
            await self.work(tour)


class CancelledForGood(_Inline):
    """Who was cancelled once is cancelled to it whatever handlers do, and for ever."""


class CollectsEverything(MemoryBus):
    """To it a failure is whatever can be raised."""

    async def call(self, tour: Tour, place: Place) -> None:
        try:
            await super().call(tour, place)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            failure: Any = error
            self.failed(tour, place, failure)


class GroupsWhatPasses(MemoryBus):
    """What passes through it comes out in a group."""

    async def call_all(self, tour: Tour) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(tour.places))):
                group.create_task(self.work(tour))


class StopsInTheEnd(MemoryBus):
    """What has to pass does, when all have been called."""

    async def call_all(self, tour: Tour) -> None:
        self.stop: BaseException | None = None
        await super().call_all(tour)
        if self.stop is not None:
            raise self.stop

    async def call(self, tour: Tour, place: Place) -> None:
        try:
            await super().call(tour, place)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.stop = error


class LetsTheOthersRun(MemoryBus):
    """When something has to pass, it waits for what else runs, and does not cancel it."""

    async def clear_away(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            await super().clear_away(tasks)
        else:
            await asyncio.wait(tasks)


# -- Cancelled.


class SwallowsCancellation(MemoryBus):
    """Who is cancelled gets an answer."""

    async def call_all(self, tour: Tour) -> None:
        with suppress(asyncio.CancelledError):
            await super().call_all(tour)


class GoesOnWhenCancelled(_Inline):
    """Who is cancelled ends the handler that runs, and no more."""

    async def call(self, tour: Tour, place: Place) -> None:
        try:
            await self.in_time(place, tour.event)
        except (Exception, asyncio.CancelledError) as error:
            failure: Any = error
            self.failed(tour, place, failure)


class ShieldsHandlers(MemoryBus):
    """Handlers run on when whoever published is cancelled."""

    async def call_all(self, tour: Tour) -> None:
        await asyncio.shield(asyncio.ensure_future(super().call_all(tour)))


class CancelsAndLeaves(MemoryBus):
    """It cancels what runs, and does not see it end."""

    async def clear_away(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)


class CancelsOne(MemoryBus):
    """Of several handlers that run it cancels the first."""

    async def clear_away(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        tasks[0].cancel()
        await asyncio.wait(tasks)


class TakesErrorsForFailures(_Inline):
    """A handler that raises something else of being cancelled has failed, and it goes on."""

    async def call(self, tour: Tour, place: Place) -> None:
        try:
            await self.in_time(place, tour.event)
        except asyncio.CancelledError as error:
            self.cancelled(tour, place, error)
        except Exception as error:
            self.failed(tour, place, error)


class LosesWhoWasCalled(MemoryBus):
    """While an event goes round nobody is subscribed, and when that was cancelled nobody will be."""

    places: list[Place]

    async def call_all(self, tour: Tour) -> None:
        before, self.places = self.places, []
        await super().call_all(tour)
        self.places = before + self.places


FAULTS: Final = [
    faulty(SwallowsFailures, "30", "31", "62", "70"),
    faulty(StopsAtTheFirst, "30", "31", "33", "50", "70"),
    faulty(RaisesThrough, "30", "31", "70"),
    faulty(RaisesInTheEnd, "30", "31", "70"),
    faulty(DropsWhoFails, "30", "70"),
    faulty(TellsTheFirst, "31", "32", "70"),
    faulty(TellsThemBackwards, "31", "62", "70"),
    faulty(BlamesTheFirst, "30", "31"),
    faulty(TellsNames, "30", "31", "32"),
    faulty(WrapsErrors, "31", "33"),
    faulty(OneFailureEach, "32", "70"),
    faulty(RaisesInside, "35", "70"),
    faulty(PassesAnyCancellation, "30", "33", "62"),
    faulty(ForgivesCancellation, "30", "33", "62"),
    faulty(TellsCancelledError, "33", "62"),
    faulty(CancelledForGood, "33"),
    faulty(CollectsEverything, "34", "64"),
    faulty(GroupsWhatPasses, "34", "64"),
    faulty(StopsInTheEnd, "34", "64"),
    faulty(LetsTheOthersRun, "64"),
    faulty(SwallowsCancellation, "40", "41", "63"),
    faulty(GoesOnWhenCancelled, "40", "41"),
    faulty(ShieldsHandlers, "40", "63"),
    faulty(CancelsAndLeaves, "40", "63"),
    faulty(CancelsOne, "63"),
    faulty(TakesErrorsForFailures, "41"),
    faulty(LosesWhoWasCalled, "40"),
]
