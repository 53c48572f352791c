"""Where a pool belongs: one event loop, in one process."""

import asyncio
import os
from typing import Final
from weakref import WeakSet

from infra_pool.messages import PoolMessages
from infra_protocols import PoolLoopError


class Home:
    """The event loop in which a pool was opened; none before that, nor in a child of its process."""

    __slots__ = ("__weakref__", "_left_behind", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._left_behind = False

    def settle(self) -> None:
        self.loop = asyncio.get_running_loop()
        _SETTLED.add(self)

    def stranger(self, operation: str) -> PoolLoopError | None:
        """Return why a call of now does not belong here, if it does not."""
        if self._left_behind:
            place = "process"
        elif self.loop is None or self.loop is _running_loop():
            return None
        else:
            place = "event loop"
        return PoolLoopError(PoolMessages.POOL_WRONG_LOOP.format(place=place), operation=operation)

    def leave_behind(self) -> None:
        self.loop = None
        self._left_behind = True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _forked() -> None:
    for home in _SETTLED:
        home.leave_behind()


# A child may run on with the loop of its parent: to ask for the process at each borrow would cost a system call.
_SETTLED: Final[WeakSet[Home]] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
