"""What caches that share an engine promise of entries: what one changes, all others see."""

from collections.abc import Sequence
from functools import partial

from hypothesis import strategies as st

from infra_conformance.cache_loading import Loader
from infra_conformance.linearize import linearize_by_key
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.shared_base import CHANGES, SharedCaches, SharedChecks
from infra_conformance.store_model import Answer, store_step
from infra_conformance.trial import Broken, Trial, expect, expect_one_of
from infra_protocols.cache import CacheKey, CacheProvider


class ChangeChecks[T](SharedChecks[T]):
    """
    The checks of what one changes and another sees.

    Type parameters:
        T: the values of the caches.
    """

    @check("shared-01", validates="6.1 6.3 6.4 6.5")
    async def test_seen_by_others(self, trial: Trial[SharedCaches[T]]) -> None:
        """What one sets, others get: with its tags and its time to live, and under a typed key with its type."""
        a, b = await self.caches(trial, "AB")
        (key, typed), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        text = CacheKey(typed, str)
        expect("get before", await b.get(key), None)
        await a.set_with_tags(key, value, ["red", "blue"], ttl=90 * self.tick)
        await a.set(text, "text")
        await self.told(trial)
        await self.sees("get", partial(b.get, key), value)
        await self.sees("get through the typed key", partial(b.get, text), "text")
        expect("exists", await b.exists(key), True)
        expect("get_many", await b.get_many([key]), {key: value})
        entry = await b.get_entry(key)
        told = entry and (entry.value, sorted(entry.tags), entry.ttl and float(entry.ttl))
        expect("entry", told, (value, ["blue", "red"], 90.0 * self.tick))

    @check("shared-02", validates="6.1 6.2 6.5")
    async def test_change_is_seen(self, trial: Trial[SharedCaches[T]]) -> None:
        """What one changes, however it does, no other gets as it was before; it itself does not in its next call."""
        a, b = caches = await self.caches(trial, "AB")
        (key, other), (old, new, loaded) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(3))
        how = trial.draw(st.sampled_from(CHANGES))
        await a.set_with_tags(key, old, ["red"])
        await b.set_with_tags(other, old, ["blue"])
        for cache in (*caches, *caches):  # twice: the first may only bring it near
            await self.sees("get before the change", partial(cache.get, key), old)
            await self.sees("get of another key", partial(cache.get, other), old)
        want = await self.change(a, how, key, new)
        expect("get by the one who changed it", await a.get(key), want)
        await self.all_get(trial, caches, key, want, "after the change")
        expect("exists after the change", await b.exists(key), want is not None)
        expect("get_many after the change", await b.get_many([key]), {} if want is None else {key: want})
        got = await b.get_or_set(key, Loader(loaded))
        expect("get_or_set after the change", got, loaded if want is None else want)
        await self.all_get(trial, caches, other, None if how == "clear" else old, "of another key")

    @check("shared-03", validates="6.1")
    async def test_one_deleter(self, trial: Trial[SharedCaches[T]]) -> None:
        """Of several concurrent deletes of one key, each by another, exactly one says that it was there."""
        a, b, c = caches = await self.caches(trial, "ABC")
        (key, _), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        await a.set(key, value)
        for cache in caches:
            await self.sees("get before", partial(cache.get, key), value)
        one = trial.draw(st.booleans())
        said = await trial.together(A=a.delete(key), B=b.delete(key), C=c.delete(key) if one else c.delete_many([key]))
        expect("how many said that it was there", sum(said), 1)
        await self.all_get(trial, caches, key, None, "after the deletes")

    @check("shared-04", validates="6.1")
    async def test_linearizable(self, trial: Trial[SharedCaches[T]]) -> None:
        """Concurrent calls by several answer as if each happened at one moment; without a lag, those that read too."""
        caches = await self.caches(trial, "ABC")
        keys, values = trial.draw(self.some_keys(2)), trial.draw(self.some_values(3))
        names = ["set", "delete"] if self.lag else ["get", "set", "delete", "exists"]
        step = st.tuples(st.sampled_from(names), st.sampled_from(keys), st.sampled_from(values))
        parts = trial.draw(st.lists(st.lists(step, min_size=1, max_size=5), min_size=2, max_size=3))

        async def part(cache: CacheProvider[T], steps: list[tuple[str, str, T]]) -> None:
            for name, key, value in steps:
                await (cache.set(key, value) if name == "set" else getattr(cache, name)(key))

        each = zip("ABC", caches, parts, strict=False)
        await trial.together(**{name: part(cache, steps) for name, cache, steps in each})
        newcomer = await self.newcomer(trial)
        left = {key: await newcomer.get(key) for key in keys}  # what is left must be explained too
        if linearize_by_key(trial.history.calls, lambda call: call.args[0], Answer.ABSENT, store_step) is not None:
            raise Broken(ConformanceMessages.NO_ORDER)
        for key, value in left.items():
            await self.all_get(trial, caches, key, value, "in the end")

    @check("shared-05", validates="6.1 6.5")
    async def test_overtaken_reads(self, trial: Trial[SharedCaches[T]]) -> None:
        """However reads and changes by several overlap, in the end all get what is there, and never again the old."""
        a, b, c = caches = await self.caches(trial, "ABC")
        (key, _), values = trial.draw(self.some_keys(2)), trial.draw(self.some_values(5))
        first, second = trial.draw(some_changes()), trial.draw(st.just([]) | some_changes())
        await a.set_with_tags(key, values[0], ["red"])
        lasts: list[T | None] = []

        async def write(cache: CacheProvider[T], steps: Sequence[tuple[str, int]], new: list[T]) -> None:
            last = None
            for (how, pause), value in zip(steps, new, strict=False):
                await self.nap(pause)
                last = await self.change(cache, how, key, value)
                if not second:
                    expect("get by the one who changed it", await cache.get(key), last)
            lasts.append(last)

        async def read(cache: CacheProvider[T], pauses: list[int]) -> None:
            for pause in pauses:
                await self.nap(pause)
                await cache.get(key)

        pauses = trial.draw(st.tuples(*[self.some_naps(4)] * 3))
        writers = {"A": write(a, first, values[1:])} | ({"C": write(c, second, values[::-1])} if second else {})
        readers = {f"{name}r": read(cache, some) for name, cache, some in zip("ABC", (a, b, c), pauses, strict=True)}
        await trial.together(**writers, **readers)
        there = await (await self.newcomer(trial)).get(key)
        expect_one_of("what is there in the end", there, lasts)
        await self.all_get(trial, caches, key, there, "in the end")

    @check("shared-06", validates="6.1 6.2")
    async def test_ttl(self, trial: Trial[SharedCaches[T]]) -> None:
        """What one sets is over for all others at its end, however lately they have read it, and with a new ttl too."""
        a, b, c = caches = await self.caches(trial, "ABC")
        (key, other), (old, value) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        ttl, early = trial.draw(st.sampled_from([2, 5])) * self.tick, trial.draw(st.booleans())
        before = trial.draw(st.sampled_from([None, 30, 1]))
        if before is not None:
            await a.set_many({key: old, other: old}, ttl=before * self.tick)
            for cache in caches:
                await cache.get_many([key, other])

        async def replaced(cache: CacheProvider[T]) -> bool:
            return old not in (await cache.get_many([key, other])).values()

        end = trial.time() + ttl
        await a.set_many({key: value, other: value}, ttl=ttl)
        ended = trial.time()
        if early or before is not None:
            await self.told(trial)
            for cache in caches:
                await self.sees("what was there is replaced", partial(replaced, cache), True)
        await trial.elapse(max(0.0, end - self.slack - trial.time()))
        found = [await cache.get(key) for cache in caches]
        if trial.time() < end:  # else a slow machine is late, and what was found tells nothing
            expect("get before the end", found, [value] * 3)
        await trial.elapse(max(0.0, ended + ttl + self.slack - trial.time()))
        expect("get after the end", [await cache.get(key) for cache in (c, b, a)], [None] * 3)
        expect("exists after the end", [await cache.exists(key) for cache in caches], [False] * 3)
        expect(
            "how many get_many finds after the end",
            [len(await cache.get_many([key, other])) for cache in caches],
            [0] * 3,
        )
        expect("delete after the end", await c.delete(other), False)


def some_changes() -> st.SearchStrategy[list[tuple[str, int]]]:
    """Return a strategy of changes in a row, each after a pause; only the last may leave a value without its tag."""
    steps = st.tuples(st.sampled_from(CHANGES), st.integers(0, 8))
    return st.lists(steps, min_size=1, max_size=3).map(_tagged)


def _tagged(steps: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    *before, last = steps
    return [("set_with_tags" if how == "set" else how, pause) for how, pause in before] + [last]
