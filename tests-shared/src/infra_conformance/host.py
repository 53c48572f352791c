"""
Where a subject lives while it is checked: one event loop, and one task for its whole life.

One task, because a subject built on cancel scopes must be left in the task that entered it. One loop an example,
because a subject must not depend on what an earlier example left behind.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Final, Self

from infra_conformance.forgotten import Forgotten
from infra_conformance.loop import LoopClock, SubjectError, VirtualLoop
from infra_conformance.messages import ConformanceMessages
from infra_protocols.clock import Clock, SystemClock

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it

VIRTUAL_BUDGET: Final = 100_000.0
"""Virtual seconds that one call into the host may take: more than a day, so that only what never ends is caught."""
REAL_BUDGET: Final = 60.0
"""Real seconds that one call into a host with real time may take."""


class Host[S]:
    """
    Opens a subject, runs calls against it from plain code, closes it, and sees that nothing is left.

    Type parameters:
        S: the subject.

    Args:
        make: makes the subject, as `Suite.make` does.
        real_time: whether time is real.
        budget: the seconds that one call into the host may take, opening and closing included.

    >>> from contextlib import asynccontextmanager
    >>> @asynccontextmanager
    ... async def make(clock):
    ...     yield [clock.monotonic()]
    >>> async def hour(subject):
    ...     await asyncio.sleep(3600)
    ...     return len(subject)
    >>> with Host(make) as host:
    ...     host.run(hour)
    1
    """

    def __init__(
        self,
        make: Callable[[Clock], AbstractAsyncContextManager[S]],
        *,
        real_time: bool = False,
        budget: float | None = None,
    ) -> None:
        self._make = make
        self._budget = budget or (REAL_BUDGET if real_time else VIRTUAL_BUDGET)
        self._runner = asyncio.Runner(loop_factory=None if real_time else VirtualLoop)
        self._forgotten = Forgotten()
        self._reports: list[str] = []
        self._jobs: asyncio.Queue[_Job[S] | None] = asyncio.Queue()

    def __enter__(self) -> Self:
        """Open the subject."""
        self._forgotten.watch()
        self._loop = self._runner.get_loop()
        self._loop.set_exception_handler(self._report)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._home = self._loop.create_task(self._live(), name="conformance-host")
        try:
            self._wait(self._opened)
        except BaseException:
            self._clear_away(sound=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        Close the subject; after a failure, only clear away.

        Raises:
            SubjectError: the subject left something behind.
        """
        sound = False
        try:
            if error is None:
                self._close()
                sound = True
        finally:
            self._clear_away(sound=sound)

    def time(self) -> float:
        """Return the time of the host's loop, in seconds."""
        return self._loop.time()

    def run[R](self, call: Callable[[S], Awaitable[R]]) -> R:
        """
        Run `call` with the subject, in the subject's own task, and return what it returns.

        Type parameters:
            R: what the call returns.

        Raises:
            SubjectError: the call does not end.
        """
        job = _Job(call, self._loop.create_future())
        self._jobs.put_nowait(job)
        self._wait(job.done)
        if job.error is not None:
            raise job.error
        return job.value

    async def _live(self) -> None:
        clock = LoopClock(self._loop) if isinstance(self._loop, VirtualLoop) else SystemClock()
        async with self._make(clock) as subject:
            self._opened.set_result(None)
            while (job := await self._jobs.get()) is not None:
                await job.work(subject)

    def _wait(self, done: "asyncio.Future[None]") -> None:
        async def either() -> None:
            # A virtual loop minds the budget by itself: with a timer pending, it could not tell a deadlock.
            timeout = None if isinstance(self._loop, VirtualLoop) else self._budget
            await asyncio.wait((done, self._home), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

        self._allow()
        self._loop.run_until_complete(either())
        if done.done():
            return
        if not self._home.done():
            raise SubjectError(ConformanceMessages.TOO_LONG.format(budget=self._budget))
        try:
            self._home.result()  # where the subject ended by itself, this raises why
        except asyncio.CancelledError as error:
            raise SubjectError(ConformanceMessages.LEAKED_CANCEL) from error

    def _allow(self) -> None:
        if isinstance(self._loop, VirtualLoop):
            self._loop.allow(self._budget)

    def _close(self) -> None:
        self._jobs.put_nowait(None)
        self._wait(self._loop.create_future())
        # What was called off in the last moment has one more turn to end in.
        self._loop.run_until_complete(asyncio.sleep(0))
        if tasks := [task for task in asyncio.all_tasks(self._loop) if not task.done()]:
            raise SubjectError(ConformanceMessages.TASKS_LEFT.format(tasks=", ".join(map(_task_name, tasks))))
        if isinstance(self._loop, VirtualLoop) and (timers := self._loop.pending_timers()):
            raise SubjectError(ConformanceMessages.TIMERS_LEFT.format(timers=", ".join(map(repr, timers))))
        if forgotten := self._forgotten.found():
            raise SubjectError(ConformanceMessages.FORGOTTEN.format(text="; ".join(forgotten)))
        # After that, since an error that nobody asked for is told when its task is thrown away.
        if self._reports:
            raise SubjectError(ConformanceMessages.LOOP_ERROR.format(text="; ".join(self._reports)))

    def _clear_away(self, *, sound: bool) -> None:
        self._jobs.put_nowait(None)
        self._allow()
        # What is wrong here is only the aftermath: the failure that led here is the one to tell.
        with suppress(SubjectError):
            self._runner.close()
        self._forgotten.release(sound=sound)

    def _report(self, loop: asyncio.AbstractEventLoop, report: dict[str, Any]) -> None:
        if loop.is_closed():
            loop.default_exception_handler(report)
            return
        error = report.get("exception")
        self._reports.append(report["message"] + (f": {error!r}" if error else ""))


def _task_name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", task.get_name())


class _Job[S]:
    """A call into the host, and later its outcome; kept aside so that no exception passes through a future."""

    def __init__(self, call: Callable[[S], Awaitable[Any]], done: "asyncio.Future[None]") -> None:
        self._call = call
        self.done = done
        self.value: Any = None
        self.error: BaseException | None = None

    async def work(self, subject: S) -> None:
        try:
            self.value = await self._call(subject)
        except asyncio.CancelledError as error:
            self.error = SubjectError(ConformanceMessages.LEAKED_CANCEL)
            self.error.__cause__ = error
        except BaseException as error:
            self.error = error
        self.done.set_result(None)
