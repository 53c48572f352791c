"""Loading into Redis: a lease from it first, then the loader, then what the lease still allows to be kept."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from typing import Any

from infra_cache._checks import check_out
from infra_cache._renewal import Renewals, some_loads
from infra_cache.messages import CacheMessages
from infra_cache.redis._frame import Head, tags_of
from infra_cache.redis._line import Call, Line, run
from infra_cache.redis._names import Names, tag_bytes
from infra_cache.redis._scripts import BEGIN, CLAIM, FILL, HOLD, RELEASE
from infra_cache.redis._values import AnyKey, Values, fresh, tagging
from infra_protocols import (
    CacheError,
    CacheKey,
    CacheRefusedError,
    CacheUnavailableError,
    Clock,
    Flight,
    LoadCycleError,
    full_jitter,
)

_apart: ContextVar[frozenset[str]] = ContextVar("infra_cache.redis", default=frozenset())
"""The names of what is being loaded, around here, without Redis."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    What there was in Redis.

    >>> Fetched("hello", 1.5).left
    1.5
    """

    value: Any
    left: float
    """How many seconds it could be seen for when Redis answered."""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller of `get_or_set` asks for."""

    key: AnyKey
    name: str
    loader: Callable[[], Awaitable[Any]]
    ttl: float | None
    tags: tuple[str, ...]
    stale: float
    early: float
    found: Callable[[Fetched], None] | None = None
    """Is told what was there, if it was."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What allows to keep a value that was loaded, if it still holds then."""

    token: bytes
    versions: list[bytes]
    """Those of the tags, from before the load."""
    taken: bool = False
    """Whether somebody else had it first."""


class Loads:
    """
    Answers `get_or_set`.

    Callers of this process share a load if Redis has given them the same lease: so none joins a load that began
    before somebody, in whatever process, has deleted the key.
    """

    def __init__(
        self,
        line: Line,
        names: Names,
        values: Values,
        clock: Clock,
        *,
        raises: bool,
        lease: float,
        one_loader: bool,
    ) -> None:
        self._line = line
        self._names = names
        self._values = values
        self._now = clock.monotonic
        self._raises = raises
        self._lease = lease
        self._one_loader = one_loader
        self._flight: Flight[tuple[str, object], Any] = Flight()
        self._renewals = Renewals()
        self._renewing: set[tuple[str, bytes]] = set()
        self.hits = self.misses = self.begun = self.stale = 0
        self.seconds = 0.0

    async def close(self) -> None:
        await self._renewals.close()

    async def get(self, wish: Wish) -> Any:
        attempt = 0
        while True:
            try:
                found = await self._begin(wish)
            except (CacheUnavailableError, CacheRefusedError) as error:
                if self._raises:
                    raise
                self.misses += 1
                # Those whom the same failure has met share a load, which begins after all of them have; not so those
                # who come later: somebody may have written meanwhile.
                return await self._flight.run((wish.name, error), self._run_apart, None, wish)
            if not isinstance(found, Lease):
                return self._hit(wish, *found)
            load = (wish.name, found.token)
            if not (found.taken and self._one_loader) or load in self._flight:
                self.misses += 1
                return await self._flight.run(load, self._load, None, wish, found)
            await asyncio.sleep(0.005 + full_jitter(attempt, 0.005, 0.1))
            attempt += 1

    async def _begin(self, wish: Wish) -> tuple[bytes, float] | Lease:
        """Return the entry and what it has left, in seconds; or a lease to load it under."""
        options = (fresh(), self._lease_millis, wish.stale, int(self._one_loader))
        command = run(BEGIN, *self._names.keys(wish.name), *options, *tagging(wish.tags))
        frame, *rest = await self._line.ask(Call(command, same_as=(wish.name, wish.tags, wish.stale)))
        return Lease(rest[0], rest[1], bool(rest[2])) if frame is None else (frame, rest[0] / 1000)

    def _hit(self, wish: Wish, frame: bytes, left: float) -> Any:
        value, head = self._values.decoded(wish.key, frame), Head.of(frame)
        self.hits += 1
        if wish.found is not None and left > 0:
            wish.found(Fetched(value, left, tags_of(frame)))
        self.stale += left <= 0
        if left <= 0 or (wish.early and left <= some_loads(wish.early) * head.took):
            renewal = (wish.name, head.token)
            if renewal not in self._renewing:
                self._renewing.add(renewal)
                self._renewals.start(wish.name, self._renew(wish, head.token))
        return value

    async def _renew(self, wish: Wish, token: bytes) -> None:
        try:
            claim = run(CLAIM, *self._names.keys(wish.name), token, self._lease_millis, *tagging(wish.tags))
            versions = await self._line.ask(Call(claim))
            if versions is not None:  # else somebody else does it, or there is something else by now
                await self._flight.run((wish.name, token), self._load, None, wish, Lease(token, versions))
        finally:
            self._renewing.discard((wish.name, token))

    async def _load(self, wish: Wish, lease: Lease) -> Any:
        entry, kept, started = [self._names.entry(wish.name)], False, self._now()
        held = run(HOLD, *self._names.keys(wish.name), lease.token, self._lease_millis, *map(tag_bytes, wish.tags))
        hold = _Hold(self._lease / 3, self._line, Call(held))
        try:
            value = await self._run(wish)
            head = self._values.head(wish.ttl, wish.stale, self._now() - started)
            parts = (lease.token, self._values.millis(wish.ttl, wish.stale), head)
            tagged = zip(wish.tags, lease.versions, strict=True)
            versions = [part for tag, version in tagged for part in (tag_bytes(tag), version)]
            value_bytes = self._values.encoded(wish.key, value)
            fill = run(FILL, *self._names.keys(wish.name), *parts, value_bytes, *versions)
            try:
                await self._line.ask(Call(fill))
                kept = True
            except (CacheUnavailableError, CacheRefusedError):
                if self._raises:
                    raise
        finally:
            hold.cancel()
            if not kept:
                with suppress(CacheError):  # then it ends by itself
                    await self._line.ask(Call(run(RELEASE, entry, lease.token, int(self._one_loader))))
        return value

    async def _run_apart(self, wish: Wish) -> Any:
        inside = _apart.get()
        if wish.name in inside:
            message = CacheMessages.CACHE_LOAD_CYCLE.format(key=wish.name)
            raise LoadCycleError(message, operation="cache.get_or_set", parameters={"key": wish.name})
        _apart.set(inside | {wish.name})
        return await self._run(wish)

    async def _run(self, wish: Wish) -> Any:
        self.begun += 1
        started = self._now()
        try:
            value = await wish.loader()
        finally:
            self.seconds += self._now() - started
        return check_out(wish.key, value) if isinstance(wish.key, CacheKey) else value

    @property
    def _lease_millis(self) -> int:
        return ceil(self._lease * 1000)


class _Hold:
    """Sends the same over and over until it is cancelled; what it is answered does not matter."""

    def __init__(self, interval: float, line: Line, call: Call) -> None:
        self._interval, self._line, self._call = interval, line, call
        self._timer = asyncio.get_running_loop().call_later(interval, self._beat)

    def _beat(self) -> None:
        self._line.ask(self._call)
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._beat)

    def cancel(self) -> None:
        self._timer.cancel()
