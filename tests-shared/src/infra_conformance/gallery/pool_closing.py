"""Pools that are wrong about their beginning and their end."""

import asyncio
import math
from types import TracebackType
from typing import Any, Final, Self

from infra_conformance.gallery.memory_books import Waiter
from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty

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


FAULTS: Final = [
    faulty(OpensBehindOnesBack, "55"),
    faulty(OpensAnew, "55"),
    faulty(OpensOrRaises, "56"),
    faulty(OpensInTheEnd, "56"),
    faulty(OpensAgain, "57"),
    faulty(ExitsOnSuccess, "58"),
    faulty(EntersAsAnother, "58"),
    faulty(StaysOpen, "66"),
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
]
