"""Stores that answer well one call at a time, and wrongly when calls overlap or are interrupted."""

import asyncio
from typing import Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import RemoteStore, trip


class ChecksThenDeletes(RemoteStore):
    """It asks whether there is something, and deletes it a round trip later: two callers hear True."""

    async def delete(self, key: str) -> bool:
        there = await self.exists(key)
        await super().delete(key)
        return there


class DeletesThenSets(RemoteStore):
    """It replaces a value in two steps: others see neither, and an interrupted set leaves none."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await super().delete(key)
        await super().set(key, value, ttl)


class ReadsThroughACache(RemoteStore):
    """A get that was on its way while a set cleared the cache puts the old value back, for good."""

    async def get(self, key: str) -> int | None:
        self.cache: dict[str, int | None] = getattr(self, "cache", {})
        if key not in self.cache:
            self.cache[key] = await super().get(key)
        return self.cache[key]

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        getattr(self, "cache", {}).pop(key, None)
        await super().set(key, value, ttl)

    async def delete(self, key: str) -> bool:
        getattr(self, "cache", {}).pop(key, None)
        return await super().delete(key)


class WritesLater(RemoteStore):
    """It returns from a set before it has taken effect."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        # The loop keeps no strong reference, so the store does.
        self.writing: asyncio.Task[None] = asyncio.create_task(super().set(key, value, ttl))


class WritesOnWhenCancelled(RemoteStore):
    """Its work is shielded, and takes a while: a caller that is cancelled leaves, and the effect comes later."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        async def work() -> None:
            await asyncio.sleep(0.5)
            await super(WritesOnWhenCancelled, self).set(key, value, ttl)

        await asyncio.shield(asyncio.create_task(work()))

    async def delete(self, key: str) -> bool:
        async def work() -> bool:
            await asyncio.sleep(0.5)
            return await super(WritesOnWhenCancelled, self).delete(key)

        return await asyncio.shield(asyncio.create_task(work()))


class TakesOutToRead(RemoteStore):
    """Its get takes the value out and puts it back a round trip later."""

    async def get(self, key: str) -> int | None:
        kept = self.data.pop(key, None)
        await trip()
        if kept is not None:
            self.data[key] = kept
        return await super().get(key)


class RollsBackTooMuch(RemoteStore):
    """Its set, when cancelled, removes the key to be sure: what was there before is lost too."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        try:
            await super().set(key, value, ttl)
        except asyncio.CancelledError:
            self.data.pop(key, None)
            raise


class DeletesByHalves(RemoteStore):
    """It clears the value and then the key, with a round trip between."""

    async def delete(self, key: str) -> bool:
        there = self.look(key) is not None
        if there:
            self.halves: set[str] = {*getattr(self, "halves", ()), key}
            await trip()
            self.data.pop(key, None)
            self.halves.discard(key)
        return there

    async def get(self, key: str) -> int | None:
        return None if key in getattr(self, "halves", ()) else await super().get(key)

    async def exists(self, key: str) -> bool:
        return self.look(key) is not None


class KeepsItsLock(RemoteStore):
    """It releases its lock after the work, not in a finally: an interruption locks all others out."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        self.lock: asyncio.Lock = getattr(self, "lock", asyncio.Lock())
        await self.lock.acquire()
        await super().set(key, value, ttl)
        self.lock.release()


class SwallowsCancellation(RemoteStore):
    """Its get takes being cancelled for a miss."""

    async def get(self, key: str) -> int | None:
        try:
            return await super().get(key)
        except asyncio.CancelledError:
            return None


class TurnsCancellationIntoTimeout(RemoteStore):
    """It raises a TimeoutError when cancelled, whoever cancelled it."""

    async def get(self, key: str) -> int | None:
        try:
            return await super().get(key)
        except asyncio.CancelledError as error:
            raise TimeoutError from error


class FailsOpen(RemoteStore):
    """It hides that its engine is lost: a get says None, a delete False, a set nothing."""

    async def get(self, key: str) -> int | None:
        try:
            return await super().get(key)
        except ConnectionError:
            return None

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        try:
            await super().set(key, value, ttl)
        except ConnectionError:
            return

    async def delete(self, key: str) -> bool:
        try:
            return await super().delete(key)
        except ConnectionError:
            return False


class DropsWhenItsEngineFails(RemoteStore):
    """A set that fails removes what was there before."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        try:
            await super().set(key, value, ttl)
        except ConnectionError:
            self.data.pop(key, None)
            raise


FAULTS: Final = [
    Fault.of(ChecksThenDeletes, "store-21", "store-22"),
    Fault.of(DeletesThenSets, "store-21", "store-30"),
    Fault.of(ReadsThroughACache, "store-21"),
    Fault.of(WritesLater, "store-02", "store-04", "store-21"),
    Fault.of(WritesOnWhenCancelled, "store-30", "store-31"),
    Fault.of(TakesOutToRead, "store-21", "store-32"),
    Fault.of(RollsBackTooMuch, "store-30"),
    Fault.of(DeletesByHalves, "store-31"),
    Fault.of(KeepsItsLock, "store-30"),
    Fault.of(SwallowsCancellation, "store-32"),
    Fault.of(TurnsCancellationIntoTimeout, "store-32"),
    Fault.of(FailsOpen, "store-30", "store-31", "store-32"),
    Fault.of(DropsWhenItsEngineFails, "store-30"),
]
