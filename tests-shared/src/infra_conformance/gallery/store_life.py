"""Stores that hang, or that leave something behind when they are closed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import MemoryStore


class WaitsForEver(MemoryStore):
    """Its get waits for a value that nobody will set."""

    async def get(self, key: str) -> int | None:
        if self.look(key) is None:
            await asyncio.Event().wait()
        return self.look(key)


class LocksTwice(MemoryStore):
    """Its set takes a lock and calls what takes it again."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        self.lock: asyncio.Lock = getattr(self, "lock", asyncio.Lock())
        async with self.lock:
            if self.look(key) is None:
                await super().set(key, value, ttl)
            else:
                await self.set(key, value, ttl)


class WaitsBusily(MemoryStore):
    """It spins until there is a value."""

    async def get(self, key: str) -> int | None:
        while True:
            if (value := self.look(key)) is not None:
                return value
            await asyncio.sleep(0)


class AsksAgainAndAgain(MemoryStore):
    """It asks every few minutes whether there is a value by now, without end."""

    async def get(self, key: str) -> int | None:
        while True:
            if (value := self.look(key)) is not None:
                return value
            await asyncio.sleep(300)


class CancelsItsCaller(MemoryStore):
    """It cancels whatever task it runs in."""

    async def delete(self, key: str) -> bool:
        if task := asyncio.current_task():
            task.cancel()
        await asyncio.sleep(0)
        return self.remove(key)


class LeavesATask(MemoryStore):
    """It starts a task that clears away what is expired, and never ends it."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await super().set(key, value, ttl)
        self.clearing: asyncio.Task[None] = asyncio.create_task(self.clear())

    async def clear(self) -> None:
        """Clear away what is expired."""
        while True:
            await asyncio.sleep(60)
            self.data: dict[str, tuple[int, float]] = {
                key: kept for key, kept in self.data.items() if self.alive(kept[1])
            }


class LeavesATimer(MemoryStore):
    """It has each value removed by a timer, and never calls one off."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await super().set(key, value, ttl)
        asyncio.get_running_loop().call_later(3600, self.data.pop, key, None)


class LosesAnError(MemoryStore):
    """What its background task raises reaches nobody."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await super().set(key, value, ttl)
        self.notifying: asyncio.Task[None] = asyncio.create_task(self.notify(key))

    async def notify(self, key: str) -> None:
        """Tell others that a key was set."""
        raise ConnectionError(key)


class ForgetsToAwait(MemoryStore):
    """It calls a coroutine function as if that were enough."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await super().set(key, value, ttl)
        self.told: Coroutine[Any, Any, bool] = self.exists(key)


FAULTS: Final = [
    Fault.of(WaitsForEver, "store-03", "store-05", "store-20"),
    Fault.of(LocksTwice, "store-04", "store-08"),
    Fault.of(WaitsBusily, "store-03"),
    Fault.of(AsksAgainAndAgain, "store-03"),
    Fault.of(CancelsItsCaller, "store-03", "store-05"),
    Fault.of(LeavesATask, "store-02", "store-20", "store-30"),
    Fault.of(LeavesATimer, "store-02", "store-20", "store-30"),
    Fault.of(LosesAnError, "store-02", "store-20", "store-30"),
    Fault.of(ForgetsToAwait, "store-02", "store-20", "store-30"),
]
