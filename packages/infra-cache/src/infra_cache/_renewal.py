"""Renewing entries in the background: what a load is asked for, whether it is time, and the tasks."""

import asyncio
import random
from collections.abc import Coroutine
from logging import getLogger
from math import inf, log
from sys import float_info
from typing import Any, Final

from infra_cache.messages import CacheMessages
from infra_protocols import detached, or_raise, require_range

_LOG: Final = getLogger("infra_cache")


class Terms:
    """What is remembered of a load, so that its value can be renewed."""

    __slots__ = ("early", "stale", "took")

    def __init__(self, stale: float, early: float) -> None:
        self.stale = stale
        self.early = early
        self.took = 0.0


def terms(stale: float, early: float) -> Terms | None:
    """Return what `get_or_set` was asked for, `None` for neither."""
    if type(stale) is float is type(early) and stale == 0.0 == early:
        return None  # as nearly always
    stale, early = stale_seconds(stale), early_factor(early)
    return Terms(stale, early) if stale or early else None


def stale_seconds(stale: float) -> float:
    return inf if or_raise(require_range(stale, "stale", min=0)) > float_info.max else stale


def early_factor(early: float) -> float:
    return or_raise(require_range(early, "early", min=0, max=float_info.max))


def some_loads(early: float) -> float:
    """
    Return how many loads before its end an entry is to be renewed, drawn anew for each lookup.

    XFetch: Vattani, Chierichetti and Lowenstein, "Optimal probabilistic cache stampede prevention" (2015).
    """
    if type(early) is not float or not 0.0 <= early <= float_info.max:
        early = early_factor(early)
    return -early * log(1.0 - random.random())


class Renewals:
    """Loads that nobody waits for; each is on its way when `start` returns."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, key: str, load: Coroutine[Any, Any, object]) -> None:
        task = detached(_renew(key, load))
        if self._tasks and next(iter(self._tasks)).get_loop() is not task.get_loop():
            self._tasks = set()  # an earlier loop left them behind, and nobody can end them
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel those that run, and wait until they have ended."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _renew(key: str, load: Coroutine[Any, Any, object]) -> None:
    try:
        await load
    except Exception as error:
        _LOG.warning(CacheMessages.CACHE_RENEWAL_FAILED.format(key=key), exc_info=error)
