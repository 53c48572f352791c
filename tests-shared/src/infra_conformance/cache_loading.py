"""What a cache promises of `get_or_set`: one load however many wait, safe to cancel, never stale."""

import asyncio
from contextlib import suppress
from types import NoneType
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.store import BAD_TTLS, StoreSuite
from infra_conformance.trial import Broken, Trial, expect, expect_one_of, refused
from infra_protocols.cache import CacheKey, CacheProvider
from infra_protocols.errors import CacheTypeError, LoadCancelledError, LoadCycleError, ValidationError

PATIENCE: Final = 5.0
"""How many seconds a loader is waited for; where time is virtual, they are no time."""
FORGET: Final = ("delete", "delete_many", "clear", "invalidate_by_tag")


class Loader[T]:
    """
    A loader that can be held up, and tells how often it ran.

    Type parameters:
        T: what it loads.

    >>> asyncio.run(Loader(7)())
    7
    """

    def __init__(self, value: T, *, held: bool = False, error: Exception | None = None) -> None:
        self._value = value
        self._error = error
        self._go = asyncio.Event()
        self._running = asyncio.Event()
        if not held:
            self._go.set()
        self.begun: int = 0
        self.ended: int = 0

    def let_go(self) -> None:
        """Let it finish."""
        self._go.set()

    async def running(self, patience: float) -> None:
        """Wait until it runs, for so many seconds at most: whether it ran is for `begun` to tell."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._running.wait(), patience)

    async def __call__(self) -> T:
        """Load."""
        self.begun += 1
        self._running.set()
        try:
            await self._go.wait()
            await asyncio.sleep(0)
            if self._error is not None:
                raise self._error
            return self._value
        finally:
            await asyncio.sleep(0)  # cleaning up takes its time too
            self.ended += 1


class LoadingChecks[T](StoreSuite[str, T]):
    """
    The checks of `get_or_set`.

    Type parameters:
        T: the values of the cache.
    """

    async def settle(self, *loaders: Loader[T]) -> None:
        """Let everything run until it waits, and `loaders` until they run, which may take an engine its time."""
        for loader in loaders:
            await loader.running(PATIENCE)
        await asyncio.sleep(0.1 * self.tick)

    @check("cache-30", validates="6.1")
    async def test_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """What is not there is loaded, kept with ttl and tags, and not loaded again while it is there."""
        cache, key, (value, other) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, later = Loader(value), Loader(other)
        before = cache.stats().loads
        expect("get_or_set", await cache.get_or_set(key, loader, ttl=4 * self.tick, tags=["red"]), value)
        expect("get_or_set again", await cache.get_or_set(key, later), value)
        entry = await cache.get_entry(key)
        expect(
            "tags and ttl of the entry",
            entry and (entry.tags, entry.ttl and float(entry.ttl)),
            (("red",), 4.0 * self.tick),
        )
        expect("how often the loaders ran", (loader.begun, later.begun), (1, 0))
        expect("loads that were counted", cache.stats().loads - before, 1)
        await cache.set(key, other)
        expect("get_or_set after set", await cache.get_or_set(key, loader), other)

    @check("cache-31", validates="6.1")
    async def test_one_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """However many wait for a key, its loader runs once, and all get its value."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        loader, count = Loader(value, held=True), trial.draw(st.integers(2, 20))
        callers = [asyncio.create_task(cache.get_or_set(key, loader)) for _ in range(count)]
        await self.settle(loader)
        loader.let_go()
        expect("what the callers got", await asyncio.gather(*callers), [value] * count)
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-32", validates="6.1")
    async def test_failed_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """What a loader raises reaches every caller as it is, is not kept, and the next caller loads anew."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        loader, count = Loader(value, held=True, error=KeyError("lost")), trial.draw(st.integers(1, 5))
        callers = [asyncio.create_task(cache.get_or_set(key, loader)) for _ in range(count)]
        await self.settle(loader)
        loader.let_go()
        for caller in callers:
            await refused("get_or_set with a loader that fails", caller, KeyError)
        expect("exists after the failure", await cache.exists(key), False)
        expect("get_or_set afterwards", await cache.get_or_set(key, Loader(value)), value)

    @check("cache-33", validates="6.4")
    async def test_loaded_none(self, trial: Trial[CacheProvider[T]]) -> None:
        """A loaded None is kept, and not loaded again."""
        cache, key = trial.subject, CacheKey(trial.draw(self.keys()), NoneType)
        loader = Loader(None)
        await cache.get_or_set(key, loader)
        await cache.get_or_set(key, loader)
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-34", validates="6.1")
    async def test_keys_load_apart(self, trial: Trial[CacheProvider[T]]) -> None:
        """While one key is loaded, another can be loaded, and loaders may use the cache for other keys."""
        cache, (slow, quick, inner) = trial.subject, trial.draw(self.some_keys(3))
        value = trial.draw(self.values())
        held = Loader(value, held=True)
        waiting = asyncio.create_task(cache.get_or_set(slow, held))
        await self.settle(held)

        async def nested() -> T:
            return await cache.get_or_set(inner, Loader(value))

        expect("get_or_set of another key", await cache.get_or_set(quick, nested), value)
        expect("get of the key that a loader loaded", await cache.get(inner), value)
        held.let_go()
        expect("get_or_set of the slow key", await waiting, value)

    @check("cache-35", validates="6.1")
    async def test_some_cancelled(self, trial: Trial[CacheProvider[T]]) -> None:
        """Whichever callers are cancelled, the first included, the others get the value of the one load."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        doomed = trial.draw(st.lists(st.booleans(), min_size=2, max_size=6).filter(lambda some: not all(some)))
        as_it_lands = trial.draw(st.booleans())
        loader = Loader(value, held=True)
        callers = [asyncio.create_task(cache.get_or_set(key, loader)) for _ in doomed]
        await self.settle(loader)
        if as_it_lands:
            loader.let_go()
        for caller, cancel in zip(callers, doomed, strict=True):
            if cancel:
                caller.cancel()
        loader.let_go()
        results = await asyncio.gather(*callers, return_exceptions=True)
        for result, cancel in zip(results, doomed, strict=True):
            if cancel:
                expect("a caller that was cancelled", type(result), asyncio.CancelledError)
            else:
                expect("a caller that was not cancelled", result, value)
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-36", validates="6.1")
    async def test_all_cancelled(self, trial: Trial[CacheProvider[T]]) -> None:
        """When all callers are cancelled so is the loader, which has ended when they have; the next one loads anew."""
        cache, key, (value, other) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, count = Loader(value, held=True), trial.draw(st.integers(1, 4))
        callers = [asyncio.create_task(cache.get_or_set(key, loader)) for _ in range(count)]
        await self.settle(loader)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        expect("how the callers ended", [caller.cancelled() for caller in callers], [True] * count)
        expect("loads begun and ended", (loader.begun, loader.ended), (1, 1))
        expect("exists after the cancelled load", await cache.exists(key), False)
        expect("get_or_set afterwards", await cache.get_or_set(key, Loader(other)), other)

    @swept("cache-37", validates="6.1")
    async def test_interrupted_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """A get_or_set that is interrupted leaves no loader running, and the cache goes on."""
        cache, (key, _), (value, other) = trial.subject, self.fixed_keys(), self.fixed_values()
        loader = Loader(value)
        outcome = await trial.interrupt(cache.get_or_set(key, loader))
        expect("loads that have ended", loader.ended, loader.begun)
        found = await cache.get(key)
        expect_one_of("get", found, [value] if outcome.finished else [value, None])
        expect("get_or_set afterwards", await cache.get_or_set(key, Loader(other)), other if found is None else value)

    @check("cache-38", validates="6.1 6.5")
    async def test_forget_during_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """A delete, clear or tag invalidation during a load wins: what was loaded is not kept."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        stale, fresh = Loader(old, held=True), Loader(new, held=True)
        early = asyncio.create_task(cache.get_or_set(key, stale, tags=["red", "blue"]))
        await self.settle(stale)
        await self.forget(cache, key, trial.draw(st.sampled_from(FORGET)))
        expect("get after forgetting", await cache.get(key), None)
        late = asyncio.create_task(cache.get_or_set(key, fresh, tags=["red"]))
        await self.settle(fresh)
        first, second = (stale, fresh) if trial.draw(st.booleans()) else (fresh, stale)
        first.let_go()
        await self.settle()
        second.let_go()
        expect("what the caller from before got", await early, old)
        expect("what the caller from afterwards got", await late, new)
        expect("get in the end", await cache.get(key), new)

    async def forget(self, cache: CacheProvider[T], key: str, how: str) -> None:
        """Have the cache forget `key` in the way named."""
        match how:
            case "delete_many":
                await cache.delete_many([key])
            case "clear":
                await cache.clear()
            case "invalidate_by_tag":
                await cache.invalidate_by_tag("blue")
            case _:
                await cache.delete(key)

    def maybe_ttl(self) -> st.SearchStrategy[float | None]:
        """Return a strategy of long times to live, or none."""
        return st.sampled_from([None, 60.0 * self.tick] if self.supports_ttl else [None])

    @check("cache-39", validates="6.1")
    async def test_set_during_load(self, trial: Trial[CacheProvider[T]]) -> None:
        """A set during a load wins: it is what get returns, then and after the load."""
        cache, key, (loaded, given) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, many, ttl = Loader(loaded, held=True), trial.draw(st.booleans()), trial.draw(self.maybe_ttl())
        if self.supports_ttl and trial.draw(st.booleans()):
            # What is left of an entry that is over must not make the set another one.
            await cache.set(key, given, 1.0 * self.tick)
            await trial.elapse(2 * self.tick)
        early = asyncio.create_task(cache.get_or_set(key, loader))
        await self.settle(loader)
        await (cache.set_many({key: given}, ttl) if many else cache.set(key, given, ttl))
        expect("get_or_set after set", await cache.get_or_set(key, Loader(loaded)), given)
        loader.let_go()
        expect("what the caller from before got", await early, loaded)
        expect("get after the load", await cache.get(key), given)

    @check("cache-40", validates="6.1")
    async def test_load_cycle(self, trial: Trial[CacheProvider[T]]) -> None:
        """A loader that waits for its own key, itself or through others, is a LoadCycleError, not a deadlock."""
        cache, keys = trial.subject, trial.draw(self.some_keys(3))
        length, value = trial.draw(st.integers(1, 3)), trial.draw(self.values())
        ring = dict(zip(keys[:length], keys[1:length] + keys[:1], strict=True))

        async def load(key: str) -> T:
            await asyncio.sleep(0)
            return await cache.get_or_set(ring[key], lambda: load(ring[key]))

        together = trial.draw(st.booleans())
        calls = [cache.get_or_set(key, lambda key=key: load(key)) for key in (ring if together else keys[:1])]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            expect("what a caller of the cycle got", type(outcome), LoadCycleError)
        expect("get_or_set afterwards", await cache.get_or_set(keys[0], Loader(value)), value)

    @check("cache-41", validates="6.1")
    async def test_loader_cancelled_inside(self, trial: Trial[CacheProvider[T]]) -> None:
        """A loader that is cancelled by something else is a LoadCancelledError: no caller looks cancelled."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())

        async def cancelled() -> T:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        calls = [cache.get_or_set(key, cancelled) for _ in range(trial.draw(st.integers(1, 3)))]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            expect("what a caller got", type(outcome), LoadCancelledError)
        expect("get_or_set afterwards", await cache.get_or_set(key, Loader(value)), value)

    @check("cache-42", validates="6.1")
    async def test_bad_arguments(self, trial: Trial[CacheProvider[T]]) -> None:
        """A bad ttl or tag is a ValidationError before any loader runs, and a value of a wrong type is not kept."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        loader, bad = Loader(value), trial.draw(st.sampled_from(BAD_TTLS))
        await refused(f"get_or_set with ttl={bad!r}", cache.get_or_set(key, loader, ttl=bad), ValidationError)
        await refused("get_or_set with a text as tags", cache.get_or_set(key, loader, tags="red"), ValidationError)
        expect("how often the loader ran", loader.begun, 0)
        words: CacheKey[Any] = CacheKey(key, list)
        await refused(
            "get_or_set with a loader of another type", cache.get_or_set(words, Loader("text")), CacheTypeError
        )
        expect("exists afterwards", await cache.exists(key), False)

    @check("cache-43", validates="6.1", requires="supports_ttl")
    async def test_ttl_from_landing(self, trial: Trial[CacheProvider[T]]) -> None:
        """The ttl of a loaded value counts from when the load is over."""
        cache, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())

        async def slow() -> T:
            await asyncio.sleep(5 * self.tick)
            return value

        await cache.get_or_set(key, slow, ttl=3 * self.tick)
        await trial.elapse(2 * self.tick)
        expect("get before the end", await cache.get(key), value)
        await trial.elapse(2 * self.tick)
        expect("get after the end", await cache.get(key), None)

    @check("cache-44", validates="6.1 6.5")
    async def test_never_stale(self, trial: Trial[CacheProvider[T]]) -> None:
        """A read that begins after a write was followed by an invalidation never returns what was there before it."""
        cache, key, values = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(5))
        how = trial.draw(st.sampled_from(FORGET))
        naps = st.lists(st.integers(0, 6), min_size=4, max_size=4)
        pauses = trial.draw(st.tuples(naps, naps, naps))
        version = 0  # what the source holds
        settled = 0  # what every read that begins now must see, or something newer

        async def nap(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        async def write(turns: list[int]) -> None:
            nonlocal version, settled
            for pause in turns:
                await nap(pause)
                version += 1
                await nap(1)
                await self.forget(cache, key, how)
                settled = version

        async def read(turns: list[int]) -> None:
            for pause in turns:
                await nap(pause)
                oldest = settled

                async def load(pause: int = pause) -> T:
                    seen = values[version]
                    await nap(pause + 1)
                    return seen

                found = await cache.get_or_set(key, load, tags=["blue"])
                if values.index(found) < oldest:
                    message = ConformanceMessages.EXPECTED.format(
                        what="get_or_set", want=f"{values[oldest]!r} or newer", got=repr(found)
                    )
                    raise Broken(message)

        await trial.together(W=write(pauses[0]), A=read(pauses[1]), B=read(pauses[2]))
