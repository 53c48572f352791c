"""Event buses that are wrong about time, and about running handlers at once."""

import asyncio
from typing import Final

from infra_conformance.gallery.memory_bus import MemoryBus, Place, Tour, faulty
from infra_protocols.errors import HandlerTimeoutError
from infra_protocols.messages import ErrorMessages

# -- Late.


class HasAllTheTime(MemoryBus):
    """It takes a timeout, and does nothing with it."""

    async def in_time(self, place: Place, event: object) -> None:
        await self.hand(place, event)


class OneTimeForAll(MemoryBus):
    """All handlers together have as much time as one should."""

    began: float
    timeout: float | None

    async def call_all(self, tour: Tour) -> None:
        self.began = asyncio.get_running_loop().time()
        await super().call_all(tour)

    async def in_time(self, place: Place, event: object) -> None:
        whole = self.timeout
        if whole is None:
            return await super().in_time(place, event)
        self.timeout = max(0.0, whole - (asyncio.get_running_loop().time() - self.began))
        try:
            return await super().in_time(place, event)
        finally:
            self.timeout = whole


class LateEndsItAll(MemoryBus):
    """When one is late, nobody else is called."""

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        super().failed(tour, place, error)
        if isinstance(error, HandlerTimeoutError):
            list(tour.turns)


class LateEndsTheOthers(MemoryBus):
    """When one is late, those that run beside it are ended too."""

    async def call_all(self, tour: Tour) -> None:
        self.running: set[asyncio.Task[None]] = set()
        await super().call_all(tour)

    async def in_time(self, place: Place, event: object) -> None:
        task = asyncio.ensure_future(super().in_time(place, event))
        self.running.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            self.running.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        if not task.cancelled() and isinstance(task.exception(), HandlerTimeoutError):
            for other in self.running:
                other.cancel()
        await task


class TellsTimeoutError(MemoryBus):
    """It tells what asyncio raises."""

    async def in_time(self, place: Place, event: object) -> None:
        async with asyncio.timeout(self.timeout):
            await self.hand(place, event)


class LetsTheLateRun(MemoryBus):
    """It gives up on who is late, and does not cancel it."""

    async def in_time(self, place: Place, event: object) -> None:
        if self.timeout is None:
            return await self.hand(place, event)
        running = asyncio.ensure_future(self.hand(place, event))
        await asyncio.wait((running,), timeout=self.timeout)
        if running.done():
            return await running
        raise HandlerTimeoutError(ErrorMessages.MESSAGING_HANDLER_TIMEOUT)


class AnyTimeoutIsItsOwn(MemoryBus):
    """To it a handler that raises TimeoutError was late."""

    async def in_time(self, place: Place, event: object) -> None:
        try:
            await super().in_time(place, event)
        except TimeoutError as error:
            raise HandlerTimeoutError(ErrorMessages.MESSAGING_HANDLER_TIMEOUT) from error


class ForgivesTheLate(MemoryBus):
    """A handler that returns in the end was in time."""

    async def in_time(self, place: Place, event: object) -> None:
        scope = asyncio.timeout(self.timeout)
        try:
            async with scope:
                await self.hand(place, event)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise HandlerTimeoutError(ErrorMessages.MESSAGING_HANDLER_TIMEOUT) from error


class TellsTheCleaningUp(MemoryBus):
    """It tells what a handler that was late raises of being cancelled."""

    async def in_time(self, place: Place, event: object) -> None:
        try:
            await super().in_time(place, event)
        except HandlerTimeoutError as error:
            if isinstance(error.__cause__, ValueError):
                raise error.__cause__ from None
            raise


class TakesAnyTimeout(MemoryBus):
    """It finds out about a bad timeout when there is an event."""

    def checked_timeout(self, timeout: float | None) -> float | None:
        return timeout


