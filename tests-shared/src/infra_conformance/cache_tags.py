"""What a cache promises of tags."""

from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.history import Call, Ending
from infra_conformance.linearize import linearize
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.store import StoreSuite
from infra_conformance.trial import Broken, Trial, expect, expect_one_of, refused
from infra_protocols.cache import CacheProvider
from infra_protocols.errors import ValidationError

TAGS: Final[tuple[str, ...]] = ("red", "blue", "red:1", "1")
SOME_TAGS: Final[st.SearchStrategy[list[str]]] = st.lists(
    st.sampled_from(TAGS[:3]), unique=True, min_size=1, max_size=2
)
BAD_TAGS: Final[tuple[Any, ...]] = ("red", [""], [" "], ["red", ""], [7], [None], 7)


class TagChecks[T](StoreSuite[str, T]):
    """
    The checks of tags.

    Type parameters:
        T: the values of the cache.
    """

    @check("cache-20", validates="6.5")
    async def test_invalidate(self, trial: Trial[CacheProvider[T]]) -> None:
        """Invalidating a tag removes all entries that have it, and no other, and says how many where that is known."""
        cache, keys = trial.subject, trial.draw(self.some_keys(4))
        value, tag = trial.draw(self.values()), trial.draw(st.sampled_from(TAGS))
        tagged = {key: trial.draw(st.lists(st.sampled_from(TAGS), unique=True, max_size=3)) for key in keys}
        for key, tags in tagged.items():
            await cache.set_with_tags(key, value, tags)
        gone = [key for key, tags in tagged.items() if tag in tags]
        expect_one_of(f"invalidate_by_tag({tag!r})", await cache.invalidate_by_tag(tag), [len(gone), None])
        expect("get_many", await cache.get_many(keys), {key: value for key in keys if key not in gone})
        expect_one_of("the same again", await cache.invalidate_by_tag(tag), [0, None])

    @check("cache-21", validates="6.5")
    async def test_overwrite_replaces_tags(self, trial: Trial[CacheProvider[T]]) -> None:
        """An overwrite replaces the tags: the old ones no longer concern the key, the new ones do."""
        cache, (bare, moved) = trial.subject, trial.draw(self.some_keys(2))
        first, second = trial.draw(self.some_values(2))
        await cache.set_with_tags(bare, first, ["red"])
        await cache.set_with_tags(moved, first, ["red"])
        await cache.set(bare, second)
        await cache.set_with_tags(moved, second, ["blue"])
        expect_one_of("entries that the old tag removed", await cache.invalidate_by_tag("red"), [0, None])
        expect("get_many after the old tag", await cache.get_many([bare, moved]), {bare: second, moved: second})
        expect_one_of("entries that the new tag removed", await cache.invalidate_by_tag("blue"), [1, None])
        expect("get_many after the new tag", await cache.get_many([bare, moved]), {bare: second})

    @check("cache-22", validates="6.5")
    async def test_past_tags(self, trial: Trial[CacheProvider[T]]) -> None:
        """A tag concerns the entry that had it, not a later one under the same key, and not what is set afterwards."""
        cache, (deleted, again) = trial.subject, trial.draw(self.some_keys(2))
        first, second = trial.draw(self.some_values(2))
        await cache.set_with_tags(deleted, first, ["red"])
        await cache.delete(deleted)
        await cache.set(deleted, second)
        await cache.set_with_tags(again, first, ["red"])
        expect_one_of("entries that the tag removed", await cache.invalidate_by_tag("red"), [1, None])
        expect("get_many", await cache.get_many([deleted, again]), {deleted: second})
        await cache.set_with_tags(again, second, ["red"])
        expect("get of what was tagged after the invalidation", await cache.get(again), second)

    @check("cache-23", validates="6.5")
    async def test_bad_tags(self, trial: Trial[CacheProvider[T]]) -> None:
        """Tags that are one text, or hold what is blank or no text, are a ValidationError, and change nothing."""
        cache, key = trial.subject, trial.draw(self.keys())
        first, second = trial.draw(self.some_values(2))
        bad = trial.draw(st.sampled_from(BAD_TAGS))
        await cache.set(key, first)
        await refused(f"set_with_tags with {bad!r}", cache.set_with_tags(key, second, bad), ValidationError)
        await refused("invalidate_by_tag of a blank tag", cache.invalidate_by_tag(" "), ValidationError)
        expect("get after the refusals", await cache.get(key), first)

    @check("cache-24", validates="6.5")
    async def test_tags_linearizable(self, trial: Trial[CacheProvider[T]]) -> None:
        """Concurrent sets, deletes and invalidations answer as if each happened at one moment."""
        cache, keys = trial.subject, trial.draw(self.some_keys(2))
        values = trial.draw(self.some_values(2))
        step = st.tuples(
            st.sampled_from(["get", "set", "set_with_tags", "delete", "invalidate_by_tag"]),
            st.sampled_from(keys),
            st.sampled_from(values),
            SOME_TAGS,
        )
        parts = trial.draw(st.lists(st.lists(step, min_size=1, max_size=4), min_size=2, max_size=3))

        async def part(steps: list[tuple[str, str, T, list[str]]]) -> None:
            for name, key, value, tags in steps:
                match name:
                    case "set":
                        await cache.set(key, value)
                    case "set_with_tags":
                        await cache.set_with_tags(key, value, tags)
                    case "invalidate_by_tag":
                        await cache.invalidate_by_tag(tags[0])
                    case _:
                        await getattr(cache, name)(key)

        await trial.together(**{name: part(steps) for name, steps in zip("ABC", parts, strict=False)})
        if linearize(trial.history.calls, frozenset[Any](), tags_step) is None:
            raise Broken(ConformanceMessages.NO_ORDER)

    @swept("cache-25", validates="6.5")
    async def test_interrupted_invalidation(self, trial: Trial[CacheProvider[T]]) -> None:
        """An invalidation that is interrupted happened wholly or not at all, and the cache goes on."""
        cache, keys, (value, _) = trial.subject, self.fixed_keys(3), self.fixed_values()
        await cache.set_many(dict.fromkeys(keys[:2], value), tags=["red"])
        await cache.set(keys[2], value)
        outcome = await trial.interrupt(cache.invalidate_by_tag("red"))
        left = set(await cache.get_many(keys))
        expect_one_of("keys that are left", left, [{keys[2]}] if outcome.finished else [{keys[2]}, set(keys)])
        await cache.invalidate_by_tag("red")
        expect("keys that are left afterwards", set(await cache.get_many(keys)), {keys[2]})

    @swept("cache-26", validates="6.5")
    async def test_interrupted_set_with_tags(self, trial: Trial[CacheProvider[T]]) -> None:
        """A set with tags that is interrupted leaves no value without its tags, and no tag without its value."""
        cache, (key, _), (old, new) = trial.subject, self.fixed_keys(), self.fixed_values()
        await cache.set_with_tags(key, old, ["red"])
        await trial.interrupt(cache.set_with_tags(key, new, ["blue"]))
        found = await cache.get(key)
        expect_one_of("get", found, [old, new])
        await cache.invalidate_by_tag("blue" if found == old else "red")
        expect("get after the other's tag was invalidated", await cache.get(key), found)
        await cache.invalidate_by_tag("red" if found == old else "blue")
        expect("get after its own tag was invalidated", await cache.get(key), None)


def tags_step(state: frozenset[Any], call: Call) -> tuple[bool, frozenset[Any]]:
    """
    The model of a cache with tags for concurrent calls: its state is a set of (key, value, tags).

    >>> tags_step(frozenset(), Call("A", "get", ("k",), {}, 1, Ending.RETURNED, value=1, ended=2))[0]
    False
    """
    silent = call.ending is not Ending.RETURNED
    key = call.args[0]
    mine = next((entry for entry in state if entry[0] == key), None)
    others = frozenset(entry for entry in state if entry[0] != key)
    match call.name:
        case _ if call.ending is Ending.RAISED:
            return True, state
        case "get":
            return silent or call.value == (mine[1] if mine else None), state
        case "delete":
            return silent or call.value == (mine is not None), others
        case "invalidate_by_tag":
            left = frozenset(entry for entry in state if key not in entry[2])
            return silent or call.value in (None, len(state) - len(left)), left
        case _:
            return True, others | {(key, call.args[1], tuple(call.args[2]) if call.name == "set_with_tags" else ())}
