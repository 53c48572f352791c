"""Pools that are wrong about borrowers that are cancelled."""

from typing import Final

from infra_conformance.gallery.memory_books import Waiter
from infra_conformance.gallery.memory_lease import Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty


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


FAULTS: Final = [
    faulty(MakesForOne, "61"),
    faulty(LosesWhatWasHandedOver, "62", "63"),
    faulty(HandsToWhoLeft, "63"),
    faulty(ForgetsTheNext, "62", "63"),
    faulty(LosesWhatItValidates, "64"),
]
