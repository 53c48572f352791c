"""Correct caches that share an engine, as plain as can be: the gallery's faults are made from them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from infra_conformance.gallery.memory_store import trip
from infra_conformance.gallery.shared_engine import LEASE, Engine, Far
from infra_conformance.shared_base import NAMESPACE, SharedCaches
from infra_protocols.cache import CacheEntry, CacheKey, CacheStats
from infra_protocols.clock import Clock
from infra_protocols.flight import Flight

type AnyKey = str | CacheKey[Any]


class FarCache:
    """A cache that asks the engine each time."""

    def __init__(self, engine: Engine, namespace: str, *, one_loader: bool = True) -> None:
        self.engine = engine
        self.namespace = namespace
        self.one_loader = one_loader
        self.flight: Flight[Any, Any] = Flight()
        self.cut = False

    def name(self, key: AnyKey) -> str:
        """Return the name of a key."""
        return key.name if isinstance(key, CacheKey) else key

    def place(self, key: AnyKey) -> str:
        """Return where `key` is in the engine."""
        return self.engine.place(self.namespace, self.name(key))

    async def ask[R](self, step: Callable[[], R]) -> R:
        """Go to the engine, have it do something, and come back."""
        for _ in range(next(self.engine.paces)):
            await trip()
        if self.cut:
            raise ConnectionResetError
        answer = step()
        for _ in range(next(self.engine.paces)):
            await trip()
        return answer

    async def find(self, key: AnyKey) -> Far | None:
        """Return the entry under `key`."""
        place = self.place(key)
        return await self.ask(lambda: self.engine.look(place))

    # -- The port.

    async def get(self, key: AnyKey) -> Any:
        """Return the value."""
        far = await self.find(key)
        return None if far is None else far.value

    async def get_entry(self, key: AnyKey) -> CacheEntry[Any] | None:
        """Return the entry."""
        far = await self.find(key)
        if far is None:
            return None
        clock = self.engine.clock
        created = clock.now() - timedelta(seconds=clock.monotonic() - far.created)
        ends = None if far.ttl is None else created + timedelta(seconds=far.ttl)
        return CacheEntry(self.name(key), far.value, created, far.ttl, ends, far.tags)

    async def exists(self, key: AnyKey) -> bool:
        """Say whether there is an entry."""
        return await self.find(key) is not None

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return what there is."""
        found = {key: await self.find(key) for key in keys}
        return {key: far.value for key, far in found.items() if far is not None}

    async def set(self, key: AnyKey, value: Any, ttl: float | None = None) -> None:
        """Keep a value without tags."""
        await self.set_with_tags(key, value, (), ttl)

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        """Keep a value with tags."""
        await self.set_many({self.name(key): value}, ttl, tags)

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep several values."""
        tags = tuple(tags)
        await self.ask(lambda: [self.engine.keep(self.namespace, *item, ttl, tags) for item in items.items()])

    async def delete(self, key: AnyKey) -> bool:
        """Remove a value."""
        return await self.delete_many([self.name(key)]) > 0

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove several values."""
        places = [self.place(key) for key in keys]
        return await self.ask(lambda: sum([self.engine.remove(place) for place in places]))

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove what has the tag."""
        return await self.ask(lambda: self.engine.invalidate(self.namespace, tag))

    async def clear(self) -> None:
        """Remove everything."""
        await self.ask(lambda: self.engine.clear(self.namespace))

    def stats(self) -> CacheStats:
        """Return nothing that was counted."""
        return CacheStats()

    async def get_or_set(
        self,
        key: AnyKey,
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> Any:
        """Return the value, loading it where there is none."""
        name, tags = self.name(key), tuple(tags)
        while True:
            lease, versions, taken = await self.ask(lambda: self.engine.begin(self.namespace, name, tags))
            if not lease.leased:
                return lease.value
            if not taken or not self.one_loader or self.joins(name, lease) in self.flight:
                loaded = Far(None, 0, versions, tags, ttl, 0.0)
                return await self.flight.run(self.joins(name, lease), self.load, None, name, loader, lease, loaded)
            await asyncio.sleep(0.5)

    def joins(self, name: str, lease: Far) -> object:
        """Return what tells a load from another."""
        return name, lease.token

    async def load(self, name: str, loader: Callable[[], Awaitable[Any]], lease: Far, loaded: Far) -> Any:
        """Load under a lease."""
        place, kept = self.place(name), False
        holding = asyncio.get_running_loop().create_task(self.hold(place, lease))
        try:
            value = await loader()
            await self.ask(lambda: self.engine.fill(place, lease, replace(loaded, value=value)))
            kept = True
        finally:
            holding.cancel()
            if not kept:
                await self.release(place, lease)
        return value

    async def release(self, place: str, lease: Far) -> None:
        """Have the next one load at once; without one loader, others may be loading under the same lease."""
        if self.one_loader:
            with suppress(ConnectionResetError):
                await self.ask(lambda: self.engine.release(place, lease))

    async def hold(self, place: str, lease: Far) -> None:
        """Hold a lease until it is needed no longer."""
        while True:
            await asyncio.sleep(LEASE / 3)
            if not self.cut:
                self.engine.hold(place, lease)


class NearCache(FarCache):
    """A cache that keeps what it has read, until it is told that this has changed."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        super().__init__(engine, namespace)
        self.copies: dict[str, Far] = {}
        self.changes: int = 0
        self.changing: int = 0
        engine.near.append(self)

    def on_change(self, place: str) -> None:
        """Drop what is kept near of `place`."""
        self.changes += 1
        self.copies.pop(place, None)

    def on_invalidation(self, tag: str) -> None:
        """Drop what has a tag."""
        self.changes += 1
        for place in [place for place, far in self.copies.items() if tag in dict(far.versions)]:
            del self.copies[place]

    def keep_near(self, place: str, far: Far, changes: int) -> None:
        """Keep what was read near, unless something has changed since the read began."""
        if changes == self.changes and not self.changing:
            self.copies[place] = far

    async def find(self, key: AnyKey) -> Far | None:
        """Look near, then far."""
        place = self.place(key)
        copy = self.copies.get(place)
        if copy is not None and self.engine.clock.monotonic() < copy.end:
            return copy
        changes = self.changes
        far = await super().find(key)
        if far is not None:
            self.keep_near(place, far, changes)
        return far

    async def get_or_set(
        self,
        key: AnyKey,
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> Any:
        """Look near, then far."""
        far = await self.find(key)
        return await super().get_or_set(key, loader, ttl, tags) if far is None else far.value

    async def own[R](self, change: Awaitable[R], drop: Callable[[], object]) -> R:
        """Change something, keeping nothing near meanwhile that it may concern."""
        self.changing += 1
        try:
            drop()
            return await change
        finally:
            drop()
            self.changing -= 1

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep several values."""
        await self.own(super().set_many(items, ttl, tags), lambda: self.drop(items))

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove several values."""
        keys = list(keys)
        return await self.own(super().delete_many(keys), lambda: self.drop(keys))

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove what has the tag."""
        place = self.place(tag)
        return await self.own(super().invalidate_by_tag(tag), lambda: self.on_invalidation(place))

    async def clear(self) -> None:
        """Remove everything."""
        await self.own(super().clear(), lambda: self.drop(list(self.copies)))

    def drop(self, keys: Iterable[str]) -> None:
        """Drop what one changes oneself."""
        for key in keys:
            self.on_change(key if key in self.copies else self.place(key))


class SharedMemory(SharedCaches[int]):
    """
    Caches over one engine.

    >>> from infra_protocols import SystemClock
    >>> async def main() -> int | None:
    ...     shared = SharedMemory(Engine(SystemClock()), FarCache)
    ...     await (await shared.cache()).set("k", 1)
    ...     return await (await shared.cache()).get("k")
    >>> asyncio.run(main())
    1
    """

    def __init__(self, engine: Engine, cache: Callable[[Engine, str], FarCache]) -> None:
        self.engine = engine
        self.make = cache

    async def cache(self, namespace: str = NAMESPACE) -> FarCache:
        """Return a new cache."""
        return self.make(self.engine, namespace)

    async def forget_tags(self, namespace: str = NAMESPACE) -> None:
        """Lose the versions."""
        self.engine.lose_tags(namespace)

    async def cut_off(self, cache: Any) -> None:
        """Let it reach the engine no more."""
        cache.cut = True


@asynccontextmanager
async def shared(
    clock: Clock, *, engine: type[Engine] = Engine, cache: Callable[[Engine, str], FarCache] = FarCache
) -> AsyncGenerator[SharedMemory]:
    """Make caches over one engine."""
    yield SharedMemory(engine(clock), cache)
