"""The gallery of caches that share an engine: one way to be wrong each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import trip
from infra_conformance.gallery.shared_engine import Engine, Far, Versions
from infra_conformance.gallery.shared_memory import AnyKey, FarCache, SharedMemory, shared
from infra_protocols.clock import Clock

# -- What one changes and another sees.


class KeepsToItself(FarCache):
    """What it sets is in its own memory, and gets to nobody else."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        super().__init__(type(engine)(engine.clock), namespace)


class ForgetsTtlAndTags(Engine):
    """Where an entry is kept, neither its tags nor its ttl are."""

    def keep(self, namespace: str, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        super().keep(namespace, name, value, None, tags)
        place = self.place(namespace, name)
        self.data[place] = replace(self.data[place], tags=())


class SetsLater(FarCache):
    """It returns from a set before the engine has heard of it."""

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        # The loop keeps no strong reference, so the cache does.
        self.setting: asyncio.Task[None] = asyncio.create_task(super().set_many(items, ttl, tags))
        await asyncio.sleep(0)


class ChecksThenDeletes(FarCache):
    """It asks what is there and removes it a round trip later: several hear that it was there."""

    async def delete_many(self, keys: Iterable[str]) -> int:
        there = await self.get_many(keys := list(keys))
        await super().delete_many(keys)
        return len(there)


class DeletesThenSets(FarCache):
    """It replaces a value in two steps, and others see neither."""

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        await super().delete_many(items)
        await super().set_many(items, ttl, tags)


# -- Namespaces.


class ForgedPrefix(Engine):
    """Namespace, colon, name: whoever has a colon in a name writes into another's namespace."""

    def prefix(self, namespace: str) -> str:
        return f"{namespace}:"


class RunTogether(Engine):
    """Namespace and name run together."""

    def prefix(self, namespace: str) -> str:
        return namespace


class FoldsCase(Engine):
    """Namespaces that differ in upper and lower case are one."""

    def prefix(self, namespace: str) -> str:
        return super().prefix(namespace.lower())


class ClearsByBeginning(Engine):
    """A clear removes what is in a namespace whose name begins as its own."""

    def prefix(self, namespace: str) -> str:
        return f"{namespace}\0"

    def clear(self, namespace: str) -> None:
        for place in [place for place in self.data if place.startswith(namespace)]:
            self.remove(place)


class ClearsByPattern(Engine):
    """A clear takes the name of a namespace for a pattern."""

    def clear(self, namespace: str) -> None:
        for place in [place for place in self.data if fnmatchcase(place.partition(":")[2], f"{namespace}:*")]:
            self.remove(place)


class ClearsAll(Engine):
    """A clear removes everything there is."""

    def clear(self, namespace: str) -> None:
        for place in list(self.data):
            self.remove(place)


class TagsOfAll(Engine):
    """A tag is the same in all namespaces."""

    def invalidate(self, namespace: str, tag: str) -> int | None:
        places = [place for place in self.versions if place.endswith(f":{tag}")]
        for place in places:
            del self.versions[place]
        return None


# -- Tags.


class InvalidatesItsOwn(FarCache):
    """It knows only who has a tag by its own doing, and lets nothing else go with it."""

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        self.tagged: dict[str, list[str]] = getattr(self, "tagged", {})
        for tag in (tags := list(tags)):
            self.tagged.setdefault(tag, []).extend(items)
        await super().set_many(items, ttl, tags)

    async def invalidate_by_tag(self, tag: str) -> int | None:
        return await self.delete_many(getattr(self, "tagged", {}).pop(tag, []))


class InvalidatesInSteps(FarCache):
    """It looks up who has a tag, and removes them one after the other."""

    async def invalidate_by_tag(self, tag: str) -> int | None:
        place, data = self.place(tag), self.engine.data
        found = await self.ask(lambda: [each for each, far in data.items() if place in dict(far.versions)])
        return sum([await self.ask(partial(self.engine.remove, each)) for each in found])


class SetsThenTags(FarCache):
    """It keeps a value first, and tags it a round trip later."""

    async def set_many(self, items: Mapping[str, Any], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        await super().set_many(items, ttl)
        await super().set_many(items, ttl, tags)


class CountsFromOneAgain(Engine):
    """A tag that was invalidated, or lost, has version 1 again when it is used next."""

    def ensure(self, place: str) -> int:
        return self.versions.setdefault(place, 1)


class CountsInvalidations(Engine):
    """The version of a tag is how often it was invalidated, and 0 again once that is lost."""

    def version(self, place: str) -> int | None:
        return self.versions.get(place, 0)

    def ensure(self, place: str) -> int:
        return self.versions.setdefault(place, 0)

    def invalidate(self, namespace: str, tag: str) -> int | None:
        place = self.place(namespace, tag)
        self.versions[place] = self.versions.get(place, 0) + 1
        self.tell_tag(place)
        return None


# -- Loads.


class LandsAfterAnything(Engine):
    """What was loaded is kept, whatever has happened under its name meanwhile."""

    def fill(self, place: str, lease: Far, loaded: Far) -> bool:
        self.data[place] = replace(loaded, token=next(self.numbers), created=self.clock.monotonic())
        return True


class LandsAfterDelete(Engine):
    """A delete leaves the lease of a load: what that brings is kept."""

    def remove(self, place: str) -> bool:
        lease = self.data.get(place)
        there = super().remove(place)
        if lease is not None and lease.leased:
            self.data[place] = lease
        return there


class LandsAfterClear(Engine):
    """A clear leaves the leases of loads: what those bring is kept."""

    def clear(self, namespace: str) -> None:
        leases = {place: far for place, far in self.data.items() if far.leased}
        super().clear(namespace)
        self.data.update(leases)


class LandsAfterInvalidation(Engine):
    """What was loaded is kept with the tags as they are when it comes."""

    def begin(self, namespace: str, name: str, tags: tuple[str, ...]) -> tuple[Far, Versions, bool]:
        found, versions, taken = super().begin(namespace, name, tags)
        if found.leased:
            self.data[self.place(namespace, name)] = found
        return found, versions, taken

    def fill(self, place: str, lease: Far, loaded: Far) -> bool:
        versions = tuple((each, self.ensure(each)) for each, _ in loaded.versions)
        return super().fill(place, lease, replace(loaded, versions=versions))


class JoinsTheForgotten(FarCache):
    """Who comes after a change, where the load from before still runs, gets what that brings."""

    def joins(self, name: str, lease: Far) -> object:
        return name


class KeepsLoadsToItself(Engine):
    """What was loaded is given to the callers and kept nowhere."""

    def fill(self, place: str, lease: Far, loaded: Far) -> bool:
        self.release(place, lease)
        return False


class LoadsWithoutTags(FarCache):
    """What it loads is kept without its tags."""

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
        return await super().get_or_set(key, loader, ttl)


class KeepsFailures(FarCache):
    """A load that fails is remembered for all, to spare the source."""

    async def load(self, name: str, loader: Callable[[], Awaitable[Any]], lease: Far, loaded: Far) -> Any:
        failures: dict[str, Exception] = self.engine.__dict__.setdefault("failures", {})
        if name in failures:
            raise failures[name]
        try:
            return await super().load(name, loader, lease, loaded)
        except Exception as error:
            failures[name] = error
            raise


class FollowersDieWithTheLeader(FarCache):
    """Who waits for another's load is cancelled when that is."""

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
        loads: dict[str, asyncio.Future[Any]] = self.engine.__dict__.setdefault("loads", {})
        name = self.name(key)
        if name in loads:
            return await loads[name]
        task = loads[name] = asyncio.ensure_future(super().get_or_set(key, loader, ttl, tags))
        task.add_done_callback(lambda _: loads.pop(name, None))
        return await task


class EachLoads(FarCache):
    """Every cache loads for itself."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        super().__init__(engine, namespace, one_loader=False)


class LeavesItsLease(FarCache):
    """When its load fails, the others wait until its lease is over."""

    async def release(self, place: str, lease: Far) -> None:
        await trip()


class Herd(FarCache):
    """Once a load was given up, or its lease is over, all who waited for it load."""

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
        place = self.place(key)
        held = await self.ask(lambda: self.engine.held(place))
        if held is None or not held.leased:
            return await super().get_or_set(key, loader, ttl, tags)
        now: Far | None = held
        while now is not None and now.token == held.token:
            await asyncio.sleep(0.5)
            now = await self.ask(lambda: self.engine.held(place))
        if now is not None and not now.leased:
            return now.value
        value = await loader()
        await self.set_with_tags(key, value, tags, ttl)
        return value


class LeaseForEver(Engine):
    """A lease is never over."""

    def held(self, place: str) -> Far | None:
        far = self.data.get(place)
        return far if far is not None and far.leased and self.current(far.versions) else super().held(place)


class LeaseNotHeld(FarCache):
    """It lets its lease run out while it still loads, and another begins beside it."""

    async def hold(self, place: str, lease: Far) -> None:
        await trip()


def _fault(subject: type[Engine] | type[FarCache], *caught_by: str) -> Fault:
    def make(clock: Clock) -> AbstractAsyncContextManager[SharedMemory]:
        return shared(clock, engine=subject) if issubclass(subject, Engine) else shared(clock, cache=subject)

    return Fault(make, subject.__name__, frozenset(f"shared-{number}" for number in caught_by))


FAULTS: Final = [
    _fault(KeepsToItself, "01", "02", "32"),
    _fault(ForgetsTtlAndTags, "01", "06"),
    _fault(SetsLater, "04", "22"),
    _fault(ChecksThenDeletes, "03", "04"),
    _fault(DeletesThenSets, "04", "22"),
    _fault(ForgedPrefix, "10"),
    _fault(RunTogether, "10", "11"),
    _fault(FoldsCase, "10", "11", "12"),
    _fault(ClearsByBeginning, "11"),
    _fault(ClearsByPattern, "11"),
    _fault(ClearsAll, "11"),
    _fault(TagsOfAll, "12"),
    _fault(InvalidatesItsOwn, "20", "21"),
    _fault(InvalidatesInSteps, "22"),
    _fault(SetsThenTags, "22"),
    _fault(CountsFromOneAgain, "21", "23"),
    _fault(CountsInvalidations, "23"),
    _fault(LandsAfterAnything, "30", "31"),
    _fault(LandsAfterDelete, "30", "31"),
    _fault(LandsAfterClear, "30", "31"),
    _fault(LandsAfterInvalidation, "30", "31"),
    _fault(JoinsTheForgotten, "30"),
    _fault(KeepsLoadsToItself, "32"),
    _fault(LoadsWithoutTags, "30", "32"),
    _fault(KeepsFailures, "33", "41"),
    _fault(FollowersDieWithTheLeader, "34", "41"),
    _fault(EachLoads, "40", "41", "42"),
    _fault(LeavesItsLease, "41"),
    _fault(Herd, "41", "42"),
    _fault(LeaseForEver, "42"),
    _fault(LeaseNotHeld, "42"),
]
