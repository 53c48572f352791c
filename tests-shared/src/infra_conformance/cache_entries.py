"""What a cache promises of entries: their times, typed keys, many at once, statistics."""

import asyncio
from collections.abc import Awaitable, Callable
from types import NoneType
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.proof import check
from infra_conformance.store import BAD_TTLS, StoreSuite
from infra_conformance.trial import Trial, expect, expect_one_of, refused
from infra_protocols.cache import CacheEntry, CacheKey, CacheProvider
from infra_protocols.errors import CacheTypeError, ValidationError

BAD_KEYS: Final[tuple[Any, ...]] = ("", " ", "\t\n", 7, None)


class EntryChecks[T](StoreSuite[str, T]):
    """
    The checks of entries.

    Type parameters:
        T: the values of the cache.
    """

    @check("cache-01", validates="6.1 6.2")
    async def test_it_is_a_cache(self, trial: Trial[CacheProvider[T]]) -> None:
        """It has the methods of a CacheProvider."""
        expect("isinstance(subject, CacheProvider)", isinstance(trial.raw, CacheProvider), True)

    @check("cache-02", validates="6.2")
    async def test_entry(self, trial: Trial[CacheProvider[T]]) -> None:
        """An entry tells its key, value, tags, ttl and times; without a ttl it does not end."""
        cache, (key, other) = trial.subject, trial.draw(self.some_keys(2))
        value = trial.draw(self.values())
        await cache.set_with_tags(key, value, ["red", "blue"], ttl=4 * self.tick)
        await cache.set(other, value)
        entry, endless = await cache.get_entry(key), await cache.get_entry(other)
        told = entry and (entry.key, entry.value, sorted(entry.tags), entry.ttl and float(entry.ttl))
        expect("entry", told, (key, value, ["blue", "red"], 4.0 * self.tick))
        expect("time between created_at and expires_at", _lifetime(entry), round(4.0 * self.tick, 3))
        expect(
            "ttl, end and tags of an endless entry",
            endless and (endless.ttl, endless.expires_at, endless.tags),
            (None, None, ()),
        )

    @check("cache-03", validates="6.4")
    async def test_kept_none(self, trial: Trial[CacheProvider[T]]) -> None:
        """A kept None is a value: exists says True, and get_entry finds it."""
        cache, key = trial.subject, CacheKey(trial.draw(self.keys()), NoneType)
        expect("get_entry of an absent key", await cache.get_entry(key), None)
        await cache.set(key, None)
        expect("exists after None was set", await cache.exists(key), True)
        entry = await cache.get_entry(key)
        expect("get_entry finds an entry", entry is not None and entry.value is None, True)

    @check("cache-04", validates="6.3 6.4")
    async def test_typed_key(self, trial: Trial[CacheProvider[T]]) -> None:
        """A typed key and its name are one place, and what a typed key returns is of its type."""
        cache, name = trial.subject, trial.draw(self.keys())
        key, text = CacheKey(name, str), trial.draw(st.text())
        await cache.set(key, text)
        expect("get through the typed key", await cache.get(key), text)
        entry = await cache.get_entry(key)
        expect("key and value of the entry", entry and (entry.key, entry.value), (name, text))
        expect("exists through the name", await cache.exists(name), True)
        expect("delete through the name", await cache.delete(name), True)
        expect("get through the typed key after delete", await cache.get(key), None)

    @check("cache-05", validates="6.3 6.4")
    async def test_wrong_type(self, trial: Trial[CacheProvider[T]]) -> None:
        """A value of another type than the key's is refused on the way in, and told on the way out."""
        cache, name = trial.subject, trial.draw(self.keys())
        words: CacheKey[Any] = CacheKey(name, list)
        await cache.set(words, ["kept"])
        await refused("set of a text under a key for lists", cache.set(words, "text"), ValidationError)
        await refused("load of a text under a key for texts", cache.get(CacheKey(name, str)), CacheTypeError)
        await refused("get_entry through a key for texts", cache.get_entry(CacheKey(name, str)), CacheTypeError)
        expect("get after the refusals", await cache.get(words), ["kept"])

    @check("cache-06", validates="6.3")
    async def test_bad_key(self, trial: Trial[CacheProvider[T]]) -> None:
        """A key that is blank or no text is a ValidationError in every call, and changes nothing."""
        cache, (key, other) = trial.subject, trial.draw(self.some_keys(2))
        value, bad = trial.draw(self.values()), trial.draw(st.sampled_from(BAD_KEYS))

        async def load() -> T:
            return value

        await cache.set(key, value)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "get": lambda: cache.get(bad),
            "get_entry": lambda: cache.get_entry(bad),
            "exists": lambda: cache.exists(bad),
            "set": lambda: cache.set(bad, value),
            "set_with_tags": lambda: cache.set_with_tags(bad, value, ["red"]),
            "get_or_set": lambda: cache.get_or_set(bad, load),
            "delete": lambda: cache.delete(bad),
            "get_many": lambda: cache.get_many([key, bad]),
            "set_many": lambda: cache.set_many({other: value, bad: value}),
            "delete_many": lambda: cache.delete_many([key, bad]),
        }
        for name, call in calls.items():
            await refused(f"{name} with the key {bad!r}", call(), ValidationError)
        expect("get_many after the refusals", await cache.get_many([key, other]), {key: value})

    @check("cache-07", validates="6.2")
    async def test_many(self, trial: Trial[CacheProvider[T]]) -> None:
        """get_many, set_many and delete_many do to each key what get, set and delete do."""
        cache, keys = trial.subject, trial.draw(self.some_keys(4))
        values = trial.draw(self.some_values(3))
        await cache.set_many(dict(zip(keys, values[:2], strict=False)), ttl=4 * self.tick, tags=["red"])
        expect("get_many", await cache.get_many(keys), dict(zip(keys, values[:2], strict=False)))
        entry = await cache.get_entry(keys[0])
        expect(
            "tags and ttl of an entry",
            entry and (entry.tags, entry.ttl and float(entry.ttl)),
            (("red",), 4.0 * self.tick),
        )
        await cache.set(keys[2], values[2])
        expect("how many delete_many removed", await cache.delete_many([keys[0], keys[2], keys[3], keys[0]]), 2)
        expect("get_many after delete_many", await cache.get_many(keys), {keys[1]: values[1]})
        await trial.elapse(5 * self.tick)
        expect("get_many after the end", await cache.get_many(keys), {})

    @check("cache-08", validates="6.2")
    async def test_set_many_refused(self, trial: Trial[CacheProvider[T]]) -> None:
        """A set_many with a bad ttl or tag keeps nothing."""
        cache, keys = trial.subject, trial.draw(self.some_keys(2))
        items = dict(zip(keys, trial.draw(self.some_values(2)), strict=True))
        bad = trial.draw(st.sampled_from(BAD_TTLS))
        await refused(f"set_many with ttl={bad!r}", cache.set_many(items, ttl=bad), ValidationError)
        await refused("set_many with a blank tag", cache.set_many(items, tags=[" "]), ValidationError)
        expect("get_many after the refusals", await cache.get_many(keys), {})

    @check("cache-09", validates="6.1")
    async def test_clear(self, trial: Trial[CacheProvider[T]]) -> None:
        """A clear removes every entry, with its tags, and the cache goes on."""
        cache, (key, other) = trial.subject, trial.draw(self.some_keys(2))
        value = trial.draw(self.values())
        await cache.set_with_tags(key, value, ["red"])
        await cache.set(other, value)
        await cache.clear()
        expect("get_many after clear", await cache.get_many([key, other]), {})
        await cache.set(key, value)
        expect_one_of(
            "entries that a tag from before the clear removed", await cache.invalidate_by_tag("red"), [0, None]
        )
        expect("get of what was set after clear", await cache.get(key), value)

    @check("cache-10", validates="6.1")
    async def test_stats(self, trial: Trial[CacheProvider[T]]) -> None:
        """Lookups are counted as hits and misses, exists is not, and size counts what is visible."""
        cache, (key, other) = trial.subject, trial.draw(self.some_keys(2))
        value = trial.draw(self.values())
        before = cache.stats()
        await cache.get(key)
        await cache.set(key, value, ttl=2 * self.tick)
        await cache.set(other, value)
        await cache.get(key)
        await cache.get_entry(key)
        await cache.get_many([key, other])
        await cache.exists(key)
        stats = cache.stats()
        expect("hits and misses", (stats.hits - before.hits, stats.misses - before.misses), (4, 1))
        expect_one_of("size", stats.size, [2, None])
        await trial.elapse(3 * self.tick)
        expect_one_of("size after one entry's end", cache.stats().size, [1, None])

    @check("cache-11", validates="6.2", requires="supports_ttl")
    async def test_expired_is_invisible(self, trial: Trial[CacheProvider[T]]) -> None:
        """What is expired can be seen nowhere: no entry, in no answer for many, in no count."""
        cache, (key, unseen, other) = trial.subject, trial.draw(self.some_keys(3))
        value = trial.draw(self.values())
        await cache.set_many({key: value, unseen: value}, ttl=1 * self.tick, tags=["red"])
        await cache.set_with_tags(other, value, ["red"], ttl=9 * self.tick)
        await trial.elapse(2 * self.tick)
        expect("get_entry after the end", await cache.get_entry(key), None)
        expect("get_many after the end", await cache.get_many([key, other]), {other: value})
        expect("delete_many after the end", await cache.delete_many([key]), 0)
        expect_one_of("entries that the tag removed", await cache.invalidate_by_tag("red"), [1, None])

    @check("cache-12", validates="6.1 6.5")
    async def test_more_stats(self, trial: Trial[CacheProvider[T]]) -> None:
        """The time that loaders ran is added up, and what went with a tag is counted where that is known."""
        cache, (key, tagged) = trial.subject, trial.draw(self.some_keys(2))
        value, error = trial.draw(self.values()), trial.draw(st.sampled_from([None, KeyError("lost")]))

        async def slow() -> T:
            await asyncio.sleep(2 * self.tick)
            if error is not None:
                raise error
            return value

        before = cache.stats()
        if error is None:
            await cache.get_or_set(key, slow)
        else:
            await refused("get_or_set with a loader that fails", cache.get_or_set(key, slow), KeyError)
        took = cache.stats().load_seconds - before.load_seconds
        expect(f"load_seconds of a load that took 2 ticks, {took:g}", took >= 2 * self.tick - self.slack, True)
        expect("load_seconds, not too many", took < 20 * self.tick, True)
        await cache.set_with_tags(tagged, value, ["red"])
        gone = await cache.invalidate_by_tag("red")
        expect("invalidations", cache.stats().invalidations - before.invalidations, gone or 0)


def _lifetime(entry: CacheEntry[Any] | None) -> float | None:
    if entry is None or entry.expires_at is None:
        return None
    return round((entry.expires_at - entry.created_at).total_seconds(), 3)
