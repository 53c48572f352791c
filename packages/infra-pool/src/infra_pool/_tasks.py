"""The tasks of a pool: what they do is nobody else's to cancel, and each has so much time."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from math import inf
from typing import Any


class Tasks:
    """
    Tasks that run in copies of one context, whoever starts them: a connection outlives the request that caused it.

    They are eager: what has been started cannot be cancelled before it has begun, and skip its own clean-up. Most are
    done at once; only those that are not get a timer, which costs more than all the rest.
    """

    __slots__ = ("_context", "_limit", "_running")

    def __init__(self, context: Context, limit: float) -> None:
        self._context = context
        self._limit = limit
        self._running: set[asyncio.Task[None]] = set()

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        loop = asyncio.get_running_loop()
        task = _Limited(call, loop=loop, context=self._context.copy(), eager_start=True)
        if not task.done():
            if self._limit < inf:
                task.limit(self._limit)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        for task in list(self._running):
            task.cancel()

    async def settled(self) -> None:
        """Wait for those that run now."""
        if self._running:
            await asyncio.wait(self._running)

    async def ended(self) -> None:
        """Wait until none is left, those included that start meanwhile."""
        while self._running:
            await asyncio.wait(self._running)


def is_overdue() -> bool:
    """Say whether this runs in a task of a pool whose time is over."""
    task = asyncio.current_task()
    return isinstance(task, _Limited) and task.overdue


class _Limited(asyncio.Task[None]):
    overdue = False

    def limit(self, seconds: float) -> None:
        timer = self.get_loop().call_later(seconds, self._expire)
        self.add_done_callback(lambda _: timer.cancel())

    def _expire(self) -> None:
        self.overdue = True
        self.cancel()
