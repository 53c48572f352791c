"""Pools that are wrong about the life of their connections, their own size, and who looks on."""

import asyncio
import math
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty
from infra_protocols.errors import PoolError, PoolLoopError
from infra_protocols.pool import PoolConfig, PoolMetric

# -- How long connections live.


class LivesForEver(MemoryPool):
    """Its connections have no end."""

    def lifetime(self) -> float:
        return math.inf


class DiesYoung(MemoryPool):
    """Its connections live for half of their lifetime."""

    def lifetime(self) -> float:
        return super().lifetime() / 2


class EndsThemTogether(MemoryPool):
    """All its connections live equally long."""

    def lifetime(self) -> float:
        return self.config.max_lifetime


class HandsOnTheOld(MemoryPool):
    """It asks how old a connection is when it is idle, and not when it hands it on."""

    handing: bool = False

    def is_expired(self, slot: Slot) -> bool:
        return not self.handing and super().is_expired(slot)

    def put_back(self, lease: Lease) -> None:
        self.handing = True
        super().put_back(lease)
        self.handing = False


class WaitsForABorrower(MemoryPool):
    """What is over it ends when somebody comes."""

    def wind(self) -> None:
        pass


class EndsWhatIsOut(MemoryPool):
    """It ends what is too old, lent or not."""

    def tend(self) -> None:
        super().tend()
        for slot in self.lent.copy():
            if self.is_open and self.is_expired(slot):
                self.end(slot)
                self.retire(slot)

    def wind(self) -> None:
        super().wind()
        for slot in self.lent:
            if self.loop is not None and slot.dies < math.inf and not hasattr(slot.connection, "minded"):
                slot.connection.minded = True
                self.loop.call_later(max(slot.dies - self.time(), 0.001), self.tend)


class NeverShrinks(MemoryPool):
    """What was idle for long it keeps."""

    def is_idle_too_long(self, slot: Slot) -> bool:
        return False


class ShrinksToNothing(MemoryPool):
    """What was idle for long it ends, however few are left."""

    def is_idle_too_long(self, slot: Slot) -> bool:
        return self.time() >= slot.used + self.config.max_idle_time


class ShrinksSoon(MemoryPool):
    """It ends what was idle for half the time."""

    def is_idle_too_long(self, slot: Slot) -> bool:
        idle = replace(slot, used=slot.used - self.config.max_idle_time / 2)
        return super().is_idle_too_long(idle)

    def wind(self) -> None:
        super().wind()
        if self.loop is not None and self.idle and self.config.max_idle_time < math.inf:
            self.halfway: asyncio.TimerHandle = self.loop.call_later(self.config.max_idle_time * 0.6, self.tend)


class NeverReplaces(MemoryPool):
    """What has ended it replaces when somebody wants it."""

    replacing: bool = True

    @property
    def staying(self) -> int:
        return super().staying if self.replacing else max(super().staying, self.config.min_size)

    async def open(self) -> None:
        await super().open()
        self.replacing = False


class ReplacesAtOnceOrNever(MemoryPool):
    """What it could not replace it does not try to replace again."""

    def may_try(self) -> bool:
        return (self.failures == 0 or self.waiting > 0) and super().may_try()


# -- How large it is.


class ResizesNothing(MemoryPool):
    """It keeps its bounds."""

    def resize(self, min_size: int, max_size: int) -> None:
        config = self.config
        super().resize(min_size, max_size)
        self.config: PoolConfig = config


class ResizesForNewcomers(MemoryPool):
    """With new bounds it does nothing until somebody comes."""

    resizing: bool = False

    def tend(self) -> None:
        if not self.resizing:
            super().tend()

    def resize(self, min_size: int, max_size: int) -> None:
        self.resizing = True
        super().resize(min_size, max_size)
        self.resizing = False


class KeepsWhatComesBack(MemoryPool):
    """What comes back beyond the bounds it keeps."""

    def is_surplus(self) -> bool:
        return False

    def tend(self) -> None:
        config = self.config
        self.config: PoolConfig = replace(config, max_size=max(config.max_size, self.total))
        super().tend()
        self.config: PoolConfig = config


class ShrinksWhatIsOut(MemoryPool):
    """What is lent beyond the bounds it ends at once."""

    def resize(self, min_size: int, max_size: int) -> None:
        super().resize(min_size, max_size)
        for slot in self.lent[max_size:]:
            self.end(slot)
            self.retire(slot)


class TakesAnyBounds(MemoryPool):
    """It puts bounds right that are wrong."""

    def resize(self, min_size: int, max_size: int) -> None:
        most = max(1, int(max_size))
        super().resize(min(max(0, int(min_size)), most), most)


# -- Where it is used, and who looks on.


