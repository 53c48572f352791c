"""Calling what blocks."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread

from infra_health.messages import HealthMessages
from infra_protocols import HealthTimeoutError


class ThreadCall[T]:
    """
    A function that is called in threads of its own.

    Not in those of the event loop's executor: calls that hang would use them up, and keep the process from ending.
    While one hangs that nobody waits for any more, no other is begun.
    """

    __slots__ = ("_abandoned", "_function", "_name")

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._name = name
        self._abandoned = 0

    async def __call__(self) -> T:
        if self._abandoned:
            raise HealthTimeoutError(HealthMessages.HEALTH_STILL_RUNS)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()
        outcome: list[T] = []

        def settle(error: BaseException | None) -> None:
            if ended.done():
                self._abandoned -= 1
            elif error is None:
                ended.set_result(outcome[0])
            else:
                ended.set_exception(error)

        def call() -> None:
            error: BaseException | None = None
            try:
                outcome.append(self._function())
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has been closed meanwhile: nobody waits
                loop.call_soon_threadsafe(settle, error)

        Thread(target=copy_context().run, args=(call,), name=self._name, daemon=True).start()
        try:
            return await ended
        except asyncio.CancelledError:
            if ended.cancelled():  # otherwise its answer had just come
                self._abandoned += 1
            raise
