"""Pools that are wrong about life: of their connections, and their own."""

import asyncio
import math
import traceback
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, Waiter, faulty
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


# -- How it begins.


class OpensBehindOnesBack(MemoryPool):
    """Its open does not wait for the connections."""

    async def open(self) -> None:
        opening = asyncio.create_task(super().open())
        await asyncio.sleep(0)
        self.tasks.add(opening)
        opening.add_done_callback(self.tasks.discard)


class OpensAnew(MemoryPool):
    """To open it again has it make `min_size` connections again."""

    async def open(self) -> None:
        if self.is_open and self.has_room():
            self.spawn(self.make(), maker=True)
        await super().open()


class OpensOrRaises(MemoryPool):
    """Its open raises what its first connection fails with."""

    async def open(self) -> None:
        await super().open()
        if self.error is not None:
            raise self.error


class OpensInTheEnd(MemoryPool):
    """Its open waits until all connections are there."""

    async def open(self) -> None:
        await super().open()
        while self.making or self.staying < self.config.min_size:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


class OpensAgain(MemoryPool):
    """It can be opened after it was closed."""

    async def open(self) -> None:
        self.closed: bool = False
        await super().open()


class ExitsOnSuccess(MemoryPool):
    """As a context manager it closes where the body does not raise."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, perhaps."""
        if error is None:
            await super().__aexit__(kind, error, traceback)


class EntersAsAnother(MemoryPool):
    """It enters as what is not itself."""

    async def __aenter__(self) -> Self:
        """Open."""
        await super().__aenter__()
        other: Any = object()
        return other


class StaysOpen(MemoryPool):
    """An open that is cancelled leaves the pool open."""

    def shut(self, seconds: float) -> "asyncio.Task[None]":
        task = asyncio.current_task()
        if task is not None and task.cancelling() and self.closing is None:
            return task
        return super().shut(seconds)


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


# -- How it ends.


class LetsThemWait(MemoryPool):
    """Who waits as it closes is turned away when all that is out has come back."""

    waiters: list[Waiter]

    def let_go(self) -> None:
        waiters, self.waiters = self.waiters, []
        super().let_go()
        self.waiters = waiters

    def force(self) -> None:
        super().force()
        super().let_go()


class ServesWhileClosing(MemoryPool):
    """What comes back as it closes goes to who waits."""

    waiters: list[Waiter]

    def let_go(self) -> None:
        waiters, self.waiters = self.waiters, []
        super().let_go()
        self.waiters = waiters

    def put_back(self, lease: Lease) -> None:
        waiter = None if self.is_open else self.next_waiter()
        if waiter is None:
            super().put_back(lease)
        else:
            self.end(lease.slot)
            waiter.answer.set_result(self.lend(lease.slot))


class ClosesOverTheirHeads(MemoryPool):
    """It does not wait for what is out."""

    async def wind_up(self, seconds: float) -> None:
        await super().wind_up(0)


class KeepsTheIdleToTheEnd(MemoryPool):
    """What is idle it ends when nothing is out any more."""

    idle: list[Slot]

    def let_go(self) -> None:
        idle, self.idle = self.idle, []
        super().let_go()
        self.idle = idle

    def force(self) -> None:
        super().force()
        super().let_go()


class WaitsTheWholeTime(MemoryPool):
    """It does not notice when nothing is out any more."""

    async def wind_up(self, seconds: float) -> None:
        if self.lent:
            await asyncio.sleep(seconds)
        await super().wind_up(0)


class NeverForces(MemoryPool):
    """It waits for what is out, however long."""

    async def wind_up(self, seconds: float) -> None:
        await super().wind_up(math.inf)


class ClosesInItsOwnTime(MemoryPool):
    """It waits for what is out as long as the configuration says, whatever it is told."""

    async def close(self, timeout: float | None = None) -> None:
        await super().close(None if timeout is None or timeout >= 0 else timeout)


class TakesBackLate(MemoryPool):
    """What is given back after it was destroyed it keeps."""

    def force(self) -> None:
        for slot in self.lent.copy():
            lease = slot.lease
            self.end(slot)
            self.retire(slot)
            slot.lease = lease

    def put_back(self, lease: Lease) -> None:
        if lease.slot in self.lent:
            super().put_back(lease)
        else:
            self.idle.append(lease.slot)


