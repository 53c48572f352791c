"""What a bus promises whose handlers of one event run at once."""

import asyncio
import heapq
from collections.abc import Sequence

from hypothesis import strategies as st

from infra_conformance.event_bus_base import (
    BAD_CONCURRENCIES,
    EventBusChecks,
    MakeBus,
    expect_called,
    expect_failures,
)
from infra_conformance.event_bus_failures import interrupted
from infra_conformance.event_bus_script import Event, Kind, StopError
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import HandlerCancelledError, HandlerTimeoutError

NAMES = "abcde"


class TogetherChecks(EventBusChecks):
    """The checks of handlers that run at once."""

    @check("bus-60", validates="10.1", requires="supports_concurrency")
    async def test_so_many_at_once(self, trial: Trial[MakeBus]) -> None:
        """With a concurrency of n, n handlers run at once and no more: the next is begun when one has ended."""
        concurrency = trial.draw(st.integers(1, 4))
        times = trial.draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
        hall = self.hall(trial, concurrency=concurrency)
        for name, ticks in zip(NAMES, times, strict=False):
            hall.listen(name, seconds=ticks * self.tick)
        began = trial.time()
        expect_called(await hall.publish(Event()), len(times))
        took, want = trial.time() - began, _makespan(times, concurrency) * self.tick
        expect("how many ran at once", hall.most, min(concurrency, len(times)))
        if not want - self.slack <= took <= want + (10 if self.real_time else self.slack):
            raise Broken(ConformanceMessages.EXPECTED.format(what="the time it took", want=want, got=took))

    @check("bus-61", validates="10.1", requires="supports_concurrency")
    async def test_begun_in_order(self, trial: Trial[MakeBus]) -> None:
        """Handlers that run at once are begun in the order in which they were subscribed."""
        hall = self.hall(trial, concurrency=trial.draw(st.integers(2, 4)))
        names = NAMES[: trial.draw(st.integers(2, 5))]
        for name in names:
            ticks = trial.draw(st.integers(0, 2))
            hall.listen(name, Event, trial.draw(st.sampled_from(Kind)), seconds=ticks * self.tick)
        expect_called(await hall.publish(Event()), len(names))
        expect("who was called", hall.names, list(names))

    @check("bus-62", validates="10.1", requires="supports_concurrency")
    async def test_failures_in_order(self, trial: Trial[MakeBus]) -> None:
        """However handlers that run at once end, failures are told in the order of subscription, and all are called."""
        hall = self.hall(trial, concurrency=trial.draw(st.integers(2, 4)))
        errors = trial.draw(
            st.lists(st.sampled_from([None, ValueError, asyncio.CancelledError]), min_size=2, max_size=5)
        )
        listeners = [
            hall.listener(name, seconds=trial.draw(st.integers(0, 2)) * self.tick, error=error and error())
            for name, error in zip(NAMES, errors, strict=False)
        ]
        for listener in listeners:
            hall.join(Event, listener)
        result = await hall.publish(Event())
        expect("who was called", hall.names, [listener.name for listener in listeners])
        if not (bad := [listener for listener in listeners if listener.error is not None]):
            expect_called(result, len(listeners))
            return
        failures = expect_failures(result, [listener.handler for listener in bad])
        told = [type(failure.error).__name__ for failure in failures]
        want = [ValueError if isinstance(each.error, ValueError) else HandlerCancelledError for each in bad]
        expect("their errors", told, [each.__name__ for each in want])

    @swept("bus-63", validates="10.1", requires="supports_concurrency")
    async def test_interrupted_together(self, trial: Trial[MakeBus]) -> None:
        """A publish that is cancelled cancels all handlers that run, sees them end, and calls nobody further."""
        hall = self.hall(trial, concurrency=2)
        for name in "abc":
            hall.listen(name, turns=2)
        await interrupted(trial, hall, "abc")

    @check("bus-64", validates="10.1", requires="supports_concurrency")
    async def test_stops_together(self, trial: Trial[MakeBus]) -> None:
        """What is no Exception passes as it is, when the handlers that run have been cancelled and have ended."""
        hall = self.hall(trial, concurrency=2)
        stop = StopError("stop")
        hall.listen("a", seconds=5 * self.tick)
        hall.listen("b", seconds=self.tick, error=stop)
        hall.listen("c")
        try:
            result: object = await hall.publish(Event())
        except BaseException as raised:
            result = raised
        if result is not stop:
            message = ConformanceMessages.EXPECTED.format(
                what="what publish ends in", want=repr(stop), got=repr(result)
            )
            raise Broken(message)
        expect("who still runs", hall.running, [])
        await trial.elapse(self.tick)
        expect("who was called", hall.names, ["a", "b"])

    @check("bus-65", validates="10.1", requires="supports_concurrency")
    async def test_leaves_while_others_run(self, trial: Trial[MakeBus]) -> None:
        """Who unsubscribes while those before it run at once is not called, and not counted."""
        hall = self.hall(trial, concurrency=2)

        async def leave(event: object) -> None:
            await asyncio.sleep(self.tick)
            hall.leave(leaves, "c")

        hall.listen("a", does=leave)
        hall.listen("b", seconds=2 * self.tick)
        leaves = hall.listen("c")
        hall.listen("d")
        expect_called(await hall.publish(Event()), 3)
        expect("who was called", hall.names, ["a", "b", "d"])

    @check("bus-66", validates="10.1", requires="supports_concurrency")
    async def test_bad_concurrencies(self, trial: Trial[MakeBus]) -> None:
        """A concurrency that is no whole number from 1 is refused with a ValidationError."""
        for concurrency in BAD_CONCURRENCIES:
            self.refuses(trial, f"concurrency={concurrency!r}", None, concurrency)

    @check("bus-67", validates="10.1", requires="supports_concurrency supports_timeout")
    async def test_late_together(self, trial: Trial[MakeBus]) -> None:
        """Each of the handlers that run at once has its time from when it is begun, and being late ends no other."""
        hall = self.hall(trial, timeout=3, concurrency=2)
        late = hall.listener("late", seconds=5 * self.tick)
        hall.listen("a", seconds=2 * self.tick)
        hall.join(Event, late)
        hall.listen("b", seconds=2 * self.tick)
        (failure,) = expect_failures(await hall.publish(Event()), [late.handler])
        expect("the class of its error", type(failure.error).__name__, HandlerTimeoutError.__name__)
        expect("who has ended", hall.ended, ["a", "late", "b"])


def _makespan(times: Sequence[int], concurrency: int) -> int:
    """Return how long it takes so many to do all that, each taking the next when it is done."""
    busy = [0] * concurrency
    for time in times:
        heapq.heappush(busy, heapq.heappop(busy) + time)
    return max(busy)
