"""Pools that are wrong about a factory that fails: about outages, and connections that are dead."""

import asyncio
import math
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, Waiter, faulty
from infra_protocols.errors import PoolError, PoolTimeoutError
from infra_protocols.messages import ErrorMessages

# -- Outages.


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


# -- Validation.


class NeverValidates(MemoryPool):
    """It lends what was idle for hours."""

    def is_doubtful(self, slot: Slot) -> bool:
        return False


class ValidatesAll(MemoryPool):
    """It validates what was used a moment ago."""

    def is_doubtful(self, slot: Slot) -> bool:
        return True


class ValidatesByBirth(MemoryPool):
    """It goes by how old a connection is, not by when it was used."""

    def is_doubtful(self, slot: Slot) -> bool:
        age = (self.clock.now() - slot.info.created_at).total_seconds()
        return age >= self.config.validation_interval


class ValidatesWhatWasIdle(MemoryPool):
    """What it hands on it does not validate."""

    def give(self, slot: Slot) -> None:
        if self.config.validation_interval == 0 and slot.used == self.time() and slot.info.use_count:
            self.hand(slot)
        else:
            super().give(slot)


class DoesNotListen(MemoryPool):
    """It does not look at what validate says, only whether it raises."""

    async def call(self, operation: Coroutine[Any, Any, Any]) -> Any:
        return await super().call(operation) or None


class TakesErrorsForYes(MemoryPool):
    """What raises or hangs has not said no."""

    async def passes(self, slot: Slot, operation: Coroutine[Any, Any, Any]) -> bool:
        self.busy.append(slot)
        good = True
        with suppress(Exception, asyncio.CancelledError):
            good = await self.call(operation) is not False
        self.busy.remove(slot)
        return good


class LosesTheInvalid(MemoryPool):
    """A connection that is not valid it drops, and does not destroy."""

    coming: int

    async def vet(self, slot: Slot) -> None:
        self.coming += 1
        valid = await self.passes(slot, self.factory.validate(slot.connection))
        self.coming -= 1
        if valid:
            self.hand(slot)
        else:
            self.tend()


# -- The dead.


class NeverLooks(MemoryPool):
    """It does not ask who is alive."""

    def is_alive(self, slot: Slot) -> bool:
        return True


class LooksWhenItLends(MemoryPool):
    """It asks who is alive of what is idle, and not of what comes back."""

    def put_back(self, lease: Lease) -> None:
        self.tells: bool = False
        super().put_back(lease)
        self.tells = True


class LooksWhenItComesBack(MemoryPool):
    """It asks who is alive of what comes back, and not of what is idle."""

    def take(self) -> Lease | None:
        self.tells: bool = False
        lease = super().take()
        self.tells = True
        return lease


class LooksOnce(MemoryPool):
    """It asks who is alive before it validates and resets, and not afterwards."""

    def hand(self, slot: Slot) -> None:
        self.tells: bool = False
        super().hand(slot)
        self.tells = True


class LeavesTheDead(MemoryPool):
    """What it finds dead it drops: it is dead already."""

    def retire(self, slot: Slot) -> None:
        if self.is_alive(slot) or not self.is_open:
            super().retire(slot)
        else:
            self.tend()


class PassesTheQuestionOn(MemoryPool):
    """What `is_alive` raises it raises, and the connection is gone."""

    def is_alive(self, slot: Slot) -> bool:
        return self.factory.is_alive(slot.connection)


class NeverResets(MemoryPool):
    """It lends connections as they came back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.resets: bool = False


class ResetsLater(MemoryPool):
    """It resets a connection after it has handed it on."""

    def put_back(self, lease: Lease) -> None:
        resets, self.resets = self.resets, False
        super().put_back(lease)
        self.resets: bool = resets
        if resets and self.is_open:
            self.spawn(self.later(lease.slot))

    async def later(self, slot: Slot) -> None:
        """Reset what is lent by now."""
        with suppress(Exception):
            await self.call(self.factory.reset(slot.connection))


class KeepsWhatIsNotReset(MemoryPool):
    """A reset that fails or hangs was a reset."""

    coming: int

    async def reset(self, slot: Slot) -> None:
        self.coming += 1
        await self.passes(slot, self.factory.reset(slot.connection))
        self.coming -= 1
        self.give(slot)


class LosesWhatIsNotReset(MemoryPool):
    """A connection whose reset has failed is busy for ever."""

    coming: int

    async def reset(self, slot: Slot) -> None:
        self.coming += 1
        good = await self.passes(slot, self.factory.reset(slot.connection))
        self.coming -= 1
        if good:
            self.give(slot)
        else:
            self.busy.append(slot)


class KeepsWhatItCannotEnd(MemoryPool):
    """A connection whose destroy has failed is busy for ever."""

    ending: int

    async def destroy(self, slot: Slot) -> None:
        self.ending += 1
        try:
            self.busy.append(slot)
            with suppress(asyncio.CancelledError):
                await self.call(self.factory.destroy(slot.connection))
            self.busy.remove(slot)
        except Exception:
            slot.fail()
        self.ending -= 1
        self.tend()


class EndsInItsOwnTime(MemoryPool):
    """It gives each destroy all the time there is."""

    ending: int

    async def destroy(self, slot: Slot) -> None:
        self.ending += 1
        self.busy.append(slot)
        with suppress(Exception, asyncio.CancelledError):
            await self.factory.destroy(slot.connection)
        self.busy.remove(slot)
        self.ending -= 1
        self.tend()


class CountsNoFailures(MemoryPool):
    """It does not note what went wrong with a connection."""

    def reject(self, slot: Slot) -> None:
        self.retire(slot)


class CountsEveryCall(MemoryPool):
    """It counts what the factory was asked about a connection, not what went wrong."""

    async def passes(self, slot: Slot, operation: Coroutine[Any, Any, Any]) -> bool:
        if good := await super().passes(slot, operation):
            slot.fail()
        return good


class BlamesTheNext(MemoryPool):
    """It counts what went wrong with a connection for the one in its place."""

    rejected: int = 0

    def reject(self, slot: Slot) -> None:
        super().reject(slot)
        self.rejected += 1

    def made(self, connection: Any, began: float) -> None:
        super().made(connection, began)
        for slot in self.lent + self.idle:
            slot.info = replace(slot.info, health_check_failures=self.rejected)


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
    faulty(NeverValidates, "40", "41"),
    faulty(ValidatesAll, "40"),
    faulty(ValidatesByBirth, "40"),
    faulty(ValidatesWhatWasIdle, "41"),
    faulty(DoesNotListen, "42"),
    faulty(TakesErrorsForYes, "42", "48"),
    faulty(LosesTheInvalid, "42"),
    faulty(NeverLooks, "43", "44", "45"),
    faulty(LooksWhenItLends, "44"),
    faulty(LooksWhenItComesBack, "43"),
    faulty(LooksOnce, "45"),
    faulty(LeavesTheDead, "43", "44"),
    faulty(PassesTheQuestionOn, "46"),
    faulty(NeverResets, "47"),
    faulty(ResetsLater, "47", "48"),
    faulty(KeepsWhatIsNotReset, "48"),
    faulty(LosesWhatIsNotReset, "48"),
    faulty(KeepsWhatItCannotEnd, "49"),
    faulty(EndsInItsOwnTime, "49", "83"),
    faulty(CountsNoFailures, "59"),
    faulty(CountsEveryCall, "59"),
    faulty(BlamesTheNext, "59"),
    faulty(CountsTheBusyAsIdle, "60", "47"),
    faulty(CountsTheDueAsTotal, "31"),
    faulty(CountsNoWaiters, "60", "07"),
]
