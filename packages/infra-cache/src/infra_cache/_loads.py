"""Running the loaders of a cache: one a key at a time, for those who wait or in the background."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from infra_cache._checks import check_out, key_name
from infra_cache._entries import Entries
from infra_cache._loading import Loading
from infra_cache._renewal import Renewals, Terms
from infra_protocols import CacheKey, Flight, ValidationError

type AnyKey = str | CacheKey[Any]
type Loader = Callable[[], Awaitable[Any]]


class Loads:
    """Loads what is not there, or is to be renewed, into `entries`."""

    __slots__ = ("_entries", "_loading", "_now", "_renewals", "begun", "callers", "flight", "seconds")

    def __init__(self, entries: Entries, now: Callable[[], float]) -> None:
        self._entries = entries
        self._now = now
        self._loading = Loading()
        self._renewals = Renewals()
        self.flight: Flight[str, Any] = Flight()
        self.callers: list[None] = []
        """Something for each caller that waits: while it is empty there is no load to forget."""
        self.begun = 0
        self.seconds = 0.0

    async def load(
        self, name: str, key: AnyKey, loader: Loader, ttl: float | None, tags: tuple[str, ...], wanted: Terms | None
    ) -> Any:
        self.callers.append(None)
        if tags:
            self._loading.enter(name, tags)
        try:
            return await self.flight.run(name, self._run, self._land, key, loader, ttl, tags, wanted)
        finally:
            self.callers.pop()
            if tags:
                self._loading.leave(name, tags)

    def renew(
        self, name: str, key: AnyKey, loader: Loader, ttl: float | None, tags: tuple[str, ...], wanted: Terms | None
    ) -> None:
        """Load in the background, unless a load is on its way."""
        if name not in self.flight:
            self._renewals.start(name, self.load(name, key, loader, ttl, tags, wanted))

    def forget(self, tag: str) -> None:
        """Have no load land that is waited for under `tag`."""
        for name in self._loading.keys(tag):
            self.flight.forget(name)

    async def close(self) -> None:
        await self._renewals.close()

    async def _run(self, key: AnyKey, loader: Loader, _: object, __: object, wanted: Terms | None) -> Any:
        self.begun += 1
        now = self._now
        began = now()
        try:
            value = await loader()
        finally:
            took = now() - began
            self.seconds += took
        if wanted is not None and wanted.early:
            wanted.took = took
        return check_out(key, value) if isinstance(key, CacheKey) else value

    def _land(
        self, value: Any, key: AnyKey, _: object, ttl: float | None, tags: tuple[str, ...], wanted: Terms | None
    ) -> None:
        name = key_name(key)
        with suppress(ValidationError):  # it is larger than the whole cache
            self._entries.put(name, value, ttl, tags)
            if wanted is not None:
                self._entries.make_renewable(name, wanted.stale, wanted.took)