class AnyLoopWillDo(MemoryPool):
    """It does not ask in which event loop it is."""

    def refusal(self) -> PoolError | None:
        refusal = super().refusal()
        return None if isinstance(refusal, PoolLoopError) else refusal


class MetersWaitersAlone(MemoryPool):
    """Of who did not have to wait its meter does not hear."""

    def measure(self, metric: PoolMetric, value: float) -> None:
        if metric is not PoolMetric.WAIT_TIME or value:
            super().measure(metric, value)


class MetersNoTimeouts(MemoryPool):
    """Of who waited in vain its meter does not hear."""

    def measure(self, metric: PoolMetric, value: float) -> None:
        if metric is not PoolMetric.TIMEOUTS:
            super().measure(metric, value)


class MetersMilliseconds(MemoryPool):
    """Its seconds are not what they are elsewhere."""

    def measure(self, metric: PoolMetric, value: float) -> None:
        super().measure(metric, value * 1000)


class FailsWithItsMeter(MemoryPool):
    """What the meter raises reaches the borrower."""

    def measure(self, metric: PoolMetric, value: float) -> None:
        if self.meter is not None:
            self.meter(metric, value)


class SilencesItsMeter(MemoryPool):
    """Of what the meter raises nobody hears."""

    def measure(self, metric: PoolMetric, value: float) -> None:
        if self.meter is not None:
            with suppress(Exception):
                self.meter(metric, value)


class SeesNoLeak(MemoryPool):
    """It does not log what is out."""

    def mind(self, lease: Lease, stack: traceback.StackSummary) -> None:
        pass


class SeesLeaksInWhatIsBack(MemoryPool):
    """It logs a connection that came back long ago."""

    def end(self, slot: Slot) -> None:
        if slot.lease is not None:
            slot.lease.timer = None
        super().end(slot)


class LogsAgainAndAgain(MemoryPool):
    """It logs a leak as long as it lasts."""

    def tell_leak(self, lease: Lease, stack: str) -> None:
        super().tell_leak(lease, stack)
        if self.loop is not None:
            lease.timer = self.loop.call_later(self.config.leak_after, self.tell_leak, lease, stack)


class LogsNoStack(MemoryPool):
    """It logs a leak, and not whose."""

    def tell_leak(self, lease: Lease, stack: str) -> None:
        super().tell_leak(lease, "")


class TakesTheLeakBack(MemoryPool):
    """What is out for too long it takes back."""

    def tell_leak(self, lease: Lease, stack: str) -> None:
        super().tell_leak(lease, stack)
        self.release(lease)


class CountsTheBusyAsIdle(MemoryPool):
    """What is reset, validated or destroyed it counts as idle: the sum is right."""

    def stats(self) -> Any:
        stats = super().stats()
        return replace(stats, idle=stats.idle + stats.unhealthy, unhealthy=0)


class CountsTheDueAsTotal(MemoryPool):
    """What is being made it counts as being there, and idle."""

    def stats(self) -> Any:
        stats = super().stats()
        made = stats.pending
        return replace(stats, idle=stats.idle + made, total=stats.total + made, pending=0)


class CountsNoWaiters(MemoryPool):
    """It says that nobody waits."""

    def stats(self) -> Any:
        return replace(super().stats(), waiting=0)


FAULTS: Final = [
    faulty(LivesForEver, "50", "51"),
    faulty(DiesYoung, "50", "51"),
    faulty(EndsThemTogether, "51"),
    faulty(HandsOnTheOld, "50"),
    faulty(WaitsForABorrower, "51", "52"),
    faulty(EndsWhatIsOut, "50"),
    faulty(NeverShrinks, "52"),
    faulty(ShrinksToNothing, "52"),
    faulty(ShrinksSoon, "52"),
    faulty(NeverReplaces, "51", "53", "54"),
    faulty(ReplacesAtOnceOrNever, "54", "56"),
    faulty(ResizesNothing, "70", "71"),
    faulty(ResizesForNewcomers, "70", "71"),
    faulty(KeepsWhatComesBack, "71"),
    faulty(ShrinksWhatIsOut, "71"),
    faulty(TakesAnyBounds, "72"),
    faulty(AnyLoopWillDo, "90", "91"),
    faulty(MetersWaitersAlone, "92"),
    faulty(MetersNoTimeouts, "92"),
    faulty(MetersMilliseconds, "92"),
    faulty(FailsWithItsMeter, "93"),
    faulty(SilencesItsMeter, "93"),
    faulty(SeesNoLeak, "94"),
    faulty(SeesLeaksInWhatIsBack, "94"),
    faulty(LogsAgainAndAgain, "94"),
    faulty(LogsNoStack, "94"),
    faulty(TakesTheLeakBack, "94"),
    faulty(CountsTheBusyAsIdle, "60", "47"),
    faulty(CountsTheDueAsTotal, "31"),
    faulty(CountsNoWaiters, "60", "07"),
]
