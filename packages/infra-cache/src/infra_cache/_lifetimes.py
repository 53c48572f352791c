"""How long each entry lives: since when, until when, which is due first, and which stay at hand after their end."""

from collections import OrderedDict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import repeat
from typing import Final

_SLACK: Final = 64  # so that a small heap is not rebuilt over and over


class Lease(float):
    """
    The life of an entry that ends, as a number: the moment at which to look at it.

    Being a float, it compares in C inside the heap and needs no second object an entry.
    """

    __slots__ = ("end", "key", "ttl")

    key: str
    """Whose life it is; empty when the lease is spoilt."""
    ttl: float
    end: float
    """When it is over, which an overwrite may have put later than the moment in the heap; or a `RenewableEnd`."""


class RenewableEnd(float):
    """
    The end of an entry that was loaded to be renewed.

    It stands in the lease in place of a plain number: so leases without it are no larger, and a `set`, which moves the
    end, is rid of it.
    """

    __slots__ = ("stale", "took")

    stale: float
    """For how many seconds after the end the value stays at hand."""
    took: float
    """How many seconds the load took, where it is to be renewed early; else 0."""

    @property
    def last(self) -> float:
        """When the value is no longer at hand."""
        return self + self.stale


class Lifetimes:
    """
    Has, for every entry, the moment since when it lives, or its `Lease` when it ends.

    Each lease is in the heap once, at the moment that it was given for. An overwrite that ends later only notes so in
    the lease; one that ends earlier or never leaves the lease in the heap, spoilt. Spoilt leases are dropped as they
    surface, and all at once when they are the majority.

    What stays at hand after its end is no longer in `moments` but in `lingering`, in the order in which that was
    noticed; its lease is in the heap for the moment when that is over too.
    """

    __slots__ = ("_spoilt", "heap", "lingering", "moments")

    def __init__(self) -> None:
        self.moments: dict[str, float] = {}
        self.lingering: OrderedDict[str, Lease] = OrderedDict()
        self.heap: list[Lease] = []
        self._spoilt = 0

    def start(self, key: str, now: float, ttl: float | None) -> bool:
        """Have `key` live from now on, and say whether it is new."""
        held = self.moments.get(key)
        if type(held) is Lease:
            if ttl is not None and held <= now + ttl:
                held.end = now + ttl
                held.ttl = ttl
                return False
            self._spoil(held)
        if ttl is None:
            self.moments[key] = now
        else:
            self._give(key, ttl, now + ttl)
        return held is None

    def make_renewable(self, key: str, stale: float, took: float) -> None:
        """Note how `key` was loaded, unless it lives for ever."""
        lease = self.moments.get(key)
        if type(lease) is Lease:
            lease.end = end = RenewableEnd(lease.end)
            end.stale, end.took = stale, took

    def renewable(self, key: str) -> RenewableEnd | None:
        """Return the end of `key`, which may be over, if it was loaded to be renewed."""
        lease = self.lingering.get(key)
        if lease is None:
            lease = self.moments.get(key)
        if type(lease) is Lease and type(lease.end) is RenewableEnd:
            return lease.end
        return None

    def end(self, key: str) -> bool:
        """Forget `key`, and say whether it was known."""
        moment = self.moments.pop(key, None)
        if moment is None and self.lingering:
            moment = self.lingering.pop(key, None)
        if type(moment) is Lease:
            self._spoil(moment)
        return moment is not None

    def end_all(self, keys: Iterable[str]) -> int:
        """Forget `keys`, and return how many of them were known and not lingering."""
        before = len(self.moments)
        for moment in map(self.moments.pop, keys, repeat(None)):
            if type(moment) is Lease:
                self._spoil(moment)
        ended = before - len(self.moments)
        if self.lingering:
            for key in keys:
                self.replace(key)
        return ended

    def replace(self, key: str) -> None:
        """Forget what lingers under `key`."""
        lease = self.lingering.pop(key, None)
        if lease is not None:
            self._spoil(lease)

    def end_lingering(self) -> str:
        """Forget what lingers longest, and return its key."""
        key, lease = self.lingering.popitem(last=False)
        self._spoil(lease)
        return key

    def surface(self, now: float) -> str | None:
        """Take the first lease off the heap; when its entry is over and not at hand, forget that and return its key."""
        first = heappop(self.heap)
        key, first.key = first.key, ""
        if not key:
            self._spoilt -= 1
            return None
        end = first.end
        if now < end:
            self._give(key, first.ttl, end)
            return None
        if self.lingering.pop(key, None) is not None:
            return key
        if type(end) is RenewableEnd and now < end.last:
            lease = self.lingering[key] = self._give(key, first.ttl, end.last)
            lease.end = end
            del self.moments[key]
            return None
        del self.moments[key]
        return key

    def clear(self) -> None:
        self.moments.clear()
        self.lingering.clear()
        self.heap.clear()
        self._spoilt = 0

    def _give(self, key: str, ttl: float, end: float) -> Lease:
        lease = Lease(end)
        lease.key = key
        lease.ttl = ttl
        lease.end = end
        self.moments[key] = lease
        heappush(self.heap, lease)
        return lease

    def _spoil(self, lease: Lease) -> None:
        lease.key = ""
        self._spoilt += 1
        if self._spoilt * 2 > len(self.heap) + _SLACK:
            self.heap[:] = [lease for lease in self.heap if lease.key]
            heapify(self.heap)
            self._spoilt = 0
