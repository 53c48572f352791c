"""The gallery of caches that share an engine and keep near what they have read: one way to be wrong each."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.shared_engine import Engine, Far
from infra_conformance.gallery.shared_memory import NearCache, SharedMemory, shared
from infra_protocols.clock import Clock


class StaleFill(NearCache):
    """It keeps near what it reads even if it was told meanwhile that this has changed."""

    def keep_near(self, place: str, far: Far, changes: int) -> None:
        self.copies[place] = far


class InvalidationOvertakesTheReply(NearCache):
    """It heeds changes that overtake a reply, and not invalidations that do."""

    def on_invalidation(self, tag: str) -> None:
        super().on_invalidation(tag)
        self.changes: int = self.changes - 1


class FillsDuringItsOwnChange(NearCache):
    """What it reads while it changes something itself it keeps near, and drops before the change alone."""

    async def own[R](self, change: Awaitable[R], drop: Callable[[], object]) -> R:
        drop()
        return await change


class OutlivesTheFarOne(NearCache):
    """What it keeps near lives for its ttl from then on."""

    def keep_near(self, place: str, far: Far, changes: int) -> None:
        super().keep_near(place, replace(far, created=self.engine.clock.monotonic()), changes)


class NeverEnds(NearCache):
    """What it keeps near has no end."""

    def keep_near(self, place: str, far: Far, changes: int) -> None:
        super().keep_near(place, replace(far, ttl=None), changes)


class NotTold(NearCache):
    """It is not told of what others change."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        super().__init__(engine, namespace)
        engine.near.remove(self)


class NotToldOfInvalidations(Engine):
    """Of tags that were invalidated nobody is told."""

    def tell_tag(self, place: str) -> None:
        pass


class NotToldOfClears(Engine):
    """Of a clear nobody is told."""

    def clear(self, namespace: str) -> None:
        near = self.near.copy()
        self.near.clear()
        super().clear(namespace)
        self.near.extend(near)


class KeepsWhatItChanged(NearCache):
    """It drops what it changes itself only when it is told so, as all others do."""

    async def own[R](self, change: Awaitable[R], drop: Callable[[], object]) -> R:
        return await change


class ToldByNameAlone(Engine):
    """It tells the name of what has changed, not its namespace: nobody knows what to drop."""

    def tell(self, place: str) -> None:
        super().tell(place.rpartition(":")[2])


def _fault(subject: type[Engine] | type[NearCache], *caught_by: str) -> Fault:
    def make(clock: Clock) -> AbstractAsyncContextManager[SharedMemory]:
        if issubclass(subject, Engine):
            return shared(clock, engine=subject, cache=NearCache)
        return shared(clock, cache=subject)

    return Fault(make, subject.__name__, frozenset(f"shared-{number}" for number in caught_by))


FAULTS: Final = [
    _fault(StaleFill, "05"),
    _fault(InvalidationOvertakesTheReply, "05"),
    _fault(FillsDuringItsOwnChange, "05"),
    _fault(OutlivesTheFarOne, "06"),
    _fault(NeverEnds, "06"),
    _fault(NotTold, "02", "05", "20", "21"),
    _fault(NotToldOfInvalidations, "02", "20", "21"),
    _fault(NotToldOfClears, "02"),
    _fault(KeepsWhatItChanged, "02", "05", "20"),
    _fault(ToldByNameAlone, "02", "05"),
]
