"""Pools that are wrong about borrowing: about leases, refusals and bounds."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from infra_conformance.gallery.memory_books import Waiter
from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty
from infra_protocols.errors import PoolError, PoolLeaseError, PoolTimeoutError, ValidationError
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import ConnectionInfo
from infra_protocols.validation import or_raise
from infra_result import Err, Ok, Result

# -- Leases.


class NamesItSeconds(MemoryPool):
    """It calls its timeout something else."""

    async def acquire(self, seconds: float | None = None) -> Result[Lease, PoolError | ValidationError]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return await super().acquire(seconds)


class EndsWhatComesBack(MemoryPool):
    """It keeps no connection that was used, and pools nothing."""

    def put_back(self, lease: Lease) -> None:
        self.end(lease.slot)
        self.retire(lease.slot)


class RefusesAll(MemoryPool):
    """It takes nothing back."""

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        return Err(PoolLeaseError(ErrorMessages.POOL_LEASE_FOREIGN))


class GivesBackInTheEnd(MemoryPool):
    """Its `connection` gives back where the body gets to its end, and not where it raises."""

    def connection(self, timeout: float | None = None) -> Any:
        @asynccontextmanager
        async def borrowed() -> AsyncGenerator[Any]:
            lease = or_raise(await self.acquire(timeout))
            yield lease.connection
            self.release(lease)

        return borrowed()


class MindsErrorsAlone(MemoryPool):
    """Its `connection` gives back where the body raises an error, and not where it is cancelled."""

    def connection(self, timeout: float | None = None) -> Any:
        @asynccontextmanager
        async def borrowed() -> AsyncGenerator[Any]:
            lease = or_raise(await self.acquire(timeout))
            try:
                yield lease.connection
            except Exception:
                self.release(lease)
                raise
            self.release(lease)

        return borrowed()


class SwallowsTheBody(MemoryPool):
    """Its `connection` swallows what is raised in the body."""

    def connection(self, timeout: float | None = None) -> Any:
        @asynccontextmanager
        async def borrowed() -> AsyncGenerator[Any]:
            lease = or_raise(await self.acquire(timeout))
            with suppress(Exception, asyncio.CancelledError):
                yield lease.connection
            self.release(lease)

        return borrowed()


class OpenLease(Lease):
    """It has its connection for ever."""

    @property
    def connection(self) -> Any:
        return self.slot.connection


class LeavesTheConnection(MemoryPool):
    """Its leases are as good after they were given back as before."""

    def new_lease(self, slot: Slot) -> Lease:
        return OpenLease(self, slot, self.time())


class TakesBackTwice(MemoryPool):
    """It takes a connection back as often as it is given, and lends it as often."""

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        if lease.pool is self and lease.slot.lease is None:
            self.idle.append(lease.slot)
            return Ok(None)
        return super().release(lease)


class TakesBackWhatIsLent(MemoryPool):
    """It asks whether the connection is lent, and not whether by this lease."""

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        if lease.pool is self and lease.slot.lease is not None:
            self.put_back(lease)
            return Ok(None)
        return super().release(lease)


class TakesBackAnyLease(MemoryPool):
    """It does not ask whose lease it is."""

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        if lease.pool is not self and lease.slot.lease is lease:
            self.idle.append(lease.slot)
            return Ok(None)
        return super().release(lease)


class SendsHome(MemoryPool):
    """It gives a foreign lease to the pool whose it is."""

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        return super().release(lease) if lease.pool is self else lease.pool.release(lease)


class QuietLease(Lease):
    """Given back by itself it tells nobody."""

    def release(self) -> Result[None, PoolLeaseError]:
        self.pool.end(self.slot)
        self.pool.idle.append(self.slot)
        return Ok(None)


class MissesALease(MemoryPool):
    """A lease that gives itself back is not given on."""

    def new_lease(self, slot: Slot) -> Lease:
        return QuietLease(self, slot, self.time())


class OpenInfo(Lease):
    """It shows what the pool works with."""

    @property
    def info(self) -> ConnectionInfo[Any]:
        self.pool.shown.setdefault(self.slot.info.id, super().info)
        shown = self.pool.shown[self.slot.info.id]
        for name, value in vars(super().info).items():
            setattr(shown, name, value)
        return shown


class ShowsItsOwnInfo(MemoryPool):
    """What it has told of a connection changes with the connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.shown: dict[str, ConnectionInfo[Any]] = {}

    def new_lease(self, slot: Slot) -> Lease:
        return OpenInfo(self, slot, self.time())


class CountsNoUses(MemoryPool):
    """It does not count how often a connection was lent."""

    def lend(self, slot: Slot) -> Lease:
        info = slot.info
        lease = super().lend(slot)
        slot.info = info
        return lease


