"""The gallery of `CacheProvider`: one cache for each way to be wrong."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_cache import Kept, MemoryCache
from infra_protocols.cache import CacheEntry, CacheKey, CacheStats
from infra_protocols.clock import Clock
from infra_protocols.errors import LoadCancelledError

type AnyKey = str | CacheKey[Any]
type Load = Callable[[], Awaitable[Any]]


class LacksAMethod(MemoryCache):
    """It has no delete_many."""

    delete_many: Any = None


class EntryWithoutTags(MemoryCache):
    """Its entries do not tell their tags."""

    async def get_entry(self, key: AnyKey) -> CacheEntry[Any] | None:
        entry = await super().get_entry(key)
        return entry and replace(entry, tags=())


class EntryByTheWallClock(MemoryCache):
    """It says of an entry that it ends when it was made."""

    async def get_entry(self, key: AnyKey) -> CacheEntry[Any] | None:
        entry = await super().get_entry(key)
        return entry and replace(entry, expires_at=entry.expires_at and entry.created_at)


class NoneIsNothing(MemoryCache):
    """It takes a kept None for a miss."""

    def look(self, key: AnyKey) -> Kept | None:
        kept = super().look(key)
        return None if kept is None or kept.value is None else kept


class TypedKeysApart(MemoryCache):
    """It keeps what is under a typed key in a place of its own."""

    def name(self, key: AnyKey) -> str:
        return f"{key.name}:{key.type.__name__}" if isinstance(key, CacheKey) else super().name(key)


class TakesAnyType(MemoryCache):
    """It does not look at the type of what is set."""

    def good_value(self, key: AnyKey, value: Any) -> Any:
        return value


class GivesAnyType(MemoryCache):
    """It does not look at the type of what it returns."""

    def look(self, key: AnyKey) -> Kept | None:
        return super().look(self.name(key))


class TakesBlankKeys(MemoryCache):
    """It takes any key that can be hashed."""

    def name(self, key: AnyKey) -> str:
        return key.name if isinstance(key, CacheKey) else key


class ManyIgnoresTheEnd(MemoryCache):
    """Its get_many shows what is expired."""

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: self.data[key].value for key in map(self.name, keys) if key in self.data}


class DeleteManyCountsTheAsked(MemoryCache):
    """Its delete_many says how many it was asked to delete."""

    async def delete_many(self, keys: Iterable[str]) -> int:
        keys = list(keys)
        await super().delete_many(keys)
        return len(keys)


class SetsManyBeforeChecking(MemoryCache):
    """Its set_many keeps first and checks afterwards."""

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        for key, value in items.items():
            self.keep(self.name(key), value, None, ())
        await super().set_many(items, ttl, tags)


class ClearLeavesTheFirst(MemoryCache):
    """Its clear leaves an entry."""

    async def clear(self) -> None:
        first = dict(list(self.data.items())[:1])
        await super().clear()
        self.data.update(first)


class CountsExists(MemoryCache):
    """It counts exists as a lookup."""

    async def exists(self, key: AnyKey) -> bool:
        return self.find(self.name(key)) is not None


class SizeCountsTheExpired(MemoryCache):
    """Its size counts what is expired."""

    def stats(self) -> CacheStats:
        return replace(super().stats(), size=len(self.data))


class EntriesNeverEnd(MemoryCache):
    """Its get_entry shows what is expired."""

    async def get_entry(self, key: AnyKey) -> CacheEntry[Any] | None:
        kept = self.data.get(self.name(key))
        if kept is None or self.alive(kept):
            return await super().get_entry(key)
        return CacheEntry(self.name(key), kept.value, self.clock.now(), kept.ttl, self.clock.now(), kept.tags)


class TagsByPrefix(MemoryCache):
    """It removes what has a tag that starts like the one invalidated."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        longer = {other for kept in self.data.values() for other in kept.tags if other.startswith(tag)}
        return sum([await super(TagsByPrefix, self).invalidate_by_tag(other) or 0 for other in longer])


class InvalidatesOne(MemoryCache):
    """Its invalidation stops after the first entry."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        others = {name: kept for name, kept in self.data.items() if tag in kept.tags}
        gone = await super().invalidate_by_tag(tag)
        self.data.update(list(others.items())[1:])
        return gone


class InvalidationCountsTheExpired(MemoryCache):
    """It counts what was expired as removed."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        count = sum(tag in kept.tags for kept in self.data.values())
        await super().invalidate_by_tag(tag)
        return count


