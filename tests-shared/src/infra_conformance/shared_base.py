"""What is checked of caches that share an engine, and what all those checks work with."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, ClassVar, Final

from hypothesis import strategies as st

from infra_conformance.cache_loading import PATIENCE, Loader
from infra_conformance.history import recorded
from infra_conformance.store import ALIKE
from infra_conformance.suite import Suite
from infra_conformance.trial import Trial, different, expect
from infra_protocols.cache import CacheProvider

NAMESPACE: Final = "shared"
STALL: Final = 2.0
"""For how many seconds a machine may be too busy to tell what has changed, where time is real and there is a lag."""
CHANGES: Final = ("set", "set_with_tags", "set_many", "delete", "delete_many", "invalidate_by_tag", "clear")


class SharedCaches[T](ABC):
    """
    Caches over the same data, each as if in a process of its own: what `SharedCacheSuite` checks.

    Type parameters:
        T: the values of the caches.
    """

    @abstractmethod
    async def cache(self, namespace: str = NAMESPACE) -> CacheProvider[T]:
        """Return a new cache of `namespace`, with a connection of its own, to be closed with the subject."""

    async def forget_tags(self, namespace: str = NAMESPACE) -> None:
        """Have the engine lose what it knows of the tags of `namespace`, as when it is short of memory."""
        raise NotImplementedError

    async def cut_off(self, cache: CacheProvider[T]) -> None:
        """Let nothing that `cache` does reach the engine any more, as if its process had died."""
        raise NotImplementedError


class SharedChecks[T](Suite[SharedCaches[T]]):
    """
    The base of the checks of caches that share an engine.

    Type parameters:
        T: the values of the caches.
    """

    lag: ClassVar[float] = 0.0
    """
    Within how many seconds a change by one cache is seen by all others; 0 where each asks the engine every time.

    With real time, a machine that is busy may take longer: it is waited for, and what was seen once must stay.
    """
    supports_one_loader: ClassVar[bool] = False
    """Whether of all caches of a namespace only one loads a key at a time, while the others wait for it."""
    can_cut_off: ClassVar[bool] = False
    """Whether the subject has `cut_off`, with one loader."""
    lease: ClassVar[float] = 10.0
    """For how many seconds one that was cut off while it loaded is waited for."""
    can_forget_tags: ClassVar[bool] = False
    """Whether the subject has `forget_tags`."""

    def values(self) -> st.SearchStrategy[T]:
        """Return a strategy of values; it must know a few different ones, and none of them is `None`."""
        numbers: Any = st.integers(-(2**31), 2**31)
        return numbers

    def some_values(self, count: int) -> st.SearchStrategy[list[T]]:
        """Return a strategy of `count` different values."""
        return different(self.values(), count)

    def some_keys(self, count: int) -> st.SearchStrategy[list[str]]:
        """Return a strategy of `count` different keys."""
        return st.lists(st.sampled_from(ALIKE), min_size=count, max_size=count, unique=True)

    def some_naps(self, most: int) -> st.SearchStrategy[list[int]]:
        """Return a strategy of pauses for `nap`, at least one."""
        return st.lists(st.integers(0, 8), min_size=1, max_size=most)

    async def caches(
        self, trial: Trial[SharedCaches[T]], names: str, namespace: str = NAMESPACE
    ) -> list[CacheProvider[T]]:
        """Return a new cache for each of `names`, a letter each, with its calls recorded under that."""
        return [recorded(await trial.raw.cache(namespace), trial.history, name) for name in names]

    async def newcomer(self, trial: Trial[SharedCaches[T]]) -> CacheProvider[T]:
        """Return a new cache, which knows nothing yet but what it asks the engine."""
        return recorded(await trial.raw.cache(), trial.history, "new")

    async def change(self, cache: CacheProvider[T], how: str, key: str, value: T) -> T | None:
        """Change what is under `key` and tagged red, in one way of `CHANGES`, and return what is there then."""
        match how:
            case "set":
                await cache.set(key, value)
            case "set_with_tags":
                await cache.set_with_tags(key, value, ["red"])
            case "set_many":
                await cache.set_many({key: value}, tags=["red"])
            case "delete":
                await cache.delete(key)
            case "delete_many":
                await cache.delete_many([key])
            case "invalidate_by_tag":
                await cache.invalidate_by_tag("red")
            case _:
                await cache.clear()
        return value if how.startswith("set") else None

    async def told(self, trial: Trial[SharedCaches[T]]) -> None:
        """Let what was changed so far be seen by all."""
        if self.lag:
            await trial.elapse(self.lag + self.slack)

    async def sees(self, what: str, look: Callable[[], Awaitable[object]], want: object) -> None:
        """See that `look` returns `want`, now that it was told."""
        late = asyncio.get_running_loop().time() + STALL
        got = await look()
        while self.lag and self.real_time and got != want and asyncio.get_running_loop().time() < late:
            await asyncio.sleep(0.1 * self.tick)
            got = await look()
        expect(what, got, want)

    async def all_get(
        self, trial: Trial[SharedCaches[T]], caches: Iterable[CacheProvider[T]], key: str, want: T | None, when: str
    ) -> None:
        """See that every cache, and one that is new, has `want` under `key` once it was told, and for good."""
        await self.told(trial)
        everyone = [*caches, await self.newcomer(trial)]
        for cache in everyone:
            await self.sees(f"get {when}", partial(cache.get, key), want)
        await self.told(trial)
        for cache in everyone:
            expect(f"get {when}, again", await cache.get(key), want)

    async def nap(self, turns: int) -> None:
        """Let the others go on for a moment, which is about as long as `turns` half ways to the engine."""
        if self.real_time:
            await asyncio.sleep(turns * self.tick / 1000)
            return
        for _ in range(turns):
            await asyncio.sleep(0)

    async def settle(self, *loaders: Loader[T]) -> None:
        """Let everything run until it waits, and `loaders` until they run, which may take an engine its time."""
        for loader in loaders:
            await loader.running(PATIENCE)
        await asyncio.sleep(0.1 * self.tick)
