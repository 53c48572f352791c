"""What caches that share an engine share in the gallery: an engine in memory, as plain as can be."""

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, cycle
from random import Random
from typing import Any, Final, Protocol

from infra_protocols.clock import Clock

type Versions = tuple[tuple[str, int], ...]
LEASE: Final = 10.0


class Listener(Protocol):
    """Who keeps something near, and is told what changes."""

    def on_change(self, place: str) -> None:
        """Drop what is kept near of `place`."""
        ...

    def on_invalidation(self, tag: str) -> None:
        """Drop what has a tag."""
        ...


@dataclass(frozen=True, slots=True)
class Far:
    """What lies under a name: an entry, or the lease of a load."""

    value: Any
    token: int
    versions: Versions
    """The tags, each where its version is, and the version that it had."""
    tags: tuple[str, ...]
    ttl: float | None
    created: float
    leased: bool = False

    @property
    def end(self) -> float:
        """When its time is over."""
        return math.inf if self.ttl is None else self.created + self.ttl


class Engine:
    """What the caches share; whatever a method of it does happens at one moment."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.data: dict[str, Far] = {}
        self.versions: dict[str, int] = {}
        self.numbers: Iterator[int] = count(1)
        self.near: list[Listener] = []
        self.paces: Iterator[int] = cycle((1, 3, 1, 2, 5))

    # -- What the faults change, in small pieces.

    def prefix(self, namespace: str) -> str:
        """Return what the places of a namespace, and of no other, begin with."""
        return f"{len(namespace)}:{namespace}:"

    def place(self, namespace: str, name: str) -> str:
        """Return where an entry, or the version of a tag, is."""
        return self.prefix(namespace) + name

    def version(self, place: str) -> int | None:
        """Return the version of a tag, if it has one."""
        return self.versions.get(place)

    def ensure(self, place: str) -> int:
        """Return the version of a tag, a new one if it has none."""
        return self.versions.setdefault(place, next(self.numbers))

    def current(self, versions: Versions) -> bool:
        """Say whether no tag was invalidated, or lost, since it had these versions."""
        return all(self.version(place) == version for place, version in versions)

    def held(self, place: str) -> Far | None:
        """Return the entry or the lease under `place` that is not over."""
        far = self.data.get(place)
        return far if far is not None and self.clock.monotonic() < far.end and self.current(far.versions) else None

    def look(self, place: str) -> Far | None:
        """Return the entry that is visible under `place`."""
        far = self.held(place)
        return None if far is None or far.leased else far

    def tell(self, place: str) -> None:
        """Have those who keep something near be told that `place` has changed."""
        for cache in self.near:
            later(self.way(place), cache.on_change, place)

    def tell_tag(self, place: str) -> None:
        """Have those who keep something near be told that a tag was invalidated."""
        for cache in self.near:
            later(self.way(place), cache.on_invalidation, place)

    def way(self, place: str) -> int:
        """Return how many turns of the event loop it takes to tell somebody: sometimes few, sometimes many."""
        return Random(f"{place} {next(self.numbers)}").randrange(1, 20)

    # -- What caches ask for.

    def keep(self, namespace: str, name: str, value: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
        """Keep a value."""
        places = [self.place(namespace, tag) for tag in tags]
        versions = tuple((place, self.ensure(place)) for place in places)
        place = self.place(namespace, name)
        self.data[place] = Far(value, next(self.numbers), versions, tags, ttl, self.clock.monotonic())
        self.tell(place)

    def remove(self, place: str) -> bool:
        """Remove what is there, and say whether it was visible."""
        there = self.look(place) is not None
        self.data.pop(place, None)
        self.tell(place)
        return there

    def invalidate(self, namespace: str, tag: str) -> int | None:
        """Make all dead that has a tag."""
        place = self.place(namespace, tag)
        gone = sum(place in dict(far.versions) for each, far in self.data.items() if self.look(each))
        self.versions.pop(place, None)
        self.tell_tag(place)
        return gone

    def clear(self, namespace: str) -> None:
        """Remove all of a namespace."""
        for place in [place for place in self.data if place.startswith(self.prefix(namespace))]:
            self.remove(place)

    def lose_tags(self, namespace: str) -> None:
        """Lose the versions of all tags of a namespace."""
        for place in [place for place in self.versions if place.startswith(self.prefix(namespace))]:
            del self.versions[place]

    def begin(self, namespace: str, name: str, tags: tuple[str, ...]) -> tuple[Far, Versions, bool]:
        """Return what is there, or a lease, with the versions that the tags have, and whether somebody has it."""
        place = self.place(namespace, name)
        held = self.held(place)
        if held is not None and not held.leased:
            return held, (), False
        places = [self.place(namespace, tag) for tag in tags]
        versions = tuple((each, self.ensure(each)) for each in places)
        now, taken = self.clock.monotonic(), held is not None
        lease = held or Far(None, next(self.numbers), (), (), LEASE, now, leased=True)
        self.data[place] = replace(lease, versions=(*lease.versions, *versions))
        return lease, versions, taken

    def fill(self, place: str, lease: Far, loaded: Far) -> bool:
        """Keep what was loaded under a lease, unless that was lost, or one of the tags."""
        held = self.data.get(place)
        if held is None or held.token != lease.token:
            return False
        if self.held(place) is None or not self.current(loaded.versions):
            del self.data[place]
            return False
        self.data[place] = replace(loaded, token=next(self.numbers), created=self.clock.monotonic())
        self.tell(place)
        return True

    def hold(self, place: str, lease: Far) -> None:
        """Keep a lease from running out."""
        held = self.data.get(place)
        if held is not None and held.token == lease.token:
            self.data[place] = replace(held, created=self.clock.monotonic())

    def release(self, place: str, lease: Far) -> None:
        """Give a lease up."""
        held = self.data.get(place)
        if held is not None and held.token == lease.token:
            del self.data[place]


def later(turns: int, call: Callable[[str], object], place: str) -> None:
    """Call something some turns of the event loop from now."""
    if turns:
        asyncio.get_running_loop().call_soon(later, turns - 1, call, place)
    else:
        call(place)
