"""What caches that share an engine promise of namespaces: however much two look alike, they share nothing."""

import asyncio
from functools import partial
from typing import Final

from hypothesis import strategies as st

from infra_conformance.cache_loading import Loader
from infra_conformance.proof import check
from infra_conformance.shared_base import SharedCaches, SharedChecks
from infra_conformance.trial import Trial, expect, expect_one_of

SEPARATORS: Final = ("", ":", "::", "/", ".", "|", "-", "_", " ", "\n", "%3A", ":e:", "}", "}:", "}:e:", "*")
NEIGHBOURS: Final = (
    ("user:1", "user:10"),
    ("user", "user:1"),
    ("user", "users"),
    ("User", "user"),
    ("*", "user"),
    ("us?r", "user"),
    ("[tu]ser", "user"),
    ("user\\", "user"),
    ("{user}", "user"),
    ("{user}", "{user}:1"),
    ("user%3A1", "user:1"),
    ("\u00e9", "e\u0301"),
)
"""Namespaces that one who matches, folds, quotes or puts together names would take for each other."""
PLACES: Final = (
    *((mine, "key", theirs, "key") for mine, theirs in NEIGHBOURS),
    *(("a", f"b{separator}c", f"a{separator}b", "c") for separator in SEPARATORS),
)
"""Namespaces and keys that are not one place, the latter though they read the same once they are put together."""


class NameChecks[T](SharedChecks[T]):
    """
    The checks of namespaces.

    Type parameters:
        T: the values of the caches.
    """

    @check("shared-10", validates="6.1 6.3")
    async def test_apart(self, trial: Trial[SharedCaches[T]]) -> None:
        """What one sets or removes, no other namespace sees or misses, whatever the two are called and their keys."""
        value, another = trial.draw(self.some_values(2))
        for mine, key, theirs, other in trial.draw(
            st.lists(st.sampled_from(PLACES), min_size=14, max_size=14, unique=True)
        ):
            (a,), (b,) = await self.caches(trial, "A", mine), await self.caches(trial, "B", theirs)
            trial.history.note(f"A is in {mine!r}, B in {theirs!r}")
            await a.set(key, value)
            for name in (key, other):
                expect("get in another namespace", await b.get(name), None)
                expect("exists in another namespace", await b.exists(name), False)
                expect("delete in another namespace", await b.delete(name), False)
            await b.set(other, another)
            expect("get after a set in another namespace", await a.get(key), value)
            expect("delete", await a.delete(key), True)
            expect("get after a delete in another namespace", await b.get(other), another)
            await b.delete(other)

    @check("shared-11", validates="6.1")
    async def test_clear_apart(self, trial: Trial[SharedCaches[T]]) -> None:
        """A clear leaves every other namespace as it is, loads on their way there included."""
        names = trial.draw(st.sampled_from(NEIGHBOURS))
        mine, theirs = names if trial.draw(st.booleans()) else names[::-1]
        (a,), (b,) = await self.caches(trial, "A", mine), await self.caches(trial, "B", theirs)
        value, loader = trial.draw(self.values()), Loader(trial.draw(self.values()), held=True)
        await a.set("key", value)
        await b.set_with_tags("key", value, ["red"])
        loading = asyncio.create_task(b.get_or_set("loaded", loader))
        await self.settle(loader)
        await a.clear()
        loader.let_go()
        loaded = await loading
        await self.told(trial)
        expect("get of what was cleared", await a.get("key"), None)
        expect("get in another namespace", await b.get_many(["key", "loaded"]), {"key": value, "loaded": loaded})

    @check("shared-12", validates="6.5")
    async def test_tags_apart(self, trial: Trial[SharedCaches[T]]) -> None:
        """A tag concerns its own namespace alone: no other loses or counts what has a tag of that name."""
        names = trial.draw(st.sampled_from(NEIGHBOURS))
        mine, theirs = names if trial.draw(st.booleans()) else names[::-1]
        (a,), (b,) = await self.caches(trial, "A", mine), await self.caches(trial, "B", theirs)
        value, tag = trial.draw(self.values()), trial.draw(st.sampled_from(["red", "1", "0:red"]))
        await a.set_with_tags("key", value, [tag])
        await b.set_many({"key": value, "other": value}, tags=[tag])
        await self.sees("get", partial(b.get, "key"), value)
        expect_one_of("how many went with the tag", await a.invalidate_by_tag(tag), [1, None])
        await self.told(trial)
        expect("get of what had the tag", await a.get("key"), None)
        expect("get in another namespace", await b.get_many(["key", "other"]), {"key": value, "other": value})
        expect_one_of("how many went with the tag there", await b.invalidate_by_tag(tag), [2, None])
