"""A correct `CacheProvider`, as plain as can be: the gallery's faults are made from it."""

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from infra_conformance.gallery.fault import Fault
from infra_protocols.cache import CacheEntry, CacheKey, CacheStats
from infra_protocols.clock import Clock
from infra_protocols.errors import CacheTypeError, ValidationError
from infra_protocols.flight import Flight, detached
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_range, require_text, require_type

type AnyKey = str | CacheKey[Any]
type Load = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept under a key."""

    value: Any
    tags: tuple[str, ...]
    ttl: float | None
    created: float
    stale: float = 0.0
    """For how many seconds after its end it may be returned."""
    took: float = 0.0
    """How many seconds it took to load, where it may be renewed early."""

    @property
    def end(self) -> float:
        """When its time is over."""
        return math.inf if self.ttl is None else self.created + self.ttl


class MemoryCache:
    """
    A correct `CacheProvider[int]`, without bounds and without haste.

    >>> import asyncio
    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryCache(SystemClock()).get("k")) is None
    True
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.data: dict[str, Kept] = {}
        self.counted: CacheStats = CacheStats()
        self.flight: Flight[str, Any] = Flight()
        self.loading: dict[str, tuple[str, ...]] = {}
        self.wanted: dict[str, tuple[float, float]] = {}
        self.renewals: set[asyncio.Task[Any]] = set()

    # -- What the faults change, in small pieces.

    def name(self, key: str | CacheKey[Any]) -> str:
        """Return where `key` is kept."""
        return key.name if isinstance(key, CacheKey) else or_raise(require_text(key, "key"))

    def good_ttl(self, ttl: float | None) -> float | None:
        """Return the ttl to keep, `None` for ever."""
        return None if ttl is None or or_raise(require_range(ttl, "ttl", above=0)) == math.inf else ttl

    def good_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the tags to keep."""
        if isinstance(tags, str) or not isinstance(cast("object", tags), Iterable):
            raise ValidationError(ErrorMessages.VALIDATION_WRONG_KIND.format(field="tags", expected="several texts"))
        return tuple(or_raise(require_text(tag, "tag")) for tag in tags)

    def good_bounds(self, stale: float, early: float) -> tuple[float, float]:
        """Return for how long a value may be stale, and how early it may be renewed."""
        most = math.nextafter(math.inf, 0.0)
        return or_raise(require_range(stale, "stale", min=0)), or_raise(require_range(early, "early", min=0, max=most))

    def good_value(self, key: str | CacheKey[Any], value: Any) -> Any:
        """Return the value to keep."""
        return or_raise(require_type(value, "value", key.type)) if isinstance(key, CacheKey) else value

    def alive(self, kept: Kept) -> bool:
        """Say whether the time of an entry is not over."""
        return self.clock.monotonic() < kept.end

    def look(self, key: str | CacheKey[Any]) -> Kept | None:
        """Return what is visible under `key`, of the type that a typed key says."""
        kept = self.data.get(self.name(key))
        if kept is None or not self.alive(kept):
            return None
        if isinstance(key, CacheKey) and not isinstance(kept.value, key.type):
            message = ErrorMessages.CACHE_WRONG_TYPE.format(
                key=key.name, expected=key.type.__name__, kind=type(kept.value).__name__
            )
            raise CacheTypeError(message)
        return kept

    def at_hand(self, kept: Kept, stale: float) -> bool:
        """Say whether what is over may be returned all the same."""
        return kept.end <= self.clock.monotonic() < kept.end + min(stale, kept.stale)

    def due(self, kept: Kept, early: float) -> bool:
        """Say whether what is not over is to be renewed."""
        return self.clock.monotonic() - kept.took * early * math.log(1 - random.random()) >= kept.end

    def count(self, *, hit: bool, stale: bool = False) -> None:
        """Count a lookup."""
        counted = self.counted
        self.counted = replace(
            counted, hits=counted.hits + hit, misses=counted.misses + (not hit), stale=counted.stale + stale
        )

    def find(self, key: str | CacheKey[Any]) -> Kept | None:
        """Look, and count the lookup."""
        kept = self.look(key)
        self.count(hit=kept is not None)
        return kept

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        """Keep a value."""
        self.data[name] = Kept(value, tags, ttl, self.clock.monotonic())

    def forget(self, name: str) -> None:
        """Have a load that is on its way not land."""
        self.flight.forget(name)

    def remove(self, name: str) -> bool:
        """Remove what is under `name`, and say whether it was visible."""
        kept = self.data.pop(name, None)
        self.forget(name)
        return kept is not None and self.alive(kept)

    # -- The port.

    async def get(self, key: str | CacheKey[Any]) -> Any:
        """Return the value."""
        kept = self.find(key)
        return None if kept is None else kept.value

    async def get_entry(self, key: str | CacheKey[Any]) -> CacheEntry[Any] | None:
        """Return the entry."""
        kept = self.find(key)
        if kept is None:
            return None
        created = self.clock.now() - timedelta(seconds=self.clock.monotonic() - kept.created)
        ends = None if kept.ttl is None else created + timedelta(seconds=kept.ttl)
        return CacheEntry(self.name(key), kept.value, created, kept.ttl, ends, kept.tags)

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        """Say whether there is an entry."""
        return self.look(self.name(key)) is not None

    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None:
        """Keep a value without tags."""
        await self.set_with_tags(key, value, (), ttl)

    async def set_with_tags(
        self, key: str | CacheKey[Any], value: Any, tags: Iterable[str], ttl: float | None = None
    ) -> None:
        """Keep a value with tags."""
        name, value, ttl, tags = self.name(key), self.good_value(key, value), self.good_ttl(ttl), self.good_tags(tags)
        self.forget(name)
        self.keep(name, value, ttl, tags)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return what there is."""
        names = [self.name(key) for key in keys]
        found = {name: self.find(name) for name in names}
        return {name: kept.value for name, kept in found.items() if kept is not None}

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep several values."""
        ttl, tags = self.good_ttl(ttl), self.good_tags(tags)
        for name in [self.name(key) for key in items]:
            self.forget(name)
            self.keep(name, items[name], ttl, tags)

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        """Remove a value."""
        return self.remove(self.name(key))

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove several values."""
        return sum([self.remove(name) for name in [self.name(key) for key in keys]])

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove what has the tag."""
        or_raise(require_text(tag, "tag"))
        for name, tags in self.loading.items():
            if tag in tags:
                self.forget(name)
        gone = sum([self.remove(name) for name, kept in list(self.data.items()) if tag in kept.tags])
        self.counted = replace(self.counted, invalidations=self.counted.invalidations + gone)
        return gone

    async def clear(self) -> None:
        """Remove everything."""
        self.data.clear()
        self.flight.clear()

    def stats(self) -> CacheStats:
        """Return the counts."""
        return replace(self.counted, size=sum(map(self.alive, self.data.values())))

    async def get_or_set(
        self,
        key: str | CacheKey[Any],
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> Any:
        """Return the value, loading it where there is none, and renewing it where it is time."""
        name, ttl, tags = self.name(key), self.good_ttl(ttl), self.good_tags(tags)
        stale, early = self.good_bounds(stale, early)
        kept, old = self.look(key), self.data.get(name)
        if name not in self.flight:
            self.wanted[name] = stale, early
        if kept is not None:
            self.count(hit=True)
            if self.due(kept, early):
                await self.renew(name, self.load(name, key, loader, ttl, tags))
            return kept.value
        if old is not None and self.at_hand(old, stale):
            self.count(hit=True, stale=True)
            await self.renew(name, self.load(name, key, loader, ttl, tags))
            return old.value
        self.count(hit=False)
        return await self.load(name, key, loader, ttl, tags)

    async def renew(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        """Have a load run in the background, unless one is on its way."""
        if name in self.flight:
            load.close()
            return
        task = detached(self.quietly(name, load))
        self.renewals.add(task)
        task.add_done_callback(self.renewals.discard)

    async def quietly(self, name: str, load: Coroutine[Any, Any, Any]) -> None:
        """Renew what is under `name`, which stays if that fails."""
        with suppress(Exception):
            await load

    async def close(self) -> None:
        """End what runs in the background."""
        for task in (running := list(self.renewals)):
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def load(
        self,
        name: str,
        key: str | CacheKey[Any],
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None,
        tags: tuple[str, ...],
    ) -> Any:
        """Load the value of a key."""
        took = 0.0
        stale, early = self.wanted.get(name, (0.0, 0.0))

        async def load() -> Any:
            nonlocal took
            self.counted = replace(self.counted, loads=self.counted.loads + 1)
            began = self.clock.monotonic()
            try:
                value = await loader()
            finally:
                took = self.clock.monotonic() - began
                self.counted = replace(self.counted, load_seconds=self.counted.load_seconds + took)
            if isinstance(key, CacheKey) and not isinstance(value, key.type):
                message = ErrorMessages.CACHE_WRONG_TYPE.format(
                    key=name, expected=key.type.__name__, kind=type(value).__name__
                )
                raise CacheTypeError(message)
            return value

        def land(value: Any) -> None:
            self.keep(name, value, ttl, tags)
            self.data[name] = replace(self.data[name], stale=stale, took=took if early else 0.0)

        self.loading[name] = tags
        return await self.flight.run(name, load, land)


def faulty(subject: type[MemoryCache], *caught_by: str) -> Fault:
    """Return the fault of a cache, and the numbers of the checks that must catch it."""

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[MemoryCache]:
        cache = subject(clock)
        yield cache
        await cache.close()

    return Fault(make, subject.__name__, frozenset(f"cache-{number}" for number in caught_by))
