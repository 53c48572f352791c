"""The stateful model of `CacheProvider`."""

import asyncio
from typing import Any

from hypothesis import strategies as st

from infra_conformance.cache_tags import SOME_TAGS, TAGS
from infra_conformance.machine import rule
from infra_conformance.store_model import Answer, Kept, StoreMachine
from infra_conformance.trial import Trial, expect, expect_one_of
from infra_protocols.cache import CacheEntry, CacheProvider


class CacheMachine[T](StoreMachine[CacheProvider[T]]):
    """
    Random calls and waits, against a dict of entries.

    Type parameters:
        T: the values of the cache.
    """

    def visible(self) -> dict[str, Kept] | None:
        """Return what the model shows to the last call, or `None` when something ended meanwhile."""
        looks = {key: self.model.look(key, self.began, self.ended) for key in self.model.kept}
        if Answer.UNSURE in looks.values():
            return None
        return {key: look for key, look in looks.items() if isinstance(look, Kept)}

    @rule(data=st.data(), tags=SOME_TAGS)
    def set_with_tags(self, data: st.DataObject, tags: list[str]) -> None:
        """Set a key with tags."""
        key, value, ttl = data.draw(self.keys), data.draw(self.values), self.draw_ttl(data)
        self.do(lambda trial: trial.subject.set_with_tags(key, value, tags, ttl))
        self.keep(key, value, ttl, tags)

    @rule(data=st.data(), tags=SOME_TAGS)
    def set_many(self, data: st.DataObject, tags: list[str]) -> None:
        """Set some keys at once."""
        items = data.draw(st.dictionaries(self.keys, self.values, max_size=3))
        ttl = self.draw_ttl(data)
        self.do(lambda trial: trial.subject.set_many(items, ttl, tags))
        for key, value in items.items():
            self.keep(key, value, ttl, tags)

    @rule(data=st.data(), tags=SOME_TAGS)
    def get_or_set(self, data: st.DataObject, tags: list[str]) -> None:
        """Get a key, loading it when it is not there."""
        key, value, ttl = data.draw(self.keys), data.draw(self.values), self.draw_ttl(data)

        async def load() -> T:
            await asyncio.sleep(0)
            return value

        found = self.do(lambda trial: trial.subject.get_or_set(key, load, ttl, tags))
        match self.model.look(key, self.began, self.ended):
            case Kept() as kept:
                expect("get_or_set", found, kept.value)
            case Answer.ABSENT:
                expect("get_or_set", found, value)
                self.keep(key, value, ttl, tags)
            case _:
                self.do(lambda trial: trial.subject.delete(key))
                self.model.kept.pop(key, None)

    @rule(tag=st.sampled_from(TAGS[:3]))
    def invalidate(self, tag: str) -> None:
        """Invalidate a tag."""
        gone = self.do(lambda trial: trial.subject.invalidate_by_tag(tag))
        if (visible := self.visible()) is not None:
            expect_one_of("invalidate_by_tag", gone, [sum(tag in kept.tags for kept in visible.values()), None])
        self.model.kept = {key: kept for key, kept in self.model.kept.items() if tag not in kept.tags}

    @rule(data=st.data())
    def delete_many(self, data: st.DataObject) -> None:
        """Delete some keys at once."""
        keys: list[Any] = data.draw(st.lists(self.keys, max_size=3))
        gone = self.do(lambda trial: trial.subject.delete_many(keys))
        if (visible := self.visible()) is not None:
            expect("delete_many", gone, len(visible.keys() & set(keys)))
        for key in keys:
            self.model.kept.pop(key, None)

    @rule()
    def clear(self) -> None:
        """Clear the cache."""
        self.do(lambda trial: trial.subject.clear())
        self.model.kept.clear()

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """Read a key in all the ways there are."""
        self.look_at([data.draw(self.keys)])

    def glance(self) -> None:
        """Look at every key that ever held something, in all the ways there are."""
        self.look_at(list(self.model.known))
        super().glance()

    def look_at(self, keys: list[Any]) -> None:
        """Read what is of many, what is of one, and how many there are."""
        found, entries, size = self.do(lambda trial: _seen(trial, keys))
        if (visible := self.visible()) is None:
            return
        kept = {key: visible[key] for key in keys if key in visible}
        expect("get_many", found, {key: each.value for key, each in kept.items()})
        shown = {key: (entry.value, frozenset(entry.tags)) for key, entry in entries.items()}
        expect("get_entry", shown, {key: (each.value, each.tags) for key, each in kept.items()})
        expect_one_of("size", size, [len(visible), None])


async def _seen(
    trial: Trial[CacheProvider[Any]], keys: list[Any]
) -> tuple[dict[str, Any], dict[Any, CacheEntry[Any]], int | None]:
    cache = trial.subject
    found = await cache.get_many(keys)
    entries = {key: entry for key in keys if (entry := await cache.get_entry(key)) is not None}
    return found, entries, cache.stats().size