class OverwriteKeepsTags(MemoryCache):
    """An overwrite adds to the tags that were there."""

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        before = self.data.get(name)
        super().keep(name, value, ttl, tags + (before.tags if before else ()))


class TagIndexOutlivesEntries(MemoryCache):
    """It remembers which keys ever had a tag, whatever became of them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.index: dict[str, set[str]] = {}

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        super().keep(name, value, ttl, tags)
        for tag in tags:
            self.index.setdefault(tag, set()).add(name)

    async def invalidate_by_tag(self, tag: str) -> int | None:
        await super().invalidate_by_tag(tag)
        return sum([self.remove(name) for name in self.index.pop(tag, set())])


class InvalidatedForEver(MemoryCache):
    """A tag that was invalidated once also hides what is tagged with it later."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.dead: set[str] = set()

    def look(self, key: AnyKey) -> Kept | None:
        kept = super().look(key)
        return None if kept is None or self.dead.intersection(kept.tags) else kept

    async def invalidate_by_tag(self, tag: str) -> int | None:
        gone = await super().invalidate_by_tag(tag)
        self.dead.add(tag)
        return gone


class TakesATextAsTags(MemoryCache):
    """It takes a text for a collection of tags, one a letter."""

    def good_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        return super().good_tags(list(tags))


class InvalidatesInSteps(MemoryCache):
    """It lets others run between one removal and the next."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        gone = 0
        for name in [name for name, kept in self.data.items() if tag in kept.tags]:
            gone += self.remove(name)
            await asyncio.sleep(0)
        return gone + (await super().invalidate_by_tag(tag) or 0)


class SetsThenTags(MemoryCache):
    """It keeps the value first, and the tags a moment later."""

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        tags = self.good_tags(tags)
        await super().set_with_tags(key, value, (), ttl)
        if tags:
            await asyncio.sleep(0)
            await super().set_with_tags(key, value, tags, ttl)


class LoadsAnew(MemoryCache):
    """It loads what is there."""

    async def get_or_set(
        self, key: AnyKey, loader: Load, ttl: float | None = None, tags: Iterable[str] = (), **more: float
    ) -> Any:
        return await self.load(self.name(key), key, loader, self.good_ttl(ttl), self.good_tags(tags))


class LoadsWithoutTags(MemoryCache):
    """It keeps what it loaded without the tags."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        return await super().load(name, key, loader, ttl, ())


class EachLoadsAlone(MemoryCache):
    """It has every caller run the loader."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        value = await loader()
        self.keep(name, value, ttl, tags)
        return value


class KeepsFailures(MemoryCache):
    """It keeps that a load failed."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except KeyError:
            self.keep(name, None, ttl, tags)
            raise


class HidesFailures(MemoryCache):
    """It answers None when a load fails."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except KeyError:
            return None


class OneLoadAtATime(MemoryCache):
    """It holds one lock for all keys while it loads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.lock: asyncio.Lock = asyncio.Lock()

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        async with self.lock:
            return await super().load(name, key, loader, ttl, tags)


class FirstCallerLoads(MemoryCache):
    """It runs the loader in the first caller, whose cancellation is everybody's; nobody sees a cycle."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.running: dict[str, asyncio.Future[Any]] = {}

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        if name in self.running:
            return await asyncio.shield(self.running[name])
        future = self.running[name] = asyncio.get_running_loop().create_future()
        try:
            value = await loader()
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:
            future.set_exception(error)
            future.exception()
            raise
        else:
            future.set_result(value)
            self.keep(name, value, ttl, tags)
            return value
        finally:
            del self.running[name]


class LoadsToTheEnd(MemoryCache):
    """It lets a loader run on when nobody waits for it any more."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        return await asyncio.shield(asyncio.ensure_future(super().load(name, key, loader, ttl, tags)))


class LandsAfterDelete(MemoryCache):
    """A delete, or an invalidation, does not reach a load that is on its way."""

    def forget(self, name: str) -> None:
        pass

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        self.flight.forget(self.name(key))
        await super().set_with_tags(key, value, tags, ttl)


