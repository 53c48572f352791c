"""Seeing to it that nothing stays in a compressor for long."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class DelayedFlush:
    """
    Calls `flush` a while after it was first wanted, in a task of its own.

    Args:
        flush: what to call; what it raises is raised by the next `want`.
        delay: how many seconds afterwards.
    """

    __slots__ = ("_delay", "_flush", "_task", "_timer")

    def __init__(self, flush: Callable[[], Coroutine[Any, Any, None]], delay: float) -> None:
        self._flush = flush
        self._delay = delay
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self) -> None:
        """See that `flush` is called in time; where that is to be done already, nothing changes."""
        if self._task is not None:
            if not self._task.done():
                return
            task, self._task = self._task, None
            task.result()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._begin)

    def call_off(self) -> None:
        """Have `flush` not called, if it is not called yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        """Leave nothing behind: what runs is cancelled, and has ended on return."""
        self.call_off()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # looked at: the response has ended all the same

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._flush())
