"""
Interrupting a call at each of its suspension points in turn.

A call is driven step by step. At its k-th suspension it is interrupted; the whole scenario is then run again with the
next k, until the call gets to its end first.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from infra_conformance.messages import ConformanceMessages

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it


class Moment(str, Enum):
    """How a call is interrupted at a suspension point."""

    WAITING = "while it waited"
    """It is cancelled while what it awaits is still to come."""
    ANSWERED = "as its answer came"
    """It is cancelled in the very tick in which what it awaits arrives, before it can go on."""
    FAULT = "while it waited for its engine"
    """What it awaits fails, as when a connection is lost."""


class InterruptError(AssertionError):
    """A call did not take its interruption as it must."""


class Pass(str, Enum):
    """How an interrupted call came through."""

    FINISHED = "finished"
    """It returned: it got to its end before the point of interruption, or it got over the fault, as by a retry."""
    CANCELLED = "was cancelled"
    FAILED = "failed"
    """The fault reached the caller, as it was or as an error of the subject's own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of the interrupted call.

    >>> Outcome(Pass.FINISHED, 7).finished
    True
    """

    ending: Pass
    value: Any = None
    """What it returned or raised."""

    @property
    def finished(self) -> bool:
        """Whether the call returned: then it must have done all that it does."""
        return self.ending is Pass.FINISHED


class Interruption:
    """
    One interruption: at the `point`-th suspension, in the way `moment` says.

    Args:
        point: the number of the suspension point, from 1.
        moment: how to interrupt.
        fault: what the engine raises.
        settle: seconds to wait afterwards, for a real engine to be done with what it was sent.

    >>> async def nap() -> str:
    ...     await asyncio.sleep(0)
    ...     await asyncio.sleep(0)
    ...     return "done"
    >>> asyncio.run(Interruption(1, Moment.WAITING).of(nap())).ending.value
    'was cancelled'
    >>> asyncio.run(Interruption(3, Moment.WAITING).of(nap())).value
    'done'
    """

    def __init__(
        self, point: int, moment: Moment, fault: type[Exception] = ConnectionResetError, settle: float = 0.0
    ) -> None:
        self._point: Final = point
        self._moment: Final = moment
        self._fault: Final = fault
        self._settle: Final = settle
        self.used: bool = False
        """Whether a call was handed to `of`."""
        self.struck: bool = False
        """Whether the call got to the point."""

    def __str__(self) -> str:
        """Say where the call was interrupted, if it was."""
        if not self.struck:
            return ConformanceMessages.NOT_INTERRUPTED
        return ConformanceMessages.INTERRUPTED.format(point=self._point, moment=self._moment.value)

    async def of(self, call: Coroutine[Any, Any, Any]) -> Outcome:
        """
        Run `call` in a task of its own and interrupt it.

        Raises:
            InterruptError: it was cancelled and did not end in `CancelledError`.
        """
        self.used = True
        task = asyncio.get_running_loop().create_task(self._drive(call), name="interrupted")
        await asyncio.wait((task,))
        if self._settle:
            await asyncio.sleep(self._settle)
        if not self.struck:
            return Outcome(Pass.FINISHED, task.result())
        return self._after_fault(task) if self._moment is Moment.FAULT else self._after_cancel(task)

    def _after_cancel(self, task: "asyncio.Task[Any]") -> Outcome:
        if task.cancelled():
            return Outcome(Pass.CANCELLED)
        error = task.exception()
        if error is None:
            raise InterruptError(ConformanceMessages.SWALLOWED_CANCEL.format(where=self, result=repr(task.result())))
        message = ConformanceMessages.CANCEL_REPLACED.format(where=self, kind=type(error).__name__, text=error)
        raise InterruptError(message) from error

    def _after_fault(self, task: "asyncio.Task[Any]") -> Outcome:
        error = task.exception()
        return Outcome(Pass.FINISHED, task.result()) if error is None else Outcome(Pass.FAILED, error)

    async def _drive(self, call: Coroutine[Any, Any, Any]) -> Any:
        return await _Driven(call, self._strike, self._point)

    def _strike(self, awaited: "asyncio.Future[Any] | None") -> Exception | None:
        self.struck = True
        task = asyncio.current_task()
        assert task is not None
        if self._moment is Moment.FAULT:
            if awaited is not None:
                awaited.cancel()
            return self._fault("injected by the conformance kit")
        if self._moment is Moment.ANSWERED and awaited is not None:
            # Registered before the task's own wake-up, so it runs in the same tick, just ahead of it.
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()
        return None


type _Strike = Callable[["asyncio.Future[Any] | None"], Exception | None]


class _Driven:
    """Awaits a coroutine, and calls `strike` when it suspends for the `point`-th time."""

    def __init__(self, call: Coroutine[Any, Any, Any], strike: _Strike, point: int) -> None:
        self._call = call
        self._strike = strike
        self._left = point

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            try:
                awaited = self._call.send(None) if error is None else self._call.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            self._left -= 1
            if self._left == 0:
                blocking = awaited if asyncio.isfuture(awaited) else None
                error = self._strike(blocking)
                if error is not None:
                    continue
            try:
                yield awaited
            except BaseException as thrown:
                error = thrown