class CancelledIsLate(MemoryBus):
    """Where there is a timeout, who is cancelled was late."""

    async def call_all(self, tour: Tour) -> None:
        if self.timeout is None:
            return await super().call_all(tour)
        for place in tour.turns:
            tour.called += 1
            try:
                await self.in_time(place, tour.event)
            except asyncio.CancelledError:
                self.failed(tour, place, HandlerTimeoutError(ErrorMessages.MESSAGING_HANDLER_TIMEOUT))
            except Exception as error:
                self.failed(tour, place, error)
        return None


class ForgetsItsTimer(MemoryBus):
    """Who is in time leaves a timer behind."""

    async def in_time(self, place: Place, event: object) -> None:
        if self.timeout is not None:
            asyncio.get_running_loop().call_later(100 * self.timeout, id, event)
        await super().in_time(place, event)


# -- At once.


class OneAfterTheOther(MemoryBus):
    """It takes a concurrency, and does nothing with it."""

    def checked_concurrency(self, concurrency: int) -> int:
        return min(1, super().checked_concurrency(concurrency))


class OneMore(MemoryBus):
    """Where several may run at once, it has one more."""

    def checked_concurrency(self, concurrency: int) -> int:
        return super().checked_concurrency(concurrency) + (concurrency > 1)


class InBatches(MemoryBus):
    """It begins so many, and the next so many when all of these have ended."""

    async def call_all(self, tour: Tour) -> None:
        for start in range(0, len(tour.places), self.concurrency):
            batch = Tour(tour.event, tour.places[start : start + self.concurrency])
            await super().call_all(batch)
            tour.called += batch.called
            tour.failures |= batch.failures


class BeginsTheLastFirst(MemoryBus):
    """Where several run at once, it begins with the last."""

    async def call_all(self, tour: Tour) -> None:
        if self.concurrency > 1:
            tour.turns = iter(tour.places[::-1])
        await super().call_all(tour)


class TellsThemAsTheyEnd(MemoryBus):
    """It tells failures in the order in which they came."""

    async def call_all(self, tour: Tour) -> None:
        await super().call_all(tour)
        tour.places = list(tour.failures)


class OneFailureEndsTheOthers(MemoryBus):
    """Where several run at once, with the first that fails all end."""

    def failed(self, tour: Tour, place: Place, error: Exception) -> None:
        super().failed(tour, place, error)
        if self.concurrency > 1:
            list(tour.turns)


class CancelledWorkersEnd(MemoryBus):
    """A handler that ends in CancelledError takes the worker along that was to call the others."""

    def cancelled(self, tour: Tour, place: Place, error: asyncio.CancelledError) -> None:
        super().cancelled(tour, place, error)
        raise error


class TakesAnyConcurrency(MemoryBus):
    """It finds out about a bad concurrency when there is an event."""

    def checked_concurrency(self, concurrency: int) -> int:
        return concurrency


FAULTS: Final = [
    faulty(HasAllTheTime, "50", "52", "67"),
    faulty(OneTimeForAll, "50", "67"),
    faulty(LateEndsItAll, "50", "52"),
    faulty(LateEndsTheOthers, "67"),
    faulty(TellsTimeoutError, "50", "67"),
    faulty(LetsTheLateRun, "50", "52", "54", "67"),
    faulty(AnyTimeoutIsItsOwn, "31", "51"),
    faulty(ForgivesTheLate, "52"),
    faulty(TellsTheCleaningUp, "52"),
    faulty(TakesAnyTimeout, "53"),
    faulty(CancelledIsLate, "54"),
    faulty(ForgetsItsTimer, "51", "54"),
    faulty(OneAfterTheOther, "60"),
    faulty(OneMore, "60"),
    faulty(InBatches, "60"),
    faulty(BeginsTheLastFirst, "61", "62"),
    faulty(TellsThemAsTheyEnd, "62"),
    faulty(OneFailureEndsTheOthers, "62"),
    faulty(CancelledWorkersEnd, "30", "33", "62"),
    faulty(TakesAnyConcurrency, "66"),
]
