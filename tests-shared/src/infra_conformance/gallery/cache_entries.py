"""Caches that are wrong about their entries."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.memory_cache import AnyKey, Kept, MemoryCache, faulty
from infra_protocols.cache import CacheEntry, CacheKey, CacheStats


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


FAULTS: Final = [
    faulty(LacksAMethod, "01"),
    faulty(EntryWithoutTags, "02", "60"),
    faulty(EntryByTheWallClock, "02"),
    faulty(NoneIsNothing, "03", "33"),
    faulty(TypedKeysApart, "04"),
    faulty(TakesAnyType, "05"),
    faulty(GivesAnyType, "05"),
    faulty(TakesBlankKeys, "06"),
    faulty(ManyIgnoresTheEnd, "07", "11"),
    faulty(DeleteManyCountsTheAsked, "07", "60"),
    faulty(SetsManyBeforeChecking, "08"),
    faulty(ClearLeavesTheFirst, "09", "60"),
    faulty(CountsExists, "10"),
    faulty(SizeCountsTheExpired, "10", "60"),
    faulty(EntriesNeverEnd, "11", "60"),
]
