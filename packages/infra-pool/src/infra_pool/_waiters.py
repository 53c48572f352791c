"""Those who wait for a connection: each awaits one future of its own, and is served in the order of arrival."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from math import inf

from infra_pool._alarm import Alarm
from infra_pool._slot import Slot


class Refusal(Enum):
    """Why a wait ended without a connection."""

    TIMEOUT = "timeout"
    CLOSED = "closed"


type Waiter[T] = asyncio.Future[Slot[T] | Refusal]


class Waiters[T]:
    """The queue, and one timer for all in it: most are served long before their time is over."""

    __slots__ = ("_alarm", "_now", "queue")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._alarm = Alarm(now, self._expire)
        # A dictionary in order: whoever leaves from the middle of thousands costs no search.
        self.queue: OrderedDict[Waiter[T], float] = OrderedDict()

    def join(self, deadline: float) -> Waiter[T]:
        waiter: Waiter[T] = asyncio.get_running_loop().create_future()
        self.queue[waiter] = deadline
        if deadline < self._alarm.due:
            self._alarm.set(deadline)
        return waiter

    def serve(self, slot: Slot[T]) -> bool:
        """Hand `slot` to the first in line, if there is one."""
        while self.queue:
            waiter, _ = self.queue.popitem(last=False)
            if not waiter.done():  # else it was cancelled in this turn of the loop, and has not left yet
                waiter.set_result(slot)
                return True
        return False

    def leave(self, waiter: Waiter[T]) -> Slot[T] | None:
        """Take out one who was cancelled; return what it had been handed by then."""
        self.queue.pop(waiter, None)
        if waiter.cancelled() or not waiter.done():
            return None
        outcome = waiter.result()
        return outcome if isinstance(outcome, Slot) else None

    def refuse_all(self) -> None:
        self._alarm.stop()
        while self.queue:
            self._refuse(next(iter(self.queue)), Refusal.CLOSED)

    def _expire(self) -> None:
        now, earliest = self._now(), inf
        for waiter, deadline in list(self.queue.items()):
            if deadline <= now:
                self._refuse(waiter, Refusal.TIMEOUT)
            else:
                earliest = min(earliest, deadline)
        self._alarm.set(earliest)

    def _refuse(self, waiter: Waiter[T], why: Refusal) -> None:
        del self.queue[waiter]
        if not waiter.done():
            waiter.set_result(why)