class CallsThemAllOne(MemoryPool):
    """Its connections have one name."""

    def lend(self, slot: Slot) -> Lease:
        slot.info.id = "connection"
        return super().lend(slot)


class ForgetsWhenItWasUsed(MemoryPool):
    """It does not note when a connection was used."""

    def put_back(self, lease: Lease) -> None:
        used = lease.slot.info.last_used_at
        super().put_back(lease)
        lease.slot.info.last_used_at = used


# -- Refusals.


class TakesAnyTimeout(MemoryPool):
    """A timeout that is none is as good as 0."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        return await super().acquire(timeout if timeout is None or timeout >= 0 else 0)


class RaisesABadTimeout(MemoryPool):
    """It raises what it has to return."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        answer = await super().acquire(timeout)
        if answer.is_err() and isinstance(error := answer.unwrap_err(), ValidationError):
            raise error
        return answer


class ClosesInAnyTime(MemoryPool):
    """Its close takes a negative time for none."""

    async def close(self, timeout: float | None = None) -> None:
        await super().close(timeout if timeout is None or timeout >= 0 else 0)


class HasAllTheTime(MemoryPool):
    """Who does not say how long to wait waits for ever."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        return await super().acquire(math.inf if timeout is None else timeout)


class KnowsBetter(MemoryPool):
    """It waits as long as the configuration says, whatever the borrower does."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        return await super().acquire(timeout if timeout is None or not timeout > 0 else None)


class TellsNoTimeout(MemoryPool):
    """Who waited in vain is told that the pool is exhausted."""

    def timed_out(self, timeout: float) -> PoolTimeoutError:
        error: Any = PoolError(ErrorMessages.POOL_EXHAUSTED)
        return error


class TakesItsTime(MemoryPool):
    """A borrower without time waits for a connection to be made."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        return await super().acquire(1.0 if timeout == 0 and self.has_room() else timeout)


class NeverCrowded(MemoryPool):
    """Any number may wait."""

    def is_crowded(self) -> bool:
        return False


class SlowToTurnAway(MemoryPool):
    """Who is one too many is told so when its time is over."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        if self.is_crowded():
            await asyncio.sleep(timeout or 0)
        return await super().acquire(timeout)


class CountsWhoLeft(MemoryPool):
    """Who has left while it waited counts as waiting for good."""

    left: int = 0

    def is_crowded(self) -> bool:
        return self.waiting + self.left >= self.config.max_waiting

    def called_off(self, waiter: Waiter) -> None:
        self.left += 1
        super().called_off(waiter)


class ForgetsWhatIsBeingMade(MemoryPool):
    """It counts what there is, and not what is being made."""

    def has_room(self) -> bool:
        return self.total < self.config.max_size


class ForgetsWhatIsEnding(MemoryPool):
    """A connection that is being ended does not count any more."""

    def has_room(self) -> bool:
        return self.staying < self.config.max_size


class OpensItself(MemoryPool):
    """It opens when the first borrower comes."""

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        if not self.closed:
            await self.open()
        return await super().acquire(timeout)


class ResizesUnopened(MemoryPool):
    """Before it is opened it takes other bounds."""

    def resize(self, min_size: int, max_size: int) -> None:
        if self.loop is not None:
            super().resize(min_size, max_size)


FAULTS: Final = [
    faulty(NamesItSeconds, "01"),
    faulty(EndsWhatComesBack, "02", "03"),
    faulty(RefusesAll, "02"),
    faulty(GivesBackInTheEnd, "03", "04", "65"),
    faulty(MindsErrorsAlone, "04", "65"),
    faulty(SwallowsTheBody, "03", "04"),
    faulty(LeavesTheConnection, "05"),
    faulty(TakesBackTwice, "06", "60"),
    faulty(TakesBackWhatIsLent, "07"),
    faulty(TakesBackAnyLease, "08"),
    faulty(SendsHome, "08"),
    faulty(MissesALease, "09"),
    faulty(ShowsItsOwnInfo, "10"),
    faulty(CountsNoUses, "10"),
    faulty(CallsThemAllOne, "10"),
    faulty(ForgetsWhenItWasUsed, "10"),
    faulty(TakesAnyTimeout, "11"),
    faulty(RaisesABadTimeout, "11"),
    faulty(ClosesInAnyTime, "11"),
    faulty(HasAllTheTime, "12"),
    faulty(KnowsBetter, "12"),
    faulty(TellsNoTimeout, "12", "13"),
    faulty(TakesItsTime, "13"),
    faulty(NeverCrowded, "14"),
    faulty(SlowToTurnAway, "14"),
    faulty(CountsWhoLeft, "14"),
    faulty(ForgetsWhatIsBeingMade, "15", "60"),
    faulty(ForgetsWhatIsEnding, "15", "60"),
    faulty(OpensItself, "16"),
    faulty(ResizesUnopened, "16"),
]
