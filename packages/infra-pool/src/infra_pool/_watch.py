"""What is noted of each borrow for those who want to know: how long it waited, how long it was out, who leaks."""

import asyncio
import logging
from collections.abc import Callable
from inspect import currentframe
from math import inf
from traceback import StackSummary, walk_stack
from types import CodeType
from typing import Any, Final

from infra_pool._slot import Loan, Slot
from infra_pool.messages import PoolMessages
from infra_protocols import PoolMeter, PoolMetric

_LOG: Final = logging.getLogger("infra_pool")

type Place = tuple[CodeType, int]


class Watch:
    """Feeds the meter, and tells of connections that do not come back."""

    __slots__ = ("_leak_after", "_meter", "_pool", "now", "watches")

    def __init__(self, meter: PoolMeter | None, leak_after: float, now: Callable[[], float], pool: str) -> None:
        self._meter = meter
        self._leak_after = leak_after
        self.now = now
        self._pool = pool
        self.watches = meter is not None or leak_after < inf

    def lent(self, slot: Slot[Any], waited: float) -> None:
        alarm = None
        if self._leak_after < inf:
            loop = asyncio.get_running_loop()
            alarm = loop.call_later(self._leak_after, self._tell, slot.id, _places())
        slot.loan = Loan(self.now(), alarm)
        self.measure(PoolMetric.WAIT_TIME, waited)

    def returned(self, slot: Slot[Any]) -> None:
        loan, slot.loan = slot.loan, None
        if loan is None:
            return
        if loan.alarm is not None:
            loan.alarm.cancel()
        self.measure(PoolMetric.USE_TIME, self.now() - loan.since)

    def measure(self, metric: PoolMetric, value: float) -> None:
        if self._meter is None:
            return
        try:
            self._meter(metric, value)
        except Exception as error:
            _LOG.warning(PoolMessages.POOL_METER_FAILED.format(pool=self._pool, metric=metric.value), exc_info=error)

    def _tell(self, id: str, places: list[Place]) -> None:
        lines = [(code.co_filename, line, code.co_name, None) for code, line in reversed(places)]
        stack = "".join(StackSummary.from_list(lines).format())
        message = PoolMessages.POOL_CONNECTION_LEAKED
        _LOG.warning(message.format(pool=self._pool, id=id, seconds=self._leak_after, stack=stack))


def _places() -> list[Place]:
    # Code and line, not the frames: those would keep alive all that the borrower has in its hands.
    places = [(frame.f_code, line) for frame, line in walk_stack(currentframe())]
    own = next(n for n, (code, _) in enumerate(places) if not code.co_filename.startswith(_HERE))
    return places[own:]


_HERE: Final = __file__.rpartition("_watch")[0]
