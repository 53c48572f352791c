"""Caches that are wrong about loading."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from infra_conformance.gallery.memory_cache import AnyKey, Kept, Load, MemoryCache, faulty
from infra_protocols.clock import Clock
from infra_protocols.errors import LoadCancelledError


class LoadsAnew(MemoryCache):
    """It loads what is there."""

    async def get_or_set(
        self, key: AnyKey, loader: Load, ttl: float | None = None, tags: Iterable[str] = (), **more: float
    ) -> Any:
        return await self.load(self.name(key), key, loader, self.good_ttl(ttl), self.good_tags(tags))


class LoadsWithoutTags(MemoryCache):
    """It keeps what it loaded without the tags."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        return await super().load(name, key, loader, ttl, ())


class EachLoadsAlone(MemoryCache):
    """It has every caller run the loader."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        value = await loader()
        self.keep(name, value, ttl, tags)
        return value


class KeepsFailures(MemoryCache):
    """It keeps that a load failed."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except KeyError:
            self.keep(name, None, ttl, tags)
            raise


class HidesFailures(MemoryCache):
    """It answers None when a load fails."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except KeyError:
            return None


class OneLoadAtATime(MemoryCache):
    """It holds one lock for all keys while it loads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.lock: asyncio.Lock = asyncio.Lock()

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        async with self.lock:
            return await super().load(name, key, loader, ttl, tags)


class FirstCallerLoads(MemoryCache):
    """It runs the loader in the first caller, whose cancellation is everybody's; nobody sees a cycle."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.running: dict[str, asyncio.Future[Any]] = {}

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        if name in self.running:
            return await asyncio.shield(self.running[name])
        future = self.running[name] = asyncio.get_running_loop().create_future()
        try:
            value = await loader()
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:
            future.set_exception(error)
            future.exception()
            raise
        else:
            future.set_result(value)
            self.keep(name, value, ttl, tags)
            return value
        finally:
            del self.running[name]


class LoadsToTheEnd(MemoryCache):
    """It lets a loader run on when nobody waits for it any more."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        return await asyncio.shield(asyncio.ensure_future(super().load(name, key, loader, ttl, tags)))


class LandsAfterDelete(MemoryCache):
    """A delete, or an invalidation, does not reach a load that is on its way."""

    def forget(self, name: str) -> None:
        pass

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        self.flight.forget(self.name(key))
        await super().set_with_tags(key, value, tags, ttl)


class LandsAfterInvalidation(MemoryCache):
    """An invalidation does not reach a load that is on its way."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        self.loading.clear()
        return await super().invalidate_by_tag(tag)


class LandsAfterClear(MemoryCache):
    """A clear does not reach a load that is on its way."""

    async def clear(self) -> None:
        self.data.clear()


class LandsAfterSet(MemoryCache):
    """A set does not reach a load that is on its way."""

    def keep(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        super().keep(name, value, ttl, tags)

    async def set_with_tags(self, key: AnyKey, value: Any, tags: Iterable[str], ttl: float | None = None) -> None:
        self.keep(self.name(key), self.good_value(key, value), self.good_ttl(ttl), self.good_tags(tags))

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        for key, value in items.items():
            await self.set_with_tags(key, value, tags, ttl)


class JoinsTheForgotten(MemoryCache):
    """After a delete the load in flight does not land, but who comes later still joins it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.forgotten: set[str] = set()

    def forget(self, name: str) -> None:
        self.forgotten.add(name)

    async def clear(self) -> None:
        self.forgotten.update(self.loading)
        self.data.clear()

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        if not len(self.flight):
            self.forgotten.discard(name)

        def land(value: Any) -> None:
            if name not in self.forgotten:
                self.keep(name, value, ttl, tags)

        self.loading[name] = tags
        return await self.flight.run(name, loader, land)


class LooksCancelled(MemoryCache):
    """When a loader is cancelled from inside, its callers look cancelled too."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        try:
            return await super().load(name, key, loader, ttl, tags)
        except LoadCancelledError:
            raise asyncio.CancelledError from None


class ChecksAfterLoading(MemoryCache):
    """It checks ttl and tags when it has loaded."""

    async def get_or_set(
        self, key: AnyKey, loader: Load, ttl: float | None = None, tags: Iterable[str] = (), **more: float
    ) -> Any:
        value = await super().get_or_set(key, loader)
        await super().set_with_tags(key, value, tags, ttl)
        return value


class TtlFromTheStart(MemoryCache):
    """The ttl of what it loads counts from the beginning of the load."""

    async def load(self, name: str, key: AnyKey, loader: Load, ttl: float | None, tags: tuple[str, ...]) -> Any:
        start = self.clock.monotonic()

        def land(value: Any) -> None:
            self.data[name] = Kept(value, tags, ttl, start)

        return await self.flight.run(name, loader, land)


FAULTS: Final = [
    faulty(LoadsAnew, "30", "33", "60"),
    faulty(LoadsWithoutTags, "30", "38", "60"),
    faulty(EachLoadsAlone, "31", "35"),
    faulty(KeepsFailures, "32"),
    faulty(HidesFailures, "32"),
    faulty(OneLoadAtATime, "34"),
    faulty(FirstCallerLoads, "35", "40", "41"),
    faulty(LoadsToTheEnd, "36", "37"),
    faulty(LandsAfterDelete, "38", "44"),
    faulty(LandsAfterInvalidation, "38", "44"),
    faulty(LandsAfterClear, "38", "44"),
    faulty(LandsAfterSet, "39"),
    faulty(JoinsTheForgotten, "38", "44"),
    faulty(LooksCancelled, "41"),
    faulty(ChecksAfterLoading, "42"),
    faulty(TtlFromTheStart, "43"),
]
