"""An event loop whose time passes only when nothing else is left to do."""

import asyncio
import math
import selectors
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Final, override
from weakref import WeakSet

from infra_conformance.messages import ConformanceMessages

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
START: Final = 1000.0
"""The time of a virtual loop at `EPOCH`, in seconds."""
MAX_TURNS: Final = 100_000
"""How often the loop may turn without time passing: about a second of work, so that only a busy wait is caught."""


class SubjectError(AssertionError):
    """The subject does not get on, or does not end as it should: it hangs, or leaves something behind."""


class Deadlock(SubjectError):
    """Nothing can run and no timer is pending: what the subject waits for can never happen."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop that never sleeps: when nothing can run, its clock moves to the next timer.

    >>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    ...     start = runner.get_loop().time()
    ...     runner.run(asyncio.sleep(3600))
    ...     runner.get_loop().time() - start
    3600.0
    """

    def __init__(self) -> None:
        self._now = START
        self._turns = 0
        self.allow(math.inf)
        self._timers: WeakSet[asyncio.TimerHandle] = WeakSet()
        selector = _NeverSleeps()
        selector.loop = self
        super().__init__(selector)
        # A timer counts as due when it is within this of the time; at large times the default rounds away.
        self._clock_resolution = 1e-6

    @override
    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def allow(self, seconds: float) -> None:
        """Give what runs from now on so many seconds, and a new lot of turns."""
        self._allowed = seconds
        self._limit = self._now + seconds
        self._turns = 0

    def skip(self, seconds: float) -> None:
        """
        Let `seconds` pass at once.

        Raises:
            SubjectError: that is more than was allowed.
        """
        self._now += seconds
        self._turns = 0
        if self._now > self._limit:
            raise SubjectError(ConformanceMessages.TOO_LONG.format(budget=self._allowed))

    def turn(self) -> None:
        """
        Count a turn of the loop in which no time passed.

        Raises:
            SubjectError: there were too many of them.
        """
        self._turns += 1
        if self._turns > MAX_TURNS:
            raise SubjectError(ConformanceMessages.SPINS.format(turns=MAX_TURNS))

    @override
    def call_at[*Ts](
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule as every loop does, and remember the timer."""
        handle = super().call_at(when, callback, *args, context=context)
        self._timers.add(handle)
        return handle

    def pending_timers(self) -> list[asyncio.TimerHandle]:
        """Return the timers that are neither due nor cancelled."""
        return [timer for timer in self._timers if not timer.cancelled() and timer.when() > self._now]


class _NeverSleeps(selectors.DefaultSelector):
    loop: VirtualLoop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            self.loop.turn()
        elif timeout is None:
            raise Deadlock(ConformanceMessages.DEADLOCK)
        else:
            self.loop.skip(timeout)
        return ready


class LoopClock:
    """
    The `Clock` of a subject under test: it goes by the event loop that runs it.

    >>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    ...     clock = LoopClock(runner.get_loop())
    ...     runner.run(asyncio.sleep(60))
    ...     (clock.now() - EPOCH).total_seconds()
    60.0
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.monotonic: Callable[[], float] = loop.time
        self._start = loop.time()

    def now(self) -> datetime:
        """Return the time of day: one moment in 2026, and on from there by the loop's time."""
        return EPOCH + timedelta(seconds=self.monotonic() - self._start)
