"""Caches that are wrong about tags."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from infra_conformance.gallery.memory_cache import AnyKey, Kept, MemoryCache, faulty
from infra_protocols.clock import Clock


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


FAULTS: Final = [
    faulty(TagsByPrefix, "20"),
    faulty(InvalidatesOne, "20", "25"),
    faulty(InvalidationCountsTheExpired, "11"),
    faulty(OverwriteKeepsTags, "21", "60"),
    faulty(TagIndexOutlivesEntries, "21", "22", "60"),
    faulty(InvalidatedForEver, "22", "60"),
    faulty(TakesATextAsTags, "23", "42"),
    faulty(InvalidatesInSteps, "24", "25"),
    faulty(SetsThenTags, "24", "26"),
]