class LeavesItsTasks(MemoryPool):
    """It closes and does not wait for what it has begun."""

    tasks: set[asyncio.Task[None]]

    async def wind_up(self, seconds: float) -> None:
        tasks, self.tasks = self.tasks, set[asyncio.Task[None]]()
        await super().wind_up(seconds)
        self.tasks = tasks


class TriesAfterItsEnd(MemoryPool):
    """Its last attempt to connect begins after it was closed."""

    def let_go(self) -> None:
        super().let_go()
        if self.failures and self.loop is not None:
            self.last: asyncio.TimerHandle = self.loop.call_later(1.0, self.once_more)

    def once_more(self) -> None:
        """Try again."""
        self.spawn(self.make(), maker=True)


class ClosesOnce(MemoryPool):
    """A second close waits for the first to begin."""

    async def close(self, timeout: float | None = None) -> None:
        if self.closing is not None and not self.closing.done():
            await asyncio.Event().wait()
        await super().close(timeout)


class ForgetsWhoWasCancelled(MemoryPool):
    """When its close is cancelled, it leaves at that."""

    async def close(self, timeout: float | None = None) -> None:
        try:
            await super().close(timeout)
        except asyncio.CancelledError:
            self.drained.clear()
            if self.closing is not None:
                self.closing.cancel()
            raise


# -- Borrowers that are cancelled.


class MakesForOne(MemoryPool):
    """When who waits for it is cancelled a create is called off, and keeps its place."""

    making: int

    def called_off(self, waiter: Waiter) -> None:
        super().called_off(waiter)
        if self.making and not self.waiting:
            self.making += 1


class LosesWhatWasHandedOver(MemoryPool):
    """Who is cancelled as a connection comes to him takes it with him."""

    def called_off(self, waiter: Waiter) -> None:
        pass


class HandsToWhoLeft(MemoryPool):
    """Who was cancelled a moment ago is handed a connection all the same."""

    def next_waiter(self) -> Waiter | None:
        waiter = self.waiters.pop(0) if self.waiters else None
        if waiter is None or not waiter.answer.done() or self.loop is None:
            return waiter
        return Waiter(self.loop.create_future(), waiter.since)


class ForgetsTheNext(MemoryPool):
    """What comes back from who was cancelled is idle, though others wait."""

    def called_off(self, waiter: Waiter) -> None:
        if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.exception() is None:
            slot = waiter.answer.result().slot
            self.end(slot)
            self.idle.append(slot)


class LosesWhatItValidates(MemoryPool):
    """When who waits for it is cancelled while it validates, it forgets the connection."""

    coming: int

    async def vet(self, slot: Slot) -> None:
        self.coming += 1
        await self.passes(slot, self.factory.validate(slot.connection))
        self.coming -= 1
        if self.waiting:
            self.hand(slot)


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
    faulty(OpensBehindOnesBack, "55"),
    faulty(OpensAnew, "55"),
    faulty(OpensOrRaises, "56"),
    faulty(OpensInTheEnd, "56"),
    faulty(OpensAgain, "57"),
    faulty(ExitsOnSuccess, "58"),
    faulty(EntersAsAnother, "58"),
    faulty(StaysOpen, "66"),
    faulty(ResizesNothing, "70", "71"),
    faulty(ResizesForNewcomers, "70", "71"),
    faulty(KeepsWhatComesBack, "71"),
    faulty(ShrinksWhatIsOut, "71"),
    faulty(TakesAnyBounds, "72"),
    faulty(LetsThemWait, "80"),
    faulty(ServesWhileClosing, "80"),
    faulty(ClosesOverTheirHeads, "81", "82"),
    faulty(KeepsTheIdleToTheEnd, "81"),
    faulty(WaitsTheWholeTime, "81"),
    faulty(NeverForces, "82"),
    faulty(ClosesInItsOwnTime, "82"),
    faulty(TakesBackLate, "82"),
    faulty(LeavesItsTasks, "83"),
    faulty(TriesAfterItsEnd, "84"),
    faulty(ClosesOnce, "85"),
    faulty(ForgetsWhoWasCancelled, "67", "68"),
    faulty(MakesForOne, "61"),
    faulty(LosesWhatWasHandedOver, "62", "63"),
    faulty(HandsToWhoLeft, "63"),
    faulty(ForgetsTheNext, "62", "63"),
    faulty(LosesWhatItValidates, "64"),
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
]
