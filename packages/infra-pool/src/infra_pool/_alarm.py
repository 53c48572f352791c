"""A timer for whatever comes first."""

import asyncio
from collections.abc import Callable
from math import inf


class Alarm:
    """Calls `ring` once, at the earliest of the times that it was set to since it last rang."""

    __slots__ = ("_now", "_ring", "_timer", "due")

    def __init__(self, now: Callable[[], float], ring: Callable[[], None]) -> None:
        self._now = now
        self._ring = ring
        self.due = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due: float) -> None:
        if due >= self.due:
            return
        self.stop()
        self.due = due
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self._fire)

    def stop(self) -> None:
        self.due = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self.stop()
        self._ring()
