"""Pools that are wrong about turns."""

from typing import Final

from infra_conformance.gallery.memory_books import Waiter
from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.gallery.memory_pool import MemoryPool, faulty


class LastComeFirstServed(MemoryPool):
    """Its waiters are a stack."""

    def next_waiter(self) -> Waiter | None:
        self.waiters.reverse()
        waiter = super().next_waiter()
        self.waiters.reverse()
        return waiter


class ServesAtRandom(MemoryPool):
    """It wakes whoever it meets."""

    waiters: list[Waiter]

    served: int = 0

    def next_waiter(self) -> Waiter | None:
        self.served += 1
        self.waiters = self.waiters[self.served % 3 :] + self.waiters[: self.served % 3]
        return super().next_waiter()


class WakesWhoWaits(MemoryPool):
    """It keeps what comes back, and wakes one who waits, who finds it gone if another was quicker."""

    waiters: list[Waiter]

    def take(self) -> Lease | None:
        waiters, self.waiters = self.waiters, []
        lease = super().take()
        self.waiters = waiters
        return lease

    def put_back(self, lease: Lease) -> None:
        if not self.waiting or self.resets or self.loop is None:
            super().put_back(lease)
            return
        self.end(lease.slot)
        self.idle.append(lease.slot)
        self.loop.call_soon(self.tend)


class FirstUsedFirst(MemoryPool):
    """Its idle connections are a queue."""

    def next_idle(self) -> Slot:
        return self.idle.pop(0)


class MakesOneForEach(MemoryPool):
    """Who waits for a connection that is made for it gets that one, and no other before."""

    def hand(self, slot: Slot) -> None:
        if self.making and slot.info.use_count:
            self.idle.append(slot)
        else:
            super().hand(slot)


class ReleaserFirst(MemoryPool):
    """Who gives a connection back may have it again before those who wait: every fourth time."""

    waiters: list[Waiter]

    returned: int = 0

    def put_back(self, lease: Lease) -> None:
        self.returned += 1
        if self.returned % 4 or not self.is_open or self.resets:
            super().put_back(lease)
            return
        waiters, self.waiters = self.waiters, []
        super().put_back(lease)
        self.waiters = waiters

    def take(self) -> Lease | None:
        waiters, self.waiters = self.waiters, []
        lease = super().take()
        self.waiters = waiters
        return lease


FAULTS: Final = [
    faulty(LastComeFirstServed, "20", "23"),
    faulty(ServesAtRandom, "20", "23"),
    faulty(WakesWhoWaits, "21"),
    faulty(ReleaserFirst, "23"),
    faulty(FirstUsedFirst, "22"),
    faulty(MakesOneForEach, "24"),
]
