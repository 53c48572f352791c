"""Pools that are wrong about connections that are dead, or that the factory fails at."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty

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


FAULTS: Final = [
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
]
