"""The gallery of renewal: one cache for each way to be wrong with values past their end, or before it."""

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.memory_cache import AnyKey, Kept, Load, MemoryCache, faulty
from infra_protocols.cache import CacheStats
from infra_protocols.clock import Clock


class StaleForEver(MemoryCache):
    """It returns what is past its end however long ago that was."""

    def at_hand(self, kept: Kept, stale: float) -> bool:
        return super().at_hand(kept, stale) or (stale > 0 and kept.stale > 0 and not self.alive(kept))


class MindsNotWhatIsAsked(MemoryCache):
    """It goes by the bound that the value was loaded with alone."""

    def at_hand(self, kept: Kept, stale: float) -> bool:
        return super().at_hand(kept, math.inf)


class MindsNotWhatWasLoaded(MemoryCache):
    """It goes by the bound that is asked for alone."""

    def at_hand(self, kept: Kept, stale: float) -> bool:
        return super().at_hand(replace(kept, stale=math.inf), stale)


class NeverStale(MemoryCache):
    """It returns nothing that is past its end."""

    def at_hand(self, kept: Kept, stale: float) -> bool:
        return False


class NeverRenews(MemoryCache):
    """It returns what is past its end, and leaves it at that."""

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        load.close()


class RenewsWhileTheCallerWaits(MemoryCache):
    """It has the caller wait for the renewal."""

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        await self.quietly(name, load)


class EachCallerRenews(MemoryCache):
    """It has the loader run once for each caller that gets an old value."""

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        self.flight.forget(name)
        await super().renew(name, load)


class RenewsApart(MemoryCache):
    """Who waits for a load does not join a renewal."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.renewing: set[str] = set()

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        if name in self.renewing:
            load.close()
            return
        self.renewing.add(name)
        await super().renew(name, load)
        self.flight.forget(name)

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        await super().quietly(name, load)
        self.renewing.discard(name)


class StaleIsVisible(MemoryCache):
    """Every lookup finds what is past its end."""

    def look(self, key: AnyKey) -> Kept | None:
        old = self.data.get(self.name(key))
        return old if old is not None and self.at_hand(old, math.inf) else super().look(key)


class StaleHasSize(MemoryCache):
    """Its size counts what is past its end."""

    def stats(self) -> CacheStats:
        return replace(super().stats(), size=sum(self.alive(old) or old.stale > 0 for old in self.data.values()))


class LookingThrowsAway(MemoryCache):
    """A get that finds a value past its end throws it away."""

    async def get(self, key: AnyKey) -> Any:
        found = await super().get(key)
        if found is None:
            self.data.pop(self.name(key), None)
        return found


class DeleteLeavesTheOld(MemoryCache):
    """A delete leaves what is past its end."""

    def remove(self, name: str) -> bool:
        old = self.data.get(name)
        gone = super().remove(name)
        if old is not None and not gone:
            self.data[name] = old
        return gone


class RenewalsLandAfterDelete(MemoryCache):
    """No delete reaches a renewal that is on its way."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.renewing: set[str] = set()

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        self.renewing.add(name)
        await super().renew(name, load)

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        await super().quietly(name, load)
        self.renewing.discard(name)

    def forget(self, name: str) -> None:
        if name not in self.renewing:
            super().forget(name)


class RenewalsLandAfterClear(MemoryCache):
    """A clear does not reach a renewal that is on its way."""

    async def clear(self) -> None:
        self.data.clear()


class SetKeepsTheBound(MemoryCache):
    """What is set can be had as stale as long as what was loaded before it."""

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        old = self.data.get(name)
        super().keep(name, value, ttl, tags)
        if old is not None:
            self.data[name] = replace(self.data[name], stale=old.stale)


class FailureDropsTheOld(MemoryCache):
    """A renewal that fails takes the old value along."""

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        try:
            await load
        except Exception:
            self.data.pop(name, None)


class FailureIsKept(MemoryCache):
    """It keeps that a renewal failed, as if that was the value."""

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        try:
            await load
        except Exception as error:
            self.keep(name, error, None, ())


class FailureIsLoud(MemoryCache):
    """What a renewal raises is nobody's: the event loop reports it."""

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        await load


