"""What a bus promises of handlers that fail, are late or are cancelled."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from infra_conformance.event_bus_base import BAD_TIMEOUTS, EventBusChecks, MakeBus, expect_called, expect_failures
from infra_conformance.event_bus_script import Closed, Event, Hall, Kind, Listener, Opened, StopError
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.sweep import Outcome
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import HandlerCancelledError, HandlerTimeoutError

KINDS = st.sampled_from(Kind)


def errors() -> Sequence[BaseException]:
    """Return what a handler may fail with."""
    return [ValueError("no"), KeyError("k"), TimeoutError("its own"), ConnectionError(), asyncio.CancelledError()]


class FailureChecks(EventBusChecks):
    """The checks of handlers that do not simply return."""

    @check("bus-30", validates="10.1")
    async def test_others_are_called(self, trial: Trial[MakeBus]) -> None:
        """A handler that fails, however it does, stops no other, and costs the next event nothing."""
        hall = self.hall(trial)
        bad = hall.listener("bad", trial.draw(KINDS), error=trial.draw(st.sampled_from(errors())))
        place = trial.draw(st.integers(0, 2))
        for number in range(3):
            if number == place:
                hall.join(Event, bad)
            hall.listen(str(number), Event, trial.draw(KINDS))
        expect_failures(await hall.publish(Event()), [bad.handler])
        expect("who was called", sorted(hall.names), ["0", "1", "2", "bad"])
        bad.error = None
        expect_called(await hall.publish(Event()), 4)

    @check("bus-31", validates="10.1")
    async def test_each_is_told(self, trial: Trial[MakeBus]) -> None:
        """All failures are told, in the order of subscription: which handler, and the very error that it raised."""
        hall = self.hall(trial)
        drawn = trial.draw(st.lists(st.sampled_from([None, *errors()[:-1]]), min_size=1, max_size=5))
        listeners = [hall.listener(str(number), trial.draw(KINDS), error=error) for number, error in enumerate(drawn)]
        for listener in listeners:
            hall.join(Event, listener)
        result = await hall.publish(Event())
        bad = [listener for listener in listeners if listener.error is not None]
        if not bad:
            expect_called(result, len(listeners))
            return
        failures = expect_failures(result, [listener.handler for listener in bad])
        for failure, listener in zip(failures, bad, strict=True):
            expect(f"whether {listener}'s is the error that it raised", failure.error is listener.error, True)

    @check("bus-32", validates="10.1")
    async def test_twins_fail(self, trial: Trial[MakeBus]) -> None:
        """Where a handler is subscribed twice, each of its failures is told."""
        hall = self.hall(trial)
        twin = hall.listener("twin", trial.draw(KINDS), error=ValueError())
        hall.join(Event, twin)
        hall.listen("a")
        hall.join(Opened, twin)
        expect_failures(await hall.publish(Opened()), [twin.handler] * 2)

    @check("bus-33", validates="10.1")
    async def test_cancelled_from_inside(self, trial: Trial[MakeBus]) -> None:
        """A handler that ends in CancelledError of itself fails with HandlerCancelledError, and the others go on."""
        hall = self.hall(trial)
        was_cancelled_before = trial.draw(st.booleans())
        bad = hall.listener(
            "bad", trial.draw(KINDS), error=asyncio.CancelledError(), turns=trial.draw(st.integers(0, 1))
        )
        hall.join(Event, bad)
        hall.listen("good", turns=1)

        async def publish() -> Any:
            if was_cancelled_before:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    trial.history.note("whoever publishes has been cancelled, and goes on")
            return await hall.publish(Event())

        published = asyncio.ensure_future(publish())
        await asyncio.wait((published,))
        if published.cancelled():
            raise Broken(ConformanceMessages.LEAKED_CANCEL)
        (failure,) = expect_failures(published.result(), [bad.handler])
        expect("the class of its error", type(failure.error).__name__, HandlerCancelledError.__name__)
        expect("who has ended", hall.ended, ["bad", "good"])

    @check("bus-34", validates="10.1")
    async def test_what_is_no_exception(self, trial: Trial[MakeBus]) -> None:
        """What a handler raises that is no Exception passes as it is; nobody else is called, and the bus goes on."""
        hall = self.hall(trial)
        bad = hall.listener("bad", trial.draw(KINDS), error=StopError("stop"), turns=trial.draw(st.integers(0, 1)))
        hall.listen("a", error=ValueError() if trial.draw(st.booleans()) else None)
        hall.join(Event, bad)
        hall.listen("c")
        await _stopped(hall, bad)
        expect("who was called", hall.names, ["a", "bad"])
        bad.error = None
        await hall.publish(Event())
        expect("who was called, then", hall.names[2:], ["a", "bad", "c"])

    @check("bus-35", validates="10.1")
    async def test_nested_failure(self, trial: Trial[MakeBus]) -> None:
        """A failure is told to whoever published that event: the handler that did, and not whoever called that."""
        hall = self.hall(trial)
        inner: list[Any] = []

        async def publish(event: object) -> None:
            inner.append(await hall.publish(Closed()))

        hall.listen("a", Opened, does=publish)
        bad = hall.listener("bad", error=ValueError())
        hall.join(Closed, bad)
        expect_called(await hall.publish(Opened()), 1)
        expect_failures(inner[0], [bad.handler])

    # -- Cancelled.

    @swept("bus-40", validates="10.1")
    async def test_interrupted(self, trial: Trial[MakeBus]) -> None:
        """A publish that is cancelled cancels the handler that runs, and calls nobody further; the bus is whole."""
        hall = self.hall(trial)
        for name in "abc":
            hall.listen(name, turns=2)
        await interrupted(trial, hall, "abc")

    @check("bus-41", validates="10.1")
    async def test_does_not_take_cancellation(self, trial: Trial[MakeBus]) -> None:
        """Who is cancelled is so too where a handler raises something else of it; nobody else is called."""
        hall = self.hall(trial)
        if trial.draw(st.booleans()):
            hall.listen("failed", error=ValueError())
        hall.listen("bad", seconds=9 * self.tick, when_cancelled=ValueError())
        hall.listen("c")
        published = asyncio.ensure_future(hall.publish(Event()))
        await trial.elapse(self.tick)
        before = len(hall.got)
        published.cancel()
        await asyncio.wait((published,))
        if not published.cancelled():
            told = published.exception() or published.result()
            raise Broken(ConformanceMessages.SWALLOWED_CANCEL.format(where="while it waited", result=repr(told)))
        expect("how many were called afterwards", len(hall.got) - before, 0)

    # -- Late.

    @check("bus-50", validates="10.1", requires="supports_timeout")
    async def test_late(self, trial: Trial[MakeBus]) -> None:
        """A handler whose time is over is cancelled and fails with HandlerTimeoutError; each has as much time."""
        hall = self.hall(trial, timeout=2)
        kinds = st.sampled_from([kind for kind in Kind if kind is not Kind.SYNC])
        bad = hall.listener("late", trial.draw(kinds), seconds=5 * self.tick)
        for name in "ab":
            hall.listen(name, Event, trial.draw(kinds), seconds=self.tick)
            hall.join(Event, bad)
        began = trial.time()
        failures = expect_failures(await hall.publish(Event()), [bad.handler] * 2)
        took = trial.time() - began
        expect("their errors", [type(each.error).__name__ for each in failures], [HandlerTimeoutError.__name__] * 2)
        if not 6 * self.tick - self.slack <= took <= 6 * self.tick + (10 if self.real_time else self.slack):
            raise Broken(ConformanceMessages.EXPECTED.format(what="the time it took", want=6 * self.tick, got=took))
        expect("who has ended", hall.ended, ["a", "late", "b", "late"])
        bad.seconds = 0
        expect_called(await hall.publish(Event()), 4)

    @check("bus-51", validates="10.1", requires="supports_timeout")
    async def test_its_own_timeout(self, trial: Trial[MakeBus]) -> None:
        """A TimeoutError of a handler's own is told as what it is, with time left or not; so is any error in time."""
        hall = self.hall(trial, timeout=2)
        bad = hall.listener("bad", trial.draw(KINDS), error=TimeoutError("its own"), seconds=self.tick)
        hall.join(Event, bad)
        (failure,) = expect_failures(await hall.publish(Event()), [bad.handler])
        expect("whether its error is the one that it raised", failure.error is bad.error, True)

    @check("bus-52", validates="10.1", requires="supports_timeout")
    async def test_late_and_stubborn(self, trial: Trial[MakeBus]) -> None:
        """A handler whose time is over has failed with HandlerTimeoutError, whatever it does of being cancelled."""
        hall = self.hall(trial, timeout=1)
        does = trial.draw(st.sampled_from([True, ValueError("cleaning up failed")]))
        bad = hall.listener("bad", seconds=2 * self.tick, when_cancelled=does)
        hall.join(Event, bad)
        hall.listen("good", turns=1)
        (failure,) = expect_failures(await hall.publish(Event()), [bad.handler])
        expect("the class of its error", type(failure.error).__name__, HandlerTimeoutError.__name__)
        expect("who has ended", hall.ended, ["bad", "good"])

    @check("bus-53", validates="10.1", requires="supports_timeout")
    async def test_bad_timeouts(self, trial: Trial[MakeBus]) -> None:
        """A timeout that is not above 0 is refused with a ValidationError."""
        for timeout in BAD_TIMEOUTS:
            self.refuses(trial, f"timeout={timeout!r}", timeout, 1)

    @swept("bus-54", validates="10.1", requires="supports_timeout")
    async def test_interrupted_in_time(self, trial: Trial[MakeBus]) -> None:
        """A publish that is cancelled while a handler has time left is as if there were no timeout."""
        hall = self.hall(trial, timeout=5)
        for name in "ab":
            hall.listen(name, turns=1, seconds=self.tick)
        await interrupted(trial, hall, "ab")


async def _stopped(hall: Hall, bad: Listener) -> None:
    try:
        result: object = await hall.publish(Event())
    except StopError as stop:
        expect("whether it is the one that was raised", stop is bad.error, True)
        return
    except BaseException as other:
        result = other
    message = ConformanceMessages.EXPECTED.format(what="what publish ends in", want=repr(bad.error), got=repr(result))
    raise Broken(message)


async def interrupted(trial: Trial[MakeBus], hall: Hall, names: str) -> None:
    """See that a publish which is interrupted ends what it began, and does nothing more."""
    outcome: Outcome = await trial.interrupt(hall.publish(Event()))
    expect("who still runs", hall.running, [])
    called = hall.names
    expect("who was called", called, list(names[: len(called)]))
    if outcome.finished:
        expect_called(outcome.value, len(names))
    elif hall.cancelled:
        expect("who was called after that", hall.names[hall.called_before :], [])
        expect("who ran on", [name for name in hall.ended[hall.ended_before :] if name not in hall.cancelled], [])
    await asyncio.sleep(0)
    expect("who was called, a moment later", hall.names, called)
    hall.forget()
    expect_called(await hall.publish(Event()), len(names))
    expect("who is called afterwards", hall.names, list(names))