class LandsAfterInvalidation(MemoryCache):
    """An invalidation does not reach a load that is on its way."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        self.loading.clear()
        return await super().invalidate_by_tag(tag)


class LandsAfterClear(MemoryCache):
    """A clear does not reach a load that is on its way."""

    async def clear(self) -> None:
        self.data.clear()


class LandsAfterSet(MemoryCache):
    """A set does not reach a load that is on its way."""

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        super().keep(name, value, ttl, tags)

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        self.keep(self.name(key), self.good_value(key, value), self.good_ttl(ttl), self.good_tags(tags))

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        for key, value in items.items():
            await self.set_with_tags(key, value, tags, ttl)


class JoinsTheForgotten(MemoryCache):
    """After a delete the load in flight does not land, but who comes later still joins it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.forgotten: set[str] = set()

    def forget(self, name: str) -> None:
        self.forgotten.add(name)

    async def clear(self) -> None:
        self.forgotten.update(self.loading)
        self.data.clear()

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        if not len(self.flight):
            self.forgotten.discard(name)

        def land(value: Any) -> None:
            if name not in self.forgotten:
                self.keep(name, value, ttl, tags)

        self.loading[name] = tags
        return await self.flight.run(name, loader, land)


class LooksCancelled(MemoryCache):
    """When a loader is cancelled from inside, its callers look cancelled too."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except LoadCancelledError:
            raise asyncio.CancelledError from None


class ChecksAfterLoading(MemoryCache):
    """It checks ttl and tags when it has loaded."""

    async def get_or_set(
        self, key: AnyKey, loader: Load, ttl: float | None = None, tags: Iterable[str] = (), **more: float
    ) -> Any:
        value = await super().get_or_set(key, loader)
        await super().set_with_tags(key, value, tags, ttl)
        return value


class TtlFromTheStart(MemoryCache):
    """The ttl of what it loads counts from the beginning of the load."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        start = self.clock.monotonic()

        def land(value: Any) -> None:
            self.data[name] = Kept(value, tags, ttl, start)

        return await self.flight.run(name, loader, land)


def _fault(subject: type[MemoryCache], *caught_by: str) -> Fault:
    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[MemoryCache]:
        yield subject(clock)

    return Fault(make, subject.__name__, frozenset(f"cache-{number}" for number in caught_by))


FAULTS: Final = [
    _fault(LacksAMethod, "01"),
    _fault(EntryWithoutTags, "02", "60"),
    _fault(EntryByTheWallClock, "02"),
    _fault(NoneIsNothing, "03", "33"),
    _fault(TypedKeysApart, "04"),
    _fault(TakesAnyType, "05"),
    _fault(GivesAnyType, "05"),
    _fault(TakesBlankKeys, "06"),
    _fault(ManyIgnoresTheEnd, "07", "11"),
    _fault(DeleteManyCountsTheAsked, "07", "60"),
    _fault(SetsManyBeforeChecking, "08"),
    _fault(ClearLeavesTheFirst, "09", "60"),
    _fault(CountsExists, "10"),
    _fault(SizeCountsTheExpired, "10", "60"),
    _fault(EntriesNeverEnd, "11", "60"),
    _fault(TagsByPrefix, "20"),
    _fault(InvalidatesOne, "20", "25"),
    _fault(InvalidationCountsTheExpired, "11"),
    _fault(OverwriteKeepsTags, "21", "60"),
    _fault(TagIndexOutlivesEntries, "21", "22", "60"),
    _fault(InvalidatedForEver, "22", "60"),
    _fault(TakesATextAsTags, "23", "42"),
    _fault(InvalidatesInSteps, "24", "25"),
    _fault(SetsThenTags, "24", "26"),
    _fault(LoadsAnew, "30", "33", "60"),
    _fault(LoadsWithoutTags, "30", "38", "60"),
    _fault(EachLoadsAlone, "31", "35"),
    _fault(KeepsFailures, "32"),
    _fault(HidesFailures, "32"),
    _fault(OneLoadAtATime, "34"),
    _fault(FirstCallerLoads, "35", "40", "41"),
    _fault(LoadsToTheEnd, "36", "37"),
    _fault(LandsAfterDelete, "38", "44"),
    _fault(LandsAfterInvalidation, "38", "44"),
    _fault(LandsAfterClear, "38", "44"),
    _fault(LandsAfterSet, "39"),
    _fault(JoinsTheForgotten, "38", "44"),
    _fault(LooksCancelled, "41"),
    _fault(ChecksAfterLoading, "42"),
    _fault(TtlFromTheStart, "43"),
]
