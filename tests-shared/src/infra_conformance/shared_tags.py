"""What caches that share an engine promise of tags: invalidated by one, invalidated for all, and for good."""

from functools import partial

from hypothesis import strategies as st

from infra_conformance.cache_loading import Loader
from infra_conformance.cache_tags import SOME_TAGS, tags_step
from infra_conformance.linearize import linearize
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.shared_base import SharedCaches, SharedChecks
from infra_conformance.trial import Broken, Trial, expect, expect_one_of
from infra_protocols.cache import CacheProvider


class SharedTagChecks[T](SharedChecks[T]):
    """
    The checks of tags.

    Type parameters:
        T: the values of the caches.
    """

    @check("shared-20", validates="6.5")
    async def test_invalidate(self, trial: Trial[SharedCaches[T]]) -> None:
        """Invalidating a tag removes what has it, whoever set it and whoever has read it, and nothing else."""
        a, b, c = caches = await self.caches(trial, "ABC")
        (first, second, third), value = trial.draw(self.some_keys(3)), trial.draw(self.values())
        await a.set_with_tags(first, value, ["red"])
        await b.get_or_set(second, Loader(value), tags=["blue", "red"])
        await a.set_with_tags(third, value, ["blue", "1"])
        for cache in (*caches, *caches):
            for key in (first, second, third):
                await self.sees("get before", partial(cache.get, key), value)
        invalidates = trial.draw(st.sampled_from(caches))
        expect_one_of("how many went with the tag", await invalidates.invalidate_by_tag("red"), [2, None])
        left = await invalidates.get_many([first, second, third])
        expect("get_many by the one who invalidated it", left, {third: value})
        for key in (first, second):
            await self.all_get(trial, caches, key, None, "after the invalidation")
        await self.all_get(trial, caches, third, value, "of what has another tag")
        expect_one_of("the same again", await c.invalidate_by_tag("red"), [0, None])

    @check("shared-21", validates="6.5")
    async def test_never_back(self, trial: Trial[SharedCaches[T]]) -> None:
        """What was invalidated never comes back, however often and by whom its tag is used and invalidated again."""
        a, b = caches = await self.caches(trial, "AB")
        (key, other), (value, new) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        uses = st.tuples(st.sampled_from(caches), st.sampled_from(["set_with_tags", "get_or_set", "invalidate_by_tag"]))

        async def use(cache: CacheProvider[T], how: str) -> None:
            match how:
                case "set_with_tags":
                    await cache.set_with_tags(other, new, ["red"])
                case "get_or_set":
                    await cache.get_or_set(other, Loader(new), tags=["red"])
                case _:
                    await cache.invalidate_by_tag("red")

        for cache, how in trial.draw(st.lists(uses, max_size=3)):
            await use(cache, how)
        await a.set_with_tags(key, value, ["red", "blue"])
        for cache in caches:
            await self.sees("get before", partial(cache.get, key), value)
        await b.invalidate_by_tag("red")
        for cache, how in trial.draw(st.lists(uses, max_size=4)):
            await use(cache, how)
            if not self.lag:
                expect("get meanwhile", await a.get(key), None)
        await self.all_get(trial, caches, key, None, "after the invalidation")
        await a.set_with_tags(key, new, ["red"])
        await self.all_get(trial, caches, key, new, "of what was tagged afterwards")

    @check("shared-22", validates="6.5")
    async def test_tags_linearizable(self, trial: Trial[SharedCaches[T]]) -> None:
        """Concurrent sets, deletes and invalidations by several answer as if each happened at one moment."""
        caches = await self.caches(trial, "ABC")
        keys, values = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        names = ["set", "set_with_tags", "delete", "invalidate_by_tag", *([] if self.lag else ["get"])]
        step = st.tuples(st.sampled_from(names), st.sampled_from(keys), st.sampled_from(values), SOME_TAGS)
        parts = trial.draw(st.lists(st.lists(step, min_size=1, max_size=4), min_size=2, max_size=3))

        async def part(cache: CacheProvider[T], steps: list[tuple[str, str, T, list[str]]]) -> None:
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

        each = zip("ABC", caches, parts, strict=False)
        await trial.together(**{name: part(cache, steps) for name, cache, steps in each})
        newcomer = await self.newcomer(trial)
        left = {key: await newcomer.get(key) for key in keys}
        if linearize(trial.history.calls, frozenset[object](), tags_step) is None:
            raise Broken(ConformanceMessages.NO_ORDER)
        for key, value in left.items():
            await self.all_get(trial, caches, key, value, "in the end")

    @check("shared-23", validates="6.5", requires="can_forget_tags")
    async def test_lost_tags(self, trial: Trial[SharedCaches[T]]) -> None:
        """What the engine has lost the tags of is a miss to whoever asks it, and stays one when they are used anew."""
        a, b = caches = await self.caches(trial, "AB")
        (key, other), (value, new) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        before, after, used = trial.draw(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()))
        for _ in range(before):
            await b.set_with_tags(other, new, ["red"])
            await b.invalidate_by_tag("red")
        await a.set_with_tags(key, value, ["red"])
        await self.sees("get before", partial(b.get, key), value)
        await trial.raw.forget_tags()
        trial.history.note("the engine loses its tags")
        newcomer = await self.newcomer(trial)
        expect("get after the loss", await newcomer.get(key), None)
        for _ in range(after):
            await b.set_with_tags(other, new, ["red"])
            await b.invalidate_by_tag("red")
        if used:
            await b.set_with_tags(other, new, ["red"])
        expect("get after the tag was used anew", await newcomer.get(key), None)
        await b.invalidate_by_tag("red")
        await self.all_get(trial, caches, key, None, "after an invalidation")
        await a.set_with_tags(key, new, ["red"])
        await self.all_get(trial, caches, key, new, "of what was tagged after the loss")
