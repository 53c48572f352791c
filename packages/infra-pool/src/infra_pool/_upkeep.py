"""What has been idle for too long, or has become too old while it was, goes."""

from collections.abc import Callable
from math import inf

from infra_pool._alarm import Alarm
from infra_pool._ledger import Ledger
from infra_pool._slot import Slot


class Upkeep[T]:
    """Looks through the idle connections when one of them may be due. What is lent it leaves alone."""

    __slots__ = ("_alarm", "_ledger", "_max_idle_time", "_now", "_retire")

    def __init__(
        self, ledger: Ledger[T], max_idle_time: float, now: Callable[[], float], retire: Callable[[Slot[T]], None]
    ) -> None:
        self._ledger = ledger
        self._max_idle_time = max_idle_time
        self._now = now
        self._retire = retire
        self._alarm = Alarm(now, self._look)

    def expect(self, slot: Slot[T]) -> None:
        """Plan for one that is new."""
        self._alarm.set(slot.dies)
        self._expect_idle(self._now())

    def plan(self) -> None:
        """Plan for all."""
        now = self._now()
        self._alarm.set(min((slot.dies for slot in self._ledger.slots if slot.dies > now), default=inf))
        self._expect_idle(now)

    def _expect_idle(self, now: float) -> None:
        ledger = self._ledger
        if ledger.spare() > 0:
            # The first has been idle for longest. What is lent now is idle for long enough only after that.
            since = ledger.idle[0].used if ledger.idle else now
            self._alarm.set(since + self._max_idle_time)

    def stop(self) -> None:
        self._alarm.stop()

    def _look(self) -> None:
        ledger, now, gone = self._ledger, self._now(), list[Slot[T]]()
        spare = ledger.spare()
        for slot in ledger.idle:  # the one idle for longest first
            if now >= slot.dies or (len(gone) < spare and now >= slot.used + self._max_idle_time):
                gone.append(slot)
        for slot in gone:
            ledger.idle.remove(slot)
            self._retire(slot)
        self.plan()