class FailsOnce(MemoryCache):
    """A key whose renewal failed is not renewed again."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.failed: set[str] = set()

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        if name in self.failed:
            load.close()
        else:
            await super().renew(name, load)

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        try:
            await load
        except Exception:
            self.failed.add(name)


class NeverEarly(MemoryCache):
    """It renews nothing before its end."""

    def due(self, kept: Kept, early: float) -> bool:
        return False


class AlwaysEarly(MemoryCache):
    """It renews with every hit that asks for early, however far the end is."""

    def due(self, kept: Kept, early: float) -> bool:
        return early > 0


class EarlyUnasked(MemoryCache):
    """It renews early by what the value was loaded with, whether that is asked for or not."""

    def due(self, kept: Kept, early: float) -> bool:
        return kept.took > 0 or super().due(kept, early)


class EarlyIsAMiss(MemoryCache):
    """When it is time to renew a value early, it drops it."""

    def due(self, kept: Kept, early: float) -> bool:
        due = super().due(kept, early)
        if due:
            for name in [name for name, other in self.data.items() if other is kept]:
                del self.data[name]
        return due


class ClosesWithoutRenewals(MemoryCache):
    """Its close leaves renewals running."""

    async def close(self) -> None:
        pass


class WaitsForRenewals(MemoryCache):
    """Its close waits for renewals to end by themselves."""

    async def close(self) -> None:
        if self.renewals:
            await asyncio.wait(self.renewals)


class StaleIsAMiss(MemoryCache):
    """It counts an old value that it returns as a miss."""

    def count(self, *, hit: bool, stale: bool = False) -> None:
        super().count(hit=hit and not stale, stale=stale)


class StaleIsNotCounted(MemoryCache):
    """It does not count how often it returns an old value."""

    def count(self, *, hit: bool, stale: bool = False) -> None:
        super().count(hit=hit)


class TakesAnyBound(MemoryCache):
    """It does not look at what stale and early are."""

    def good_bounds(self, stale: float, early: float) -> tuple[float, float]:
        return stale, early


class TimesNoLoads(MemoryCache):
    """It does not add up how long loads take."""

    def stats(self) -> CacheStats:
        return replace(super().stats(), load_seconds=0.0)


class TimesGoodLoadsOnly(MemoryCache):
    """It leaves out how long loads took that failed."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        before = self.counted.load_seconds
        try:
            return await super().load(name, key, loader, ttl, tags)
        except Exception:
            self.counted: CacheStats = replace(self.counted, load_seconds=before)
            raise


class InvalidationsAreNotCounted(MemoryCache):
    """It does not count what goes with a tag."""

    def stats(self) -> CacheStats:
        return replace(super().stats(), invalidations=0)


FAULTS: Final = [
    faulty(StaleForEver, "51"),
    faulty(MindsNotWhatIsAsked, "51", "53"),
    faulty(MindsNotWhatWasLoaded, "51", "55"),
    faulty(NeverStale, "50", "51", "52", "53", "56", "61"),
    faulty(NeverRenews, "50", "51", "53", "56", "57"),
    faulty(RenewsWhileTheCallerWaits, "50", "53", "56", "57"),
    faulty(EachCallerRenews, "50", "53"),
    faulty(RenewsApart, "53"),
    faulty(StaleIsVisible, "52"),
    faulty(StaleHasSize, "52"),
    faulty(LookingThrowsAway, "52"),
    faulty(DeleteLeavesTheOld, "54"),
    faulty(RenewalsLandAfterDelete, "54", "55"),
    faulty(RenewalsLandAfterClear, "54"),
    faulty(SetKeepsTheBound, "55"),
    faulty(FailureDropsTheOld, "56"),
    faulty(FailureIsKept, "56"),
    faulty(FailureIsLoud, "56"),
    faulty(FailsOnce, "56"),
    faulty(NeverEarly, "57"),
    faulty(AlwaysEarly, "58"),
    faulty(EarlyUnasked, "58"),
    faulty(EarlyIsAMiss, "57"),
    faulty(ClosesWithoutRenewals, "59"),
    faulty(WaitsForRenewals, "59"),
    faulty(StaleIsAMiss, "61"),
    faulty(StaleIsNotCounted, "61"),
    faulty(TakesAnyBound, "62"),
    faulty(TimesNoLoads, "12"),
    faulty(TimesGoodLoadsOnly, "12"),
    faulty(InvalidationsAreNotCounted, "12"),
]
