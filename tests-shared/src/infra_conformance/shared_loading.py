"""What caches that share an engine promise of `get_or_set`: loads by one, and what others do meanwhile."""

import asyncio
from functools import partial

from hypothesis import strategies as st

from infra_conformance.cache_loading import Loader
from infra_conformance.history import recorded
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.shared_base import CHANGES, SharedCaches, SharedChecks
from infra_conformance.trial import Broken, Trial, expect, expect_one_of, refused
from infra_protocols.cache import CacheProvider


class SharedLoadingChecks[T](SharedChecks[T]):
    """
    The checks of loads.

    Type parameters:
        T: the values of the caches.
    """

    @check("shared-30", validates="6.1 6.5")
    async def test_change_during_load(self, trial: Trial[SharedCaches[T]]) -> None:
        """A change by one during a load by another wins: what was loaded is not kept, and both load anew if need be."""
        a, b = caches = await self.caches(trial, "AB")
        (key, _), (old, new, given) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(3))
        stale, fresh = Loader(old, held=True), Loader(new, held=True)
        early = asyncio.create_task(a.get_or_set(key, stale, tags=["blue", "red"]))
        await self.settle(stale)
        left = await self.change(b, trial.draw(st.sampled_from(CHANGES)), key, given)
        await self.told(trial)
        late = [asyncio.create_task(cache.get_or_set(key, fresh, tags=["red"])) for cache in caches]
        await (self.settle(fresh) if left is None else self.settle())
        first, second = (stale, fresh) if trial.draw(st.booleans()) else (fresh, stale)
        first.let_go()
        await self.settle()
        second.let_go()
        expect("what the caller from before got", await early, old)
        want = new if left is None else left
        expect("what the callers from afterwards got", await asyncio.gather(*late), [want] * 2)
        loads = [0] if left is not None else [1] if self.supports_one_loader else [1, 2]
        expect_one_of("how often the loader from afterwards ran", fresh.begun, loads)
        await self.all_get(trial, caches, key, want, "in the end")

    @check("shared-31", validates="6.1 6.5")
    async def test_never_stale(self, trial: Trial[SharedCaches[T]]) -> None:
        """A read by one, after a write was followed by an invalidation by another, never returns what was before."""
        caches = await self.caches(trial, "ABC")
        (key, _), values = trial.draw(self.some_keys(2)), trial.draw(self.some_values(5))
        how = trial.draw(st.sampled_from(["delete", "delete_many", "clear", "invalidate_by_tag"]))
        naps = st.lists(st.integers(0, 8), min_size=4, max_size=4)
        pauses = trial.draw(st.tuples(naps, naps, naps))
        version = 0  # what the source holds
        settled = 0  # what every read that begins now must see, or something newer

        async def load(pause: int = 0) -> T:
            seen = values[version]
            await self.nap(pause + 1)
            return seen

        async def write(cache: CacheProvider[T], turns: list[int]) -> None:
            nonlocal version, settled
            for pause in turns:
                await self.nap(pause)
                version += 1
                await self.nap(1)
                await self.change(cache, how, key, values[0])
                settled = version

        async def read(cache: CacheProvider[T], turns: list[int]) -> None:
            for pause in turns:
                await self.nap(pause)
                oldest = settled
                found = await cache.get_or_set(key, partial(load, pause), tags=["red"])
                if not self.lag and values.index(found) < oldest:
                    message = ConformanceMessages.EXPECTED.format(
                        what="get_or_set", want=f"{values[oldest]!r} or newer", got=repr(found)
                    )
                    raise Broken(message)

        parts = zip("ABC", (write, read, read), caches, pauses, strict=True)
        await trial.together(**{name: do(cache, turns) for name, do, cache, turns in parts})
        await self.told(trial)
        for cache in caches:
            await self.sees("get_or_set", partial(cache.get_or_set, key, load, tags=["red"]), values[version])

    @check("shared-32", validates="6.1 6.5")
    async def test_loaded_for_all(self, trial: Trial[SharedCaches[T]]) -> None:
        """What one has loaded is kept for all, with its tags and its ttl, and is not loaded again."""
        a, b = caches = await self.caches(trial, "AB")
        (key, _), (value, other) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        loader, later = Loader(value), Loader(other)
        await a.get_or_set(key, loader, ttl=90 * self.tick, tags=["red"])
        await self.told(trial)
        await self.sees("get_or_set by another", partial(b.get_or_set, key, later), value)
        expect("how often the loaders ran", (loader.begun, later.begun), (1, 0))
        entry = await b.get_entry(key)
        told = entry and (entry.value, entry.tags, entry.ttl and float(entry.ttl))
        expect("entry", told, (value, ("red",), 90.0 * self.tick))
        await b.invalidate_by_tag("red")
        await self.all_get(trial, caches, key, None, "after the invalidation")

    @check("shared-33", validates="6.1")
    async def test_failed_load(self, trial: Trial[SharedCaches[T]]) -> None:
        """A load that fails fails for its own callers alone: others load, before or after, and what they load stays."""
        a, b = caches = await self.caches(trial, "AB")
        (key, _), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        failing, loader = Loader(value, held=True, error=KeyError("lost")), Loader(value)
        early = asyncio.create_task(a.get_or_set(key, failing, tags=["red"]))
        await self.settle(failing)
        late = asyncio.create_task(b.get_or_set(key, loader)) if trial.draw(st.booleans()) else None
        await self.settle()
        failing.let_go()
        await refused("get_or_set with a loader that fails", early, KeyError)
        if late is None:
            expect("exists after the failure", [await cache.exists(key) for cache in caches], [False] * 2)
        got = await (late or b.get_or_set(key, loader))
        expect("what another got", got, value)
        expect("how often its loader ran", loader.begun, 1)
        await self.all_get(trial, caches, key, value, "in the end")

    @check("shared-34", validates="6.1")
    async def test_cancelled_load(self, trial: Trial[SharedCaches[T]]) -> None:
        """A caller of one that is cancelled harms no caller of another, whether it was there before or came later."""
        a, b = caches = await self.caches(trial, "AB")
        (key, _), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        mine, theirs = Loader(value, held=True), Loader(value, held=True)
        leads = asyncio.create_task(a.get_or_set(key, mine))
        await self.settle(mine)
        follows = asyncio.create_task(b.get_or_set(key, theirs))
        await self.settle(*([] if self.supports_one_loader else [theirs]))
        first, second = (leads, follows) if trial.draw(st.booleans()) else (follows, leads)
        first.cancel()
        await asyncio.wait((first,))
        expect("how the one that was cancelled ended", first.cancelled(), True)
        mine.let_go()
        theirs.let_go()
        expect("what the other got", await second, value)
        await self.all_get(trial, caches, key, value, "in the end")

    @check("shared-40", validates="6.1", requires="supports_one_loader")
    async def test_one_load(self, trial: Trial[SharedCaches[T]]) -> None:
        """However many wait for a key, in however many caches, its loader runs once, and all get its value."""
        caches = await self.caches(trial, "ABCD")
        (key, _), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        loader, each = Loader(value, held=True), trial.draw(st.integers(1, 3))
        callers = [asyncio.create_task(cache.get_or_set(key, loader)) for cache in caches for _ in range(each)]
        await self.settle(loader)
        await trial.elapse(self.tick)  # time enough for all to come and see
        loader.let_go()
        expect("what the callers got", await asyncio.gather(*callers), [value] * len(callers))
        expect("how often the loader ran", loader.begun, 1)

    @check("shared-41", validates="6.1", requires="supports_one_loader")
    async def test_next_one(self, trial: Trial[SharedCaches[T]]) -> None:
        """When the one who loads for all fails or is cancelled, one of those who wait loads next, and one alone."""
        a, *others = await self.caches(trial, "ABCD")
        (key, _), value = trial.draw(self.some_keys(2)), trial.draw(self.values())
        cancelled = trial.draw(st.booleans())
        failing, loader = Loader(value, held=True, error=KeyError("lost")), Loader(value, held=True)
        holder = asyncio.create_task(a.get_or_set(key, failing))
        await self.settle(failing)
        waiting = [asyncio.create_task(cache.get_or_set(key, loader)) for cache in others]
        await self.settle()
        expect("loads beside the one", loader.begun, 0)
        if cancelled:
            holder.cancel()
            await asyncio.wait((holder,))
        else:
            failing.let_go()
            await refused("get_or_set with a loader that fails", holder, KeyError)
        await self.settle(loader)
        await trial.elapse(self.tick)
        expect("loads once the one was gone", loader.begun, 1)
        loader.let_go()
        expect("what those who waited got", await asyncio.gather(*waiting), [value] * len(waiting))
        expect("how often their loader ran", loader.begun, 1)

    @check("shared-42", validates="6.1", requires="can_cut_off")
    async def test_lease(self, trial: Trial[SharedCaches[T]]) -> None:
        """When the one who loads for all is cut off, one other takes over as its lease ends, however long it takes."""
        raw: CacheProvider[T] = await trial.raw.cache()
        a, others = recorded(raw, trial.history, "A"), await self.caches(trial, "BCD")
        (key, _), (lost, value) = trial.draw(self.some_keys(2)), trial.draw(self.some_values(2))
        dead, loader = Loader(lost, held=True), Loader(value, held=True)
        holder = asyncio.create_task(a.get_or_set(key, dead))
        await self.settle(dead)
        await trial.raw.cut_off(raw)
        trial.history.note("A is cut off")
        waiting = [asyncio.create_task(cache.get_or_set(key, loader)) for cache in others]
        await self.settle()
        expect("loads while the lease lasts", loader.begun, 0)
        stalled = await self._watched(2 * self.lease)
        if not stalled:
            expect("loads once the lease was over", loader.begun, 1)
        dead.let_go()
        await asyncio.gather(holder, return_exceptions=True)
        loader.let_go()
        expect("what those who waited got", await asyncio.gather(*waiting), [value] * len(waiting))
        await self.all_get(trial, others, key, value, "in the end")

    async def _watched(self, seconds: float) -> bool:
        # Whether, in so many seconds, everything stood still for so long that a lease could run out that is held.
        loop = asyncio.get_running_loop()
        stalled, end, step = False, loop.time() + seconds, 0.05 * self.lease
        while (now := loop.time()) < end:
            await asyncio.sleep(step)
            stalled |= loop.time() - now > 5 * step
        return stalled
