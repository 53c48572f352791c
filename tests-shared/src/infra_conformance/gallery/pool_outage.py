"""Pools that are wrong about a factory that makes no connections, or not in time."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, Final

from infra_conformance.gallery.memory_books import Waiter
from infra_conformance.gallery.memory_pool import MemoryPool, faulty
from infra_protocols.errors import PoolError, PoolTimeoutError
from infra_protocols.messages import ErrorMessages


class BlamesTheFirst(MemoryPool):
    """When no connection can be made, who has waited longest gets the error."""

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        if (waiter := self.next_waiter()) is not None:
            waiter.answer.set_exception(PoolError(ErrorMessages.POOL_CONNECTION_ERROR.format(message=error)))


class LosesAPlaceToFailure(MemoryPool):
    """A create that fails keeps its place."""

    making: int

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        self.making += 1


class LosesAPlaceToHanging(MemoryPool):
    """A create that was called off keeps its place."""

    making: int

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        self.making += isinstance(error, TimeoutError)


class LosesAPlaceToCancels(MemoryPool):
    """A create that cancels itself keeps its place."""

    making: int

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        self.making += isinstance(error, asyncio.CancelledError)


class GivesUp(MemoryPool):
    """After three failures it tries no more."""

    def may_try(self) -> bool:
        return self.failures < 3 and super().may_try()


class WaitsForWhatHangs(MemoryPool):
    """It gives its factory all the time there is."""

    async def call(self, operation: Coroutine[Any, Any, Any]) -> Any:
        return await operation


class IsPatient(MemoryPool):
    """It gives its factory twice the time."""

    async def call(self, operation: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(2 * self.config.factory_timeout):
            return await operation


class DropsWhatIsLate(MemoryPool):
    """A connection for which nobody waits any more is dropped."""

    def made(self, connection: Any, began: float) -> None:
        if self.waiting or self.staying < self.config.min_size:
            super().made(connection, began)


class DropsWhatWasCalledOff(MemoryPool):
    """A connection that was made although its create was called off is dropped."""

    def made(self, connection: Any, began: float) -> None:
        if self.is_open and self.time() < began + self.config.factory_timeout:
            super().made(connection, began)


class HasADeadlineForEach(MemoryPool):
    """A borrower has its time once for its turn, and again for its connection."""

    def expire(self, waiter: Waiter, seconds: float) -> None:
        if (self.making or self.coming) and self.loop is not None and not waiter.answer.done():
            self.loop.call_later(seconds, super().expire, waiter, seconds)
        else:
            super().expire(waiter, seconds)


class TellsNoCause(MemoryPool):
    """It does not tell why nobody got anything."""

    def timed_out(self, timeout: float) -> PoolTimeoutError:
        error = super().timed_out(timeout)
        error.__cause__ = None
        return error


class TellsAnOldCause(MemoryPool):
    """It tells of a failure that was overcome long ago."""

    def made(self, connection: Any, began: float) -> None:
        error = self.error
        super().made(connection, began)
        self.error = error


class Storms(MemoryPool):
    """It tries again nearly at once."""

    def pause(self) -> float:
        return 0.1 * self.config.backoff


class NeverSlowsDown(MemoryPool):
    """It waits as long after the hundredth failure as after the first."""

    def pause(self) -> float:
        self.failures = 1
        return super().pause()


class SlowsDownForEver(MemoryPool):
    """It waits longer and longer, without an end."""

    def pause(self) -> float:
        return self.config.backoff * 2.0**self.failures


class SlowAtOnce(MemoryPool):
    """It waits the longest from the first failure on."""

    def pause(self) -> float:
        return self.config.max_backoff


class CountsEachOfABurst(MemoryPool):
    """Of several failures at once each makes it slower."""

    next_try: float

    def failed(self, error: BaseException) -> None:
        self.next_try = -math.inf
        super().failed(error)

    def pause(self) -> float:
        return min(self.config.max_backoff, self.config.backoff * 2.0 ** (self.failures - 1))


class TriesWithAll(MemoryPool):
    """After each pause it tries with as many connections as are wanted."""

    def may_try(self) -> bool:
        return self.time() >= self.next_try


class StaysCareful(MemoryPool):
    """After an outage it goes on as in it: one at a time, with a pause before each."""

    careful_until: float = -math.inf

    def may_try(self) -> bool:
        return self.time() >= self.careful_until and super().may_try()

    def made(self, connection: Any, began: float) -> None:
        if self.failures:
            self.careful_until = self.time() + self.config.max_backoff
        super().made(connection, began)


class FailsThemAll(MemoryPool):
    """When no connection can be made, all who wait get the error."""

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        while (waiter := self.next_waiter()) is not None:
            waiter.answer.set_exception(PoolError(ErrorMessages.POOL_CONNECTION_ERROR.format(message=error)))


FAULTS: Final = [
    faulty(BlamesTheFirst, "30", "37"),
    faulty(LosesAPlaceToFailure, "30"),
    faulty(LosesAPlaceToHanging, "30", "31"),
    faulty(LosesAPlaceToCancels, "30"),
    faulty(GivesUp, "30", "37", "54"),
    faulty(WaitsForWhatHangs, "30", "31", "42", "48", "49"),
    faulty(IsPatient, "31", "49"),
    faulty(DropsWhatIsLate, "32"),
    faulty(DropsWhatWasCalledOff, "32", "86"),
    faulty(HasADeadlineForEach, "32", "33"),
    faulty(TellsNoCause, "34"),
    faulty(TellsAnOldCause, "34"),
    faulty(Storms, "35"),
    faulty(NeverSlowsDown, "35"),
    faulty(SlowsDownForEver, "35"),
    faulty(SlowAtOnce, "35"),
    faulty(CountsEachOfABurst, "35"),
    faulty(TriesWithAll, "36"),
    faulty(StaysCareful, "37"),
    faulty(FailsThemAll, "30", "37"),
]
