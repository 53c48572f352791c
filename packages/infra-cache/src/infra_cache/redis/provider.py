"""The cache in Redis."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import inf
from types import TracebackType
from typing import Any, Final, Self, cast, overload

from redis.asyncio import Redis

from infra_cache._checks import key_name, key_names, seconds, tag_names, wrong_kind
from infra_cache._renewal import early_factor, stale_seconds
from infra_cache.messages import CacheMessages
from infra_cache.redis._frame import UNTAGGED, Head, tags_of
from infra_cache.redis._line import Call, Line, Timed, run
from infra_cache.redis._links import Client
from infra_cache.redis._loads import Fetched, Loads, Wish
from infra_cache.redis._names import Names, tag_bytes
from infra_cache.redis._scripts import DELETE, INVALIDATE, SET
from infra_cache.redis._tracking import Listener, Tracking
from infra_cache.redis._values import Values, tagging
from infra_protocols import (
    CacheEntry,
    CacheKey,
    CacheProvider,
    CacheStats,
    CacheUnavailableError,
    Clock,
    Codec,
    JsonCodec,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
)

_CLOCK: Final = SystemClock()
_MONTH: Final = 30 * 86_400.0


class WhenAway(StrEnum):
    """What a cache does while its engine does not answer, or refuses."""

    RAISE = "raise"
    """Every call is a `CacheUnavailableError` or a `CacheRefusedError`."""
    MISS = "miss"
    """Lookups find nothing, and what is loaded is not kept; what would change something is an error even so."""


class RedisCacheProvider[T](CacheProvider[T]):
    """
    A `CacheProvider` that keeps its values in Redis, for as many processes as like to share them.

    Every call is one round trip, but for a `get_or_set` that loads, which is two; calls of one turn of the event loop
    share theirs. What a call does in Redis it does at one moment. A tag is invalidated in one step, however many
    entries have it. What is deleted, set or invalidated while a loader runs, in whatever process, wins over what that
    brings later. Nothing lies in Redis for ever: where an entry has no end, it goes after `max_ttl`.

    A cache has a namespace to itself: it sees, counts and clears what is in there and nothing else. Redis decides by
    its own clock what is over; the times that `get_entry` tells are by the clock of the one who wrote the entry.

    Args:
        client: a client of redis-py, for one Redis, a Sentinel's master or a Cluster, made with
            `decode_responses=False`. It stays the caller's to close.
        type: the type of what is kept under plain keys. What is not of that type is not decoded: after a change of
            the type, change the namespace.
        namespace: what this cache is called in Redis. With tags or without, it is another one.
        default_ttl: the seconds that an entry lives which is given no ttl; `None` is for ever.
        codec: makes the codec of a type.
        tags: whether entries can have tags. Those that can lie in one slot of a Cluster; those that cannot are spread
            over it, and are read by the quickest command there is.
        timeout: the seconds within which Redis has to answer.
        when_away: what to do while it does not.
        lease: the seconds after which a loader whose process has died is no longer waited for.
        one_loader: whether of all processes only one loads a key at a time, and the others wait for it.
        max_ttl: the seconds after which an entry goes that has no end, or a later one.
        clock: what the times of entries, and how long a load took, are told by.

    Type parameters:
        T: what is kept under plain keys.

    Raises:
        ValidationError: an argument is out of its bounds, or the client decodes what it reads.

    >>> import asyncio
    >>> from infra_cache.redis import RedisCacheProvider
    >>> async def main(url: str) -> str | None:
    ...     async with RedisCacheProvider.from_url(url, str, "greetings") as cache:
    ...         await cache.set("ada", "Hello, Ada", ttl=60)
    ...         return await cache.get("ada")
    >>> asyncio.run(main(url))
    'Hello, Ada'
    """

    def __init__(
        self,
        client: Client,
        type: type[T],
        namespace: str,
        *,
        default_ttl: float | None = None,
        codec: Callable[[Any], Codec[Any]] = JsonCodec,
        tags: bool = True,
        timeout: float = 1.0,
        when_away: WhenAway = WhenAway.RAISE,
        lease: float = 10.0,
        one_loader: bool = False,
        max_ttl: float = _MONTH,
        clock: Clock = _CLOCK,
    ) -> None:
        if client.get_encoder().decode_responses:
            message = CacheMessages.CACHE_CLIENT_DECODES.format(field="client")
            raise ValidationError(message, field="client", kind=client.__class__.__name__)
        self._client: Any = client
        self._owned = False
        self.names: Names = Names(namespace, tags=tags)
        self._default_ttl = seconds(default_ttl, "default_ttl")
        self._tags = self.names.tags if tags else None
        self._timeout = or_raise(require_range(timeout, "timeout", above=0))
        self._line = Line(client, self.names, self._timeout)
        if when_away not in list(WhenAway):
            raise wrong_kind(when_away, "when_away", "a WhenAway")
        self.raises_when_away: bool = when_away == WhenAway.RAISE
        longest = or_raise(require_range(max_ttl, "max_ttl", above=0))
        self._values = Values(type, codec, longest, clock)
        self._loads = Loads(
            self._line,
            self.names,
            self._values,
            clock,
            raises=self.raises_when_away,
            lease=or_raise(require_range(lease, "lease", above=0)),
            one_loader=one_loader,
        )
        self._hits = self._misses = 0

    @classmethod
    def from_url[V](cls, url: str, type: type[V], namespace: str, **options: Any) -> "RedisCacheProvider[V]":
        """
        Return a cache with a client of its own, which `close` closes.

        Args:
            url: `redis://`, `rediss://` (TLS) or `unix://`.
            type: as for the class.
            namespace: as for the class.
            options: the other arguments of the class.

        Type parameters:
            V: what is kept under plain keys.
        """
        client: Client = cast("Any", Redis).from_url(url, socket_timeout=None)
        provider: Any = cls(client, cast("Any", type), namespace, **options)
        provider._owned = True
        return provider

    async def __aenter__(self) -> Self:
        """Do nothing; the first call connects."""
        return self

    async def __aexit__(
        self, kind: "type[BaseException] | None", error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the cache."""
        await self.close()

    async def close(self) -> None:
        """Cancel renewals, wait for what is on its way, and close the client if it is this cache's own."""
        await self._loads.close()
        await self._line.close()
        if self._owned:
            await self._client.aclose()

    @overload
    async def get[V](self, key: CacheKey[V]) -> V | None: ...
    @overload
    async def get(self, key: str) -> T | None: ...
    async def get(self, key: str | CacheKey[Any]) -> object:
        """Return the value under `key`, or `None`; `get_entry` tells a kept `None` from nothing."""
        frame = await self._find(key_name(key))
        if frame is None:
            self._misses += 1
            return None
        self._hits += 1
        return self._values.decoded(key, frame)

    @overload
    async def get_entry[V](self, key: CacheKey[V]) -> CacheEntry[V] | None: ...
    @overload
    async def get_entry(self, key: str) -> CacheEntry[T] | None: ...
    async def get_entry(self, key: str | CacheKey[Any]) -> CacheEntry[Any] | None:
        """Return the entry under `key` with its times and tags, or `None` when there is none."""
        name = key_name(key)
        frame = await self._find(name)
        if frame is None:
            self._misses += 1
            return None
        self._hits += 1
        head, value = Head.of(frame), self._values.decoded(key, frame)
        created_at = datetime.fromtimestamp(head.created_at, UTC)
        ttl = None if head.ttl == inf else head.ttl
        return CacheEntry(name, value, created_at, ttl, _end(created_at, ttl), tags_of(frame))

    @overload
    async def set[V](self, key: CacheKey[V], value: V, ttl: float | None = None) -> None: ...
    @overload
    async def set(self, key: str, value: T, ttl: float | None = None) -> None: ...
    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None:
        """
        Keep `value` under `key`, without tags.

        Raises:
            ValidationError: `key`, `ttl` or `value` is bad; what was there stays.
        """
        name, ttl = key_name(key), self._ttl(ttl)
        frame = self._values.head(ttl) + UNTAGGED + self._values.encoded(key, value)
        await self._line.ask(Call(("SET", self.names.entry(name), frame, "PX", self._values.millis(ttl))))

    @overload
    async def set_with_tags[V](
        self, key: CacheKey[V], value: V, tags: Iterable[str], ttl: float | None = None
    ) -> None: ...
    @overload
    async def set_with_tags(self, key: str, value: T, tags: Iterable[str], ttl: float | None = None) -> None: ...
    async def set_with_tags(
        self, key: str | CacheKey[Any], value: Any, tags: Iterable[str], ttl: float | None = None
    ) -> None:
        """
        Keep `value` under `key`, to go when any one of `tags` is invalidated.

        Raises:
            ValidationError: as for `set`; or a tag is bad, or this cache was made without tags.
        """
        name, ttl, tags = key_name(key), self._ttl(ttl), self._good_tags(tags)
        await self._put([(name, self._values.encoded(key, value))], ttl, tags)

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

        One loader runs for all who wait in this process; with `one_loader`, in all of them. What takes longer than the
        process lives is not kept, and is waited for no longer than `lease` seconds by others.

        Raises:
            ValidationError: an argument is bad, and no loader was run; or what was loaded cannot be encoded.
            CacheTypeError: what is kept, or was loaded, is of another type than a typed key says.
            LoadCycleError: the loader waits, itself or through the loaders of other keys, for its own key.
            LoadCancelledError: the loader was cancelled, but not by its callers.
            CacheUnavailableError: Redis is away, unless that is to be a miss.
        """
        return await self.load(key, loader, ttl, tags, stale=stale, early=early)

    async def load(
        self,
        key: str | CacheKey[Any],
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
        found: Callable[[Fetched], None] | None = None,
    ) -> Any:
        """
        Do as `get_or_set`, and tell `found` what was there, unless it was stale.

        It raises what `get_or_set` does.
        """
        name, ttl, tags = key_name(key), self._ttl(ttl), self._good_tags(tags)
        stale, early = min(stale_seconds(stale), self._values.max_ttl), early_factor(early)
        if not callable(loader):
            raise wrong_kind(loader, "loader", "an async function")
        return await self._loads.get(Wish(key, name, loader, ttl, tags, stale, early, found))

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        """Remove `key`; `True` to exactly one of any number of concurrent callers, and only if it was visible."""
        return bool(await self._line.ask(self._delete([key_name(key)])))

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        """Say whether `get_entry` would find an entry; this counts neither as a hit nor as a use of it."""
        return await self._find(key_name(key)) is not None

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return what there is under `keys`; a key with nothing under it is not in the answer."""
        names = list(dict.fromkeys(key_names(keys)))
        try:
            frames = await self._line.ask_all([self.names.entry(name) for name in names])
        except CacheUnavailableError:
            if self.raises_when_away:
                raise
            frames = [None] * len(names)
        found = {name: self._values.decoded(name, frame) for name, frame in zip(names, frames, strict=True) if frame}
        self._hits += len(found)
        self._misses += len(names) - len(found)
        return found

    async def set_many(self, items: Mapping[str, T], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep every value under its key, all with the same `ttl` and `tags`; one bad argument, and none is kept."""
        names, ttl, tags = key_names(items), self._ttl(ttl), self._good_tags(tags)
        await self._put([(name, self._values.encoded(name, items[name])) for name in names], ttl, tags)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` and return how many of them were there."""
        names = list(dict.fromkeys(key_names(keys)))
        if self._tags is not None:
            return await self._line.ask(self._delete(names)) if names else 0
        return sum(await self._line.ask_all([self._delete([name]) for name in names]))

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove every entry that has `tag`, and no other, in one step; how many those were is not known."""
        (tag,) = self._good_tags((tag,))
        await self._line.ask(Call(run(INVALIDATE, [self.names.tags, self.names.signal(tag)], tag_bytes(tag))))
        return None

    async def clear(self) -> None:
        """
        Remove every entry of this cache; what `stats` has counted stays.

        The whole key space of the Redis is gone through for that, a thousand keys a step: what is set meanwhile may
        stay or go.
        """
        await self._line.clear(self.names.prefix)

    async def fetch(self, key: str | CacheKey[Any]) -> Fetched | None:
        """
        Return the value under `key` with what is left of its time; it counts neither as a hit nor as a miss.

        Raises:
            CacheUnavailableError: Redis is away, also where that is else a miss.
        """
        frame, left = await self._line.ask(Timed(self.names.entry(key_name(key))))
        if not frame:
            return None
        return Fetched(self._values.decoded(key, frame), left / 1000, tags_of(frame))

    def track(self, listener: Listener, heartbeat: float) -> Tracking:
        """
        Have `listener` told what changes in Redis, whoever changes it, until what is returned is closed.

        Args:
            listener: is told.
            heartbeat: the seconds of silence after which Redis is asked whether it is there, and again those after
                which it is taken for lost.
        """
        return Tracking(self._client, self.names, listener, heartbeat, self._timeout)

    def stats(self) -> CacheStats:
        """Return what this provider has counted since it was made; what lies in Redis is not known."""
        return CacheStats(
            self._hits + self._loads.hits,
            self._misses + self._loads.misses,
            self._loads.begun,
            load_seconds=self._loads.seconds,
            stale=self._loads.stale,
            errors=self._line.errors,
        )

    def _find(self, name: str) -> Awaitable[bytes | None]:
        reply = self._line.ask(self.names.entry(name))
        return reply if self.raises_when_away else _or_none(reply)

    async def _put(self, items: list[tuple[str, bytes]], ttl: float | None, tags: tuple[str, ...]) -> None:
        head, millis = self._values.head(ttl), self._values.millis(ttl)
        if not items:
            return
        if self._tags is None:
            calls = [("SET", self.names.entry(name), head + UNTAGGED + value, "PX", millis) for name, value in items]
            await self._line.ask_all([Call(call) for call in calls])
            return
        keys = [*(self.names.entry(name) for name, _ in items), self._tags]
        values = [part for _, value in items for part in (head, value)]
        await self._line.ask(Call(run(SET, keys, millis, len(tags), *tagging(tags), *values)))

    def _delete(self, names: list[str]) -> Call:
        return Call(run(DELETE, *self.names.keys(*names)))

    def _ttl(self, ttl: float | None) -> float | None:
        return self._default_ttl if ttl is None else seconds(ttl)

    def _good_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        good = tag_names(tags)
        if good and self._tags is None:
            raise ValidationError(CacheMessages.CACHE_WITHOUT_TAGS.format(field="tags"), field="tags", kind="tuple")
        return good


async def _or_none(reply: Awaitable[bytes | None]) -> bytes | None:
    try:
        return await reply
    except CacheUnavailableError:
        return None


def _end(created_at: datetime, ttl: float | None) -> datetime | None:
    return None if ttl is None else created_at + timedelta(seconds=ttl)
