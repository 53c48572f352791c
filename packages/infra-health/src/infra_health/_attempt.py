"""
Running checks: each in a task of its own, in time, whatever it does.

A task and a timer a check, and nothing that waits for either: what ends calls back. So fifty checks cost little more
than the slowest of them.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

from infra_health._record import Record
from infra_health.messages import HealthMessages
from infra_protocols import Clock, HealthComponent, HealthPolicy, HealthResult, HealthTimeoutError

GRACE: Final = 0.1
"""For how many seconds a check that its callers have left is waited for; longer only takes one that goes on."""
SHARE: Final = 0.9
"""How much of the time that it has a check leaves to the checks within it."""

limit: ContextVar[float | None] = ContextVar("infra_health.limit", default=None)
"""The moment, by the event loop, when the check that runs in this context has to have ended."""


class Part:
    """A check of a composite: what is known of it, and the task in which it runs, or still ends."""

    __slots__ = ("clock", "component", "policy", "record", "task")

    def __init__(self, component: HealthComponent[Any], policy: HealthPolicy, clock: Clock) -> None:
        self.component = component
        self.policy = component.policy or policy
        self.clock = clock
        self.record = Record(component.check.name, self.policy, clock)
        self.task: asyncio.Task[Any] | None = None

    def running(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[Any] | None":
        """Return the task, unless it has ended, or its event loop has."""
        task = self.task
        return task if task is not None and not task.done() and task.get_loop() is loop else None


async def run(parts: Iterable[Part], seconds: float) -> None:
    """Run the checks of `parts` beside one another, all within so many seconds, and have each keep what it found."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    end = now + seconds
    # A task that a check has left behind has its limit, too; one that is over concerns nobody.
    if (own := limit.get()) is not None and own > now:
        end = min(end, now + SHARE * (own - now))
    done = loop.create_future()
    waiting: dict[_Attempt, None] = {}

    def ended(attempt: _Attempt) -> None:
        # One that ends as it is begun was never waited for; others are begun after it.
        if attempt in waiting:
            del waiting[attempt]
            if not waiting and not done.done():
                done.set_result(None)

    # By the moment at which they are late: most have the same.
    late: dict[float, list[_Attempt]] = {}
    for part in parts:
        attempt = _Attempt(part, loop, min(end, now + part.policy.timeout), ended)
        if not attempt.over:
            waiting[attempt] = None
            late.setdefault(attempt.end, []).append(attempt)
    if not waiting:
        return
    timers = [loop.call_at(moment, _give_up, attempts) for moment, attempts in late.items()]
    try:
        await done
    except asyncio.CancelledError:
        if left := [task for attempt in waiting if (task := attempt.abandon()) is not None]:
            await asyncio.wait(left, timeout=GRACE)
        raise
    finally:
        for timer in timers:
            timer.cancel()


class _Attempt:
    """One run of one check, up to its result or the end of its time."""

    __slots__ = ("_began", "_ended", "_loop", "_part", "end", "over")

    def __init__(
        self, part: Part, loop: asyncio.AbstractEventLoop, end: float, ended: "Callable[[_Attempt], None]"
    ) -> None:
        self._part = part
        self._loop = loop
        self._ended = ended
        self._began = part.clock.monotonic()
        self.end = end
        self.over = False
        if (earlier := part.running(loop)) is not None:
            earlier.add_done_callback(self._go_on)
        else:
            self._start()

    def abandon(self) -> "asyncio.Task[Any] | None":
        """End without a result; returns the task that still ends."""
        self.over = True
        if (task := self._part.running(self._loop)) is not None:
            task.cancel()
        return task

    def give_up(self) -> None:
        """End with what is told of one that is late."""
        seconds = round(self._part.clock.monotonic() - self._began, 3)
        error = HealthTimeoutError(HealthMessages.HEALTH_TIMEOUT.format(timeout=seconds))
        self._keep(replace(HealthResult.failed(error), checked=self._part.record.checked))
        if (task := self._part.running(self._loop)) is not None:
            task.cancel()

    def _start(self) -> None:
        task = asyncio.Task(_checked(self._part, self.end), loop=self._loop, eager_start=True)
        self._part.task = task
        if task.done():
            self._settle(task)
        else:
            task.add_done_callback(self._settle)

    def _go_on(self, _: "asyncio.Task[Any]") -> None:
        if not self.over:
            self._start()

    def _settle(self, task: "asyncio.Task[Any]") -> None:
        found = _found(task)  # also where it is too late: an error that nobody asks for would be reported
        if not self.over:
            self._part.record.checked = True
            self._keep(found)

    def _keep(self, found: HealthResult) -> None:
        self.over = True
        self._part.record.keep(found, self._began)
        self._ended(self)


def _give_up(attempts: Iterable[_Attempt]) -> None:
    for attempt in attempts:
        if not attempt.over:
            attempt.give_up()


async def _checked(part: Part, end: float) -> object:
    limit.set(end)
    return await part.component.check.check()


def _found(task: "asyncio.Task[Any]") -> HealthResult:
    if task.cancelled():
        return HealthResult.failed(asyncio.CancelledError(HealthMessages.HEALTH_CANCELLED))
    if (error := task.exception()) is not None:
        return HealthResult.failed(error)
    result: Any = task.result()
    if isinstance(result, HealthResult):
        return result
    return HealthResult.failed(TypeError(HealthMessages.NO_RESULT.format(kind=type(result).__name__)))
