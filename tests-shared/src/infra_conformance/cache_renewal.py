"""What a cache promises of renewal: old values at once and within their bound, and one load in the background."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from hypothesis import strategies as st

from infra_conformance.cache_loading import FORGET, Loader, LoadingChecks
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect, expect_one_of, refused
from infra_protocols.cache import CacheProvider
from infra_protocols.errors import ValidationError

BOUNDS: Final = (
    (4, 4, 3, True),
    (4, 4, 5, False),
    (4, 2, 1, True),
    (4, 2, 3, False),
    (2, 4, 3, False),
    (0, 4, 1, False),
    (4, 0, 1, False),
    (math.inf, 4, 3, True),
    (4, math.inf, 3, True),
)
"""The stale that is loaded with, the one asked for, how long after the end, all in ticks; and whether it is served."""
BAD_BOUNDS: Final[tuple[Any, ...]] = (-1, -0.001, math.nan, -math.inf, "1", None)
ALWAYS: Final = 1e12
"""As `early` it makes it time from the beginning, but for a chance in billions."""


class RenewalChecks[T](LoadingChecks[T]):
    """
    The checks of `stale` and `early`.

    Type parameters:
        T: the values of the cache.
    """

    supports_renewal: ClassVar[bool] = True
    """Whether `get_or_set` heeds `stale` and `early`; where values have no time to live, it cannot."""

    async def at_once[V](self, what: str, call: Awaitable[V], want: V) -> None:
        """
        See that `call` returns `want` without waiting for a load that is held up.

        Type parameters:
            V: what it returns.
        """
        task = asyncio.ensure_future(call)
        await asyncio.wait((task,), timeout=2 * self.tick)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            raise Broken(ConformanceMessages.WAITED.format(what=what))
        expect(what, await task, want)

    async def until(self, what: str, get: Callable[[], Awaitable[object]], want: object) -> None:
        """Wait for `get` to return `want`, as what runs in the background will have it sooner or later."""
        for _ in range(50):
            if await get() == want:
                return
            await self.settle()
        expect(what, await get(), want)

    async def begun(self, loader: Loader[T], times: int = 1) -> None:
        """See that `loader` runs, and has not been run more often."""

        async def get() -> int:
            return loader.begun

        await self.until("how often the loader ran", get, times)
        await self.settle()
        expect("how often the loader ran", loader.begun, times)

    async def ended(self, loader: Loader[T]) -> None:
        """Wait until `loader` has ended, and what it brought has landed if it ever does."""

        async def get() -> int:
            return loader.ended

        await self.until("how many loads have ended", get, loader.begun)
        await self.settle()

    async def past_its_end(self, trial: Trial[CacheProvider[T]], keys: list[str], value: T) -> None:
        """Load `value` under `keys`, tagged red and blue and for long to be had as stale, and let its time be over."""
        for key in keys:
            await trial.subject.get_or_set(
                key, Loader(value), ttl=1 * self.tick, tags=["red", "blue"], stale=90 * self.tick
            )
        await trial.elapse(2 * self.tick)

    def renewed(self, cache: CacheProvider[T], key: str, loader: Loader[T]) -> Awaitable[T]:
        """Get the value of `key`, old or not; the next one lasts."""
        return cache.get_or_set(key, loader, ttl=90 * self.tick, tags=["red", "blue"], stale=90 * self.tick)

    @check("cache-50", validates="6.1", requires="supports_renewal")
    async def test_stale(self, trial: Trial[CacheProvider[T]]) -> None:
        """With stale, a value past its end is returned at once while the loader renews it, and then the new one is."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader = Loader(new, held=True)
        await self.past_its_end(trial, [key], old)
        await self.at_once("get_or_set with stale", self.renewed(cache, key, loader), old)
        await self.begun(loader)
        await self.at_once("get_or_set while it is renewed", self.renewed(cache, key, loader), old)
        loader.let_go()
        await self.until("get after the renewal", lambda: cache.get(key), new)
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-51", validates="6.1", requires="supports_renewal")
    async def test_stale_bound(self, trial: Trial[CacheProvider[T]]) -> None:
        """What bounds stale is the smaller of what the value was loaded with and what is asked; unasked, none is."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        kept, asked, after, served = trial.draw(st.sampled_from(BOUNDS))
        await cache.get_or_set(key, Loader(old), ttl=2 * self.tick, stale=kept * self.tick)
        await trial.elapse((2 + after) * self.tick)
        found = await cache.get_or_set(key, Loader(new), ttl=90 * self.tick, stale=asked * self.tick)
        expect(f"get_or_set with stale, {after} ticks after the end", found, old if served else new)
        await self.until("get after the renewal", lambda: cache.get(key), new)

    @check("cache-52", validates="6.1 6.2", requires="supports_renewal")
    async def test_stale_is_invisible(self, trial: Trial[CacheProvider[T]]) -> None:
        """What is past its end can be had as stale by get_or_set and seen nowhere else, and looking leaves it there."""
        cache, (key, deleted, unseen) = trial.subject, trial.draw(self.some_keys(3))
        old, new = trial.draw(self.some_values(2))
        await self.past_its_end(trial, [key, deleted, unseen], old)
        expect("get", await cache.get(key), None)
        expect("get_entry", await cache.get_entry(key), None)
        expect("exists", await cache.exists(key), False)
        expect("get_many", await cache.get_many([key]), {})
        expect_one_of("size", cache.stats().size, [0, None])
        expect("delete", await cache.delete(deleted), False)
        expect("get_or_set with stale", await self.renewed(cache, key, Loader(new)), old)
        await self.until("get after the renewal", lambda: cache.get(key), new)
        expect_one_of("entries that the tag removed", await cache.invalidate_by_tag("red"), [1, None])

    @check("cache-53", validates="6.1", requires="supports_renewal")
    async def test_one_renewal(self, trial: Trial[CacheProvider[T]]) -> None:
        """However many ask, a value is renewed once, and who cannot be served with the old one waits for that load."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, count = Loader(new, held=True), trial.draw(st.integers(2, 20))
        await self.past_its_end(trial, [key], old)
        served = asyncio.gather(*(self.renewed(cache, key, loader) for _ in range(count)))
        await self.at_once("what the callers got", served, [old] * count)
        await self.begun(loader)
        strict = [asyncio.create_task(cache.get_or_set(key, loader)) for _ in range(2)]
        await self.settle()
        loader.let_go()
        expect("get_or_set without stale", await asyncio.gather(*strict), [new, new])
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-54", validates="6.1 6.5", requires="supports_renewal")
    async def test_forget_during_renewal(self, trial: Trial[CacheProvider[T]]) -> None:
        """A delete, clear or tag invalidation, during a renewal or before it, wins: neither value is returned again."""
        cache, key, values = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(3))
        how, renewing = trial.draw(st.sampled_from(FORGET)), trial.draw(st.booleans())
        loader = Loader(values[1], held=True)
        await self.past_its_end(trial, [key], values[0])
        if renewing:
            await self.at_once("get_or_set with stale", self.renewed(cache, key, loader), values[0])
            await self.begun(loader)
        await self.forget(cache, key, how)
        loader.let_go()
        await self.ended(loader)
        expect("get after forgetting", await cache.get(key), None)
        expect("get_or_set afterwards", await self.renewed(cache, key, Loader(values[2])), values[2])
        expect("get in the end", await cache.get(key), values[2])

    @check("cache-55", validates="6.1", requires="supports_renewal")
    async def test_set_during_renewal(self, trial: Trial[CacheProvider[T]]) -> None:
        """A set, during a renewal or before it, wins: its value is returned, and is itself none to be had as stale."""
        cache, key, values = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(4))
        loader = Loader(values[1], held=True)
        await self.past_its_end(trial, [key], values[0])
        if trial.draw(st.booleans()):
            await self.at_once("get_or_set with stale", self.renewed(cache, key, loader), values[0])
            await self.begun(loader)
        await cache.set(key, values[2], ttl=4 * self.tick)
        loader.let_go()
        await self.ended(loader)
        expect("get after set", await cache.get(key), values[2])
        await trial.elapse(5 * self.tick)
        expect("get_or_set after its end", await self.renewed(cache, key, Loader(values[3])), values[3])

    @check("cache-56", validates="6.1", requires="supports_renewal")
    async def test_failed_renewal(self, trial: Trial[CacheProvider[T]]) -> None:
        """A renewal that fails leaves the old value, nobody is told but who waits, and the next caller tries again."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        failing, loader = Loader(new, held=True, error=KeyError("lost")), Loader(new, held=True)
        await self.past_its_end(trial, [key], old)
        await self.at_once("get_or_set with stale", self.renewed(cache, key, failing), old)
        await self.begun(failing)
        failing.let_go()
        await self.ended(failing)
        expect("get after the failure", await cache.get(key), None)
        await self.at_once("get_or_set after the failure", self.renewed(cache, key, loader), old)
        await self.begun(loader)
        loader.let_go()
        await self.until("get after the renewal", lambda: cache.get(key), new)

    @check("cache-57", validates="6.1", requires="supports_renewal")
    async def test_early(self, trial: Trial[CacheProvider[T]]) -> None:
        """With a large early, a value that took time to load is renewed before its end, once, while hits go on."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, ttl = Loader(new, held=True), 90 * self.tick

        async def slow() -> T:
            await asyncio.sleep(1 * self.tick)
            return old

        await cache.get_or_set(key, slow, ttl, early=ALWAYS)
        for _ in range(3):
            await self.at_once("get_or_set with early", cache.get_or_set(key, loader, ttl, early=ALWAYS), old)
            await self.begun(loader)
        expect("get while it is renewed", await cache.get(key), old)
        loader.let_go()
        await self.until("get after the renewal", lambda: cache.get(key), new)
        expect("how often the loader ran", loader.begun, 1)

    @check("cache-58", validates="6.1", requires="supports_renewal")
    async def test_not_early(self, trial: Trial[CacheProvider[T]]) -> None:
        """Without early, or long before the end with a small one, nothing is renewed while its time is not over."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader, ttl = Loader(new), 10_000 * self.tick
        loaded, asked = trial.draw(st.sampled_from([(ALWAYS, 0.0), (0.0, 0.0), (1.0, 1.0)]))

        async def slow() -> T:
            await asyncio.sleep(1 * self.tick)
            return old

        await cache.get_or_set(key, slow, ttl, early=loaded)
        for _ in range(2):
            expect("get_or_set before the end", await cache.get_or_set(key, loader, ttl, early=asked), old)
            await self.settle()
        expect("how often the loader ran", loader.begun, 0)

    @check("cache-59", validates="6.1", requires="supports_renewal")
    async def test_closed_during_renewal(self, trial: Trial[CacheProvider[T]]) -> None:
        """A renewal that runs when the cache is closed is cancelled, and nothing is left of it."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        loader = Loader(new, held=True)
        await self.past_its_end(trial, [key], old)
        await self.at_once("get_or_set with stale", self.renewed(cache, key, loader), old)
        await self.begun(loader)

    @check("cache-61", validates="6.1", requires="supports_renewal")
    async def test_renewal_stats(self, trial: Trial[CacheProvider[T]]) -> None:
        """Who is served with an old value is counted as a hit and as stale, and the renewal as a load."""
        cache, key, (old, new) = trial.subject, trial.draw(self.keys()), trial.draw(self.some_values(2))
        await self.past_its_end(trial, [key], old)
        before = cache.stats()
        await self.renewed(cache, key, Loader(new))
        after = cache.stats()
        told = (after.hits - before.hits, after.misses - before.misses, after.stale - before.stale)
        expect("hits, misses and stale", told, (1, 0, 1))
        await self.until("get after the renewal", lambda: cache.get(key), new)
        expect("loads", cache.stats().loads - before.loads, 1)

    @check("cache-62", validates="6.1", requires="supports_renewal")
    async def test_bad_bounds(self, trial: Trial[CacheProvider[T]]) -> None:
        """A stale or early that is below zero, or no number, is a ValidationError before any loader runs."""
        cache, key, loader = trial.subject, trial.draw(self.keys()), Loader(trial.draw(self.values()))
        field, bad = trial.draw(st.sampled_from(["stale", "early"])), trial.draw(st.sampled_from(BAD_BOUNDS))
        refusal = await refused(f"{field}={bad!r}", cache.get_or_set(key, loader, **{field: bad}), ValidationError)
        expect("the field that is named", refusal.field, field)
        expect("how often the loader ran", loader.begun, 0)
