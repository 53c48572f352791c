"""A cache in memory in front of one that many processes share, kept fresh by what the shared one tells."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, overload

from infra_cache._checks import check_out, key_name, key_names, tag_names
from infra_cache._entries import ABSENT
from infra_cache._fills import Fill, Fills
from infra_cache.memory import InMemoryCacheProvider
from infra_protocols import (
    CacheEntry,
    CacheKey,
    CacheProvider,
    CacheStats,
    CacheUnavailableError,
    Clock,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
)

if TYPE_CHECKING:
    from infra_cache.redis import Fetched, RedisCacheProvider
    from infra_cache.redis._tracking import Tracking

_CLOCK: Final = SystemClock()


class TieredCacheProvider[T](CacheProvider[T]):
    """
    A `CacheProvider` in two tiers: what was read from Redis once is answered from memory until it changes there.

    Redis tells at once, on a connection of its own, what anybody changes; whoever changes it through this provider
    sees the change in the very next call, and others as soon as they are told. Memory is filled by reads alone, and
    only where nothing was told since the read began. No value stays in memory for longer than in Redis.

    Memory is trusted only while that connection stands: one that breaks, or is silent for twice `heartbeat`, and until
    there is a new one every call goes to Redis.

    It is to be opened: `async with TieredCacheProvider(local, remote) as cache`. What was passed in stays the
    caller's to close.

    Args:
        local: a cache in memory that nothing else uses.
        remote: the cache that it stands in front of.
        heartbeat: see above, in seconds.
        stale_if_away: for how many seconds values from memory are served once Redis has gone, and only where Redis
            was asked and did not answer (RFC 5861, section 4).
        clock: tells the time in memory.

    Type parameters:
        T: what is kept under plain keys.

    >>> import asyncio
    >>> from infra_cache import InMemoryCacheProvider, TieredCacheProvider
    >>> from infra_cache.redis import RedisCacheProvider
    >>> async def main(url: str) -> str | None:
    ...     async with RedisCacheProvider.from_url(url, str, "greetings") as remote:
    ...         async with TieredCacheProvider(InMemoryCacheProvider[str](), remote) as cache:
    ...             await cache.set("ada", "Hello, Ada", ttl=60)
    ...             return await cache.get("ada")
    >>> asyncio.run(main(url))
    'Hello, Ada'
    """

    def __init__(
        self,
        local: InMemoryCacheProvider[T],
        remote: "RedisCacheProvider[T]",
        *,
        heartbeat: float = 1.0,
        stale_if_away: float = 0.0,
        clock: Clock = _CLOCK,
    ) -> None:
        self._local: InMemoryCacheProvider[Any] = local
        self._remote = remote
        self._heartbeat = or_raise(require_range(heartbeat, "heartbeat", above=0))
        self._stale_if_away = or_raise(require_range(stale_if_away, "stale_if_away", min=0))
        self._now = clock.monotonic
        self._tracking: Tracking | None = None
        self._trust(False)
        self._lost_at = -inf
        self._fills = Fills()
        self._hits = self._misses = self._stale = 0

    async def open(self) -> None:
        """Begin to listen; where Redis does not answer, calls go there until it does."""
        if self._tracking is None:
            self._tracking = self._remote.track(self, self._heartbeat)
            await self._tracking.tried()

    async def close(self) -> None:
        """Stop listening, and forget what is in memory."""
        tracking, self._tracking = self._tracking, None
        if tracking is not None:
            await tracking.close()
        self._trust(False)
        self._lost_at = -inf
        self._empty()

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    # -- What Redis tells.

    def on_change(self, name: str) -> None:
        """Forget the entry called `name`."""
        self._fills.spoil(name)
        self._drop(name)

    def on_invalidation(self, tag: str) -> None:
        """Forget what has `tag`."""
        self._fills.spoil_tag(tag)
        _now(self._local.invalidate_by_tag(tag))

    def on_flush(self) -> None:
        """Forget everything."""
        self._fills.spoil_all()
        self._empty()

    def on_lost(self) -> None:
        """Trust memory no more."""
        if self._trusted:
            self._trust(False)
            self._lost_at = self._now()
        self._fills.spoil_all()
        if not self._stale_if_away:
            self._empty()

    def on_found(self) -> None:
        """Trust memory from now on, with nothing in it."""
        self.on_flush()
        self._trust(True)

    # -- What a cache does.

    @overload
    async def get[V](self, key: CacheKey[V]) -> V | None: ...
    @overload
    async def get(self, key: str) -> T | None: ...
    async def get(self, key: str | CacheKey[Any]) -> object:
        """Return the value under `key`, or `None`; `get_entry` tells a kept `None` from nothing."""
        value = self._look(key, ABSENT)  # a key of another kind is simply not there; `_find` knows
        if value is not ABSENT:
            return value
        value = await self._find(key)
        return None if value is ABSENT else value

    @overload
    async def get_entry[V](self, key: CacheKey[V]) -> CacheEntry[V] | None: ...
    @overload
    async def get_entry(self, key: str) -> CacheEntry[T] | None: ...
    async def get_entry(self, key: str | CacheKey[Any]) -> CacheEntry[Any] | None:
        """Return the entry under `key` with its times and tags, as Redis has it, or `None` when there is none."""
        entry: CacheEntry[Any] | None = await self._remote.get_entry(key)
        return entry

    @overload
    async def set[V](self, key: CacheKey[V], value: V, ttl: float | None = None) -> None: ...
    @overload
    async def set(self, key: str, value: T, ttl: float | None = None) -> None: ...
    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None:
        """Keep `value` under `key`, without tags."""
        with self._changing([key_name(key)]):
            await self._remote.set(key, value, ttl)

    @overload
    async def set_with_tags[V](
        self, key: CacheKey[V], value: V, tags: Iterable[str], ttl: float | None = None
    ) -> None: ...
    @overload
    async def set_with_tags(self, key: str, value: T, tags: Iterable[str], ttl: float | None = None) -> None: ...
    async def set_with_tags(
        self, key: str | CacheKey[Any], value: Any, tags: Iterable[str], ttl: float | None = None
    ) -> None:
        """Keep `value` under `key`, to go when any one of `tags` is invalidated."""
        with self._changing([key_name(key)]):
            await self._remote.set_with_tags(key, value, tags, ttl)

    @overload
    async def get_or_set[V](
        self,
        key: CacheKey[V],
        loader: Callable[[], Awaitable[V]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> V: ...
    @overload
    async def get_or_set(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> T: ...
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
        """
        Return the value under `key`; when there is none, have `loader` make it, keep it and return it.

        With `early`, Redis is asked every time: only there is it known how long the last load took.
        """
        name = key_name(key)
        if not early and (value := self._look(name, ABSENT)) is not ABSENT:
            return check_out(key, value) if isinstance(key, CacheKey) else value
        fill, began = self._fills.begin(name), self._now()
        try:
            found = partial(self._keep, fill, began)
            return await self._remote.load(key, loader, ttl, tags, stale=stale, early=early, found=found)
        except CacheUnavailableError:
            if (value := self._left_over(name)) is ABSENT:
                raise
            return value
        finally:
            self._fills.end(fill)

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        """Remove `key`; `True` to exactly one of any number of concurrent callers, and only if it was visible."""
        with self._changing([key_name(key)]):
            return await self._remote.delete(key)

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        """Say whether `get_entry` would find an entry; this counts neither as a hit nor as a use of it."""
        return await self._remote.exists(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return what there is under `keys`; a key with nothing under it is not in the answer."""
        names = list(dict.fromkeys(key_names(keys)))
        found = {name: self._look(name, ABSENT) for name in names}
        absent = [name for name in names if found[name] is ABSENT]
        found.update(zip(absent, await gather(*[self._find(name) for name in absent]), strict=True))
        return {name: value for name, value in found.items() if value is not ABSENT}

    async def set_many(self, items: Mapping[str, T], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep every value under its key, all with the same `ttl` and `tags`; one bad argument, and none is kept."""
        with self._changing(key_names(items)):
            await self._remote.set_many(items, ttl, tags)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` and return how many of them were there."""
        names = key_names(keys)
        with self._changing(names):
            return await self._remote.delete_many(names)

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove every entry that has `tag`, and no other; how many those were is not known."""
        (tag,) = tag_names((tag,))
        with self._fills.without_tag(tag):
            self.on_invalidation(tag)
            try:
                return await self._remote.invalidate_by_tag(tag)
            finally:
                self.on_invalidation(tag)

    async def clear(self) -> None:
        """Remove every entry of this cache, in Redis too; what `stats` has counted stays."""
        with self._fills.without_any():
            self.on_flush()
            try:
                await self._remote.clear()
            finally:
                self.on_flush()

    def stats(self) -> CacheStats:
        """Return what both tiers have counted; how many entries there are is not known."""
        local, remote = self._local.stats(), self._remote.stats()
        return CacheStats(
            local.hits + self._hits + remote.hits,
            self._misses + remote.misses,
            remote.loads,
            local.evictions,
            load_seconds=remote.load_seconds,
            stale=self._stale + remote.stale,
            errors=remote.errors,
        )

    async def _find(self, key: str | CacheKey[Any]) -> Any:
        name = key_name(key)
        if (value := self._look(name, ABSENT)) is not ABSENT:
            return check_out(key, value) if isinstance(key, CacheKey) else value
        fill, began = self._fills.begin(name), self._now()
        try:
            found = await self._remote.fetch(key)
        except CacheUnavailableError:
            value = self._left_over(name)
            if value is ABSENT and self._remote.raises_when_away:
                raise
            self._misses += value is ABSENT
            return value
        else:
            if found is None:
                self._misses += 1
                return ABSENT
            self._hits += 1
            self._keep(fill, began, found)
            return found.value
        finally:
            self._fills.end(fill)

    def _keep(self, fill: Fill, began: float, found: "Fetched") -> None:
        # What is left of its time there was told before the way back; here it has that much less.
        left = found.left - (self._now() - began)
        if self._trusted and left > 0 and self._fills.good(fill, found.tags):
            with suppress(ValidationError):  # it is larger than all the memory there is for it
                _now(self._local.set_with_tags(fill.name, found.value, found.tags, left))
        elif not self._trusted:
            self._drop(fill.name)  # else what is left over could be served after this, which is newer

    def _trust(self, trusted: bool) -> None:
        self._trusted = trusted
        # What every lookup begins with: rather than ask first whether it may, it is given something else to call.
        self._look: Callable[[Any, Any], Any] = self._local.peek if trusted else _nothing

    def _left_over(self, name: str) -> Any:
        if self._trusted or self._now() - self._lost_at > self._stale_if_away:
            return ABSENT
        value = self._local.peek(name, ABSENT)
        if value is not ABSENT:
            self._stale += 1
        return value

    @contextmanager
    def _changing(self, names: Iterable[str]) -> Generator[None]:
        names = list(names)
        with self._fills.without(names):
            for name in names:
                self._drop(name)
            try:
                yield
            finally:
                for name in names:
                    self.on_change(name)

    def _drop(self, name: str) -> None:
        _now(self._local.delete(name))

    def _empty(self) -> None:
        _now(self._local.clear())


def _nothing(key: object, default: Any) -> Any:
    return default


def _now(call: Coroutine[Any, Any, object]) -> None:
    # What a cache in memory does, it does without waiting: so this can be done between two awaits.
    try:
        call.send(None)
    except StopIteration:
        return
    raise AssertionError
