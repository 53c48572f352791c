"""The cache in memory."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from types import TracebackType
from typing import Any, Final, Self, cast, overload

from cachetools import Cache

from infra_cache._checks import check_in, check_out, key_name, key_names, seconds, tag_names, wrong_kind
from infra_cache._entries import ABSENT, Entries
from infra_cache._lifetimes import Lease
from infra_cache._loads import Loads
from infra_cache._policy import PolicyFactory, make_policy
from infra_cache._renewal import some_loads, terms
from infra_cache.s3fifo import USE, USED, S3FIFOCache
from infra_protocols import CacheEntry, CacheKey, CacheProvider, CacheStats, Clock, SystemClock

_CLOCK: Final = SystemClock()
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


class InMemoryCacheProvider[T](CacheProvider[T]):
    """
    A `CacheProvider` that keeps its values in this process, and no more of them than there is room for.

    When there is no room, entries go in this order: invalidated ones, expired ones, expired ones that `get_or_set` may
    still return as stale, then whichever the policy picks. What is invalidated or expired cannot be seen; the memory it
    takes is given back by the calls that follow, a few entries each, so that no `get` or `set` is slow because many
    entries ended at once. `clear` gives all of it back.

    What `get_or_set` renews in the background it renews in tasks of the cache. `close`, or leaving the cache as an
    async context manager, ends them; there is nothing else to close, and where none runs, no need to.

    It is for one event loop at a time, any number of them one after another, and not for several threads.

    Args:
        max_size: how much it holds: entries, or what `getsizeof` adds up to. `None` is 10,000, `math.inf` no bound.
        default_ttl: the seconds that an entry lives which is given no ttl; `None` is for ever.
        policy: which entry goes when there is no room: a `cachetools.Cache` class, as `S3FIFOCache`, the default;
            something else that makes such a cache; or one that is made already, empty and used for nothing else, which
            then has its own size.
        getsizeof: returns the size of a value; without it, each counts as 1.
        clock: the time that all is decided by.

    Type parameters:
        T: what is kept under plain keys.

    Raises:
        ValidationError: an argument is out of its bounds; `max_size` or `getsizeof` is given with a policy that is
            made already; such a policy is not empty, or another cache's.

    >>> import asyncio
    >>> async def main() -> str | None:
    ...     cache = InMemoryCacheProvider[str](max_size=1000, default_ttl=60)
    ...     await cache.set("greeting", "hello")
    ...     return await cache.get("greeting")
    >>> asyncio.run(main())
    'hello'
    """

    def __init__(
        self,
        max_size: float | None = None,
        default_ttl: float | None = None,
        policy: PolicyFactory[T] | Cache[str, T] = S3FIFOCache,
        getsizeof: Callable[[T], float] | None = None,
        clock: Clock = _CLOCK,
    ) -> None:
        self._default_ttl = seconds(default_ttl, "default_ttl")
        self._clock = clock
        self._now = clock.monotonic
        self._entries = Entries(make_policy(policy, max_size, getsizeof), self._now)
        # What the quickest ways through need, at hand; `Any` because a key of another kind is simply not in these.
        self._moments: dict[Any, float] = self._entries.moments
        self._tagged = self._entries.tagged
        # A hit in the default policy takes no call of it.
        made = cast("S3FIFOCache[Any, Any]", self._entries.policy)
        self._default_policy = made if type(made) is S3FIFOCache and made.sizes is None else None
        self._look_up: Callable[[Any], Any] = self._entries.policy.__getitem__
        self._store: Callable[[Any, Any], None] = self._entries.policy.__setitem__
        self._loads = Loads(self._entries, self._now)
        self._flight, self._waiting = self._loads.flight, self._loads.callers
        self._misses = self._stale = 0
        self._hits = 0.0  # a float is added to in half the time

    async def __aenter__(self) -> Self:
        """Return the cache."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Cancel what is being renewed in the background, unless others wait for it; the cache can be used on."""
        await self._loads.close()

    @overload
    async def get[V](self, key: CacheKey[V]) -> V | None: ...
    @overload
    async def get(self, key: str) -> T | None: ...
    async def get(self, key: str | CacheKey[Any]) -> object:
        """
        Return the value under `key`, or `None`; `get_entry` tells a kept `None` from nothing.

        Raises:
            ValidationError: `key` is blank or no text.
            CacheTypeError: what is kept is of another type than a typed key says.
        """
        try:
            moment = self._moments.get(key)
        except TypeError:
            moment = None  # what has no hash is no key; `_find` says so
        if (type(moment) is Lease and self._now() < moment.end) or type(moment) is float:
            try:
                if (policy := self._default_policy) is None:
                    value = self._look_up(key)
                else:
                    value = policy.kept[key]
                    known = policy.known[key]
                    if known < USED:
                        policy.known[key] = known + USE
            except KeyError:
                pass  # the policy has dropped it by itself
            else:
                self._hits += 1.0
                return value
        value = self._find(key)
        return None if value is ABSENT else value

    def peek[D](self, key: str, default: D) -> T | D:
        """
        Return the value under `key` at once, without awaiting, or `default` when there is none.

        What is found counts as a hit and as a use; what is not counts nowhere.

        Type parameters:
            D: the default.

        >>> InMemoryCacheProvider[str]().peek("greeting", "nothing yet")
        'nothing yet'
        """
        try:
            moment = self._moments.get(key)
        except TypeError:
            return default
        if (type(moment) is Lease and self._now() < moment.end) or type(moment) is float:
            try:
                if (policy := self._default_policy) is None:
                    value = self._look_up(key)
                else:
                    value = policy.kept[key]
                    known = policy.known[key]
                    if known < USED:
                        policy.known[key] = known + USE
            except KeyError:
                pass  # the policy has dropped it by itself
            else:
                self._hits += 1.0
                return value
        if moment is None or (value := self._entries.find(key)) is ABSENT:
            return default
        self._hits += 1
        return value

    @overload
    async def get_entry[V](self, key: CacheKey[V]) -> CacheEntry[V] | None: ...
    @overload
    async def get_entry(self, key: str) -> CacheEntry[T] | None: ...
    async def get_entry(self, key: str | CacheKey[Any]) -> CacheEntry[Any] | None:
        """
        Return the entry under `key` with its times and tags, or `None` when there is none.

        Raises:
            ValidationError: `key` is blank or no text.
            CacheTypeError: what is kept is of another type than a typed key says.
        """
        value = self._find(key)
        if value is ABSENT:
            return None
        name = key_name(key)
        since, ttl = self._entries.lifetime(name)
        created_at = self._clock.now() - timedelta(seconds=self._now() - since)
        return CacheEntry(name, value, created_at, ttl, _end(created_at, ttl), self._tagged.get(name, ()))

    @overload
    async def set[V](self, key: CacheKey[V], value: V, ttl: float | None = None) -> None: ...
    @overload
    async def set(self, key: str, value: T, ttl: float | None = None) -> None: ...
    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None:
        """
        Keep `value` under `key` for `ttl` seconds, without tags.

        Raises:
            ValidationError: `key` is blank or no text, `ttl` is not above zero, `value` is not of the type of a typed
                key, or it is larger than the whole cache; what was there stays.
        """
        try:
            moment = self._moments.get(key)
        except TypeError:
            moment = None  # what has no hash is no key; `_checked` says so
        if ttl is None:
            ttl = self._default_ttl
        if type(moment) is Lease and ttl is moment.ttl and not self._waiting and key not in self._tagged:
            # The overwrite that happens most, with the very ttl that was checked then, so that it is over no sooner.
            if (policy := self._default_policy) is not None and key in policy.kept:
                policy.kept[key] = value
                known = policy.known[key]
                if known < USED:
                    policy.known[key] = known + USE
            else:
                try:
                    self._store(key, value)
                except ValueError:
                    self._entries.check_sizes((value,))
                    raise
            if moment.key:  # else making room took the old entry away, or its lease
                moment.end = self._now() + moment.ttl
                return
        elif ttl is not None and (type(ttl) is not float or not 0.0 < ttl < inf):
            ttl = seconds(ttl)
        if type(key) is not str or not key or key.isspace():
            key = _checked(key, value)
        self._entries.put(key, value, ttl, ())
        if self._waiting:
            self._flight.forget(key)

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
        Keep `value` under `key` for `ttl` seconds, to go when any one of `tags` is invalidated.

        Raises:
            ValidationError: as for `set`; or a tag is blank or no text, or `tags` is one text instead of several.
        """
        self._put(_checked(key, value), value, self._ttl(ttl), tag_names(tags))

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

        A hit does not suspend. The time to live counts from when the loader is done. What it returns goes to those
        who wait for it also when it is larger than the whole cache, and then is not kept.

        A value that was loaded with `stale` stays at hand after its end, if room allows: it is returned within the
        smaller of that bound and the one of this call. How long a load took is remembered when it was asked for with
        `early`. A renewal is the one load of its key: who cannot be served waits for it. When it fails, a warning with
        the key and what was raised is logged to `infra_cache`.

        Raises:
            ValidationError: an argument is bad, as for `set_with_tags`; `stale` or `early` is below zero, or `early`
                has no bound; no loader was run.
            CacheTypeError: what is kept, or was loaded, is of another type than a typed key says.
            LoadCycleError: the loader waits, itself or through the loaders of other keys, for its own key.
            LoadCancelledError: the loader was cancelled, but not by its callers.
        """
        value = self.peek(key, ABSENT) if type(key) is str else ABSENT
        if value is not ABSENT and (early == 0.0 or not self._nears_end(key, early)):
            return value
        name, ttl = key_name(key), self._ttl(ttl)
        tags, wanted = tag_names(tags), terms(stale, early)
        if not callable(loader):
            raise wrong_kind(loader, "loader", "an async function")
        if type(key) is not str:
            value = self.peek(name, ABSENT)
            if value is not ABSENT and (early == 0.0 or not self._nears_end(name, early)):
                return check_out(key, value) if isinstance(key, CacheKey) else value
        if value is ABSENT and wanted is not None:
            value = self._entries.at_hand(name, wanted.stale)
            if value is not ABSENT:
                self._hits += 1
                self._stale += 1
        if value is ABSENT:
            self._misses += 1
            value = await self._loads.load(name, key, loader, ttl, tags, wanted)
        else:
            self._loads.renew(name, key, loader, ttl, tags, wanted)
        return check_out(key, value) if isinstance(key, CacheKey) else value

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        """
        Remove `key`; `True` to exactly one of any number of concurrent callers, and only if it was visible.

        Raises:
            ValidationError: `key` is blank or no text.
        """
        return self._delete(key_name(key))

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        """
        Say whether `get_entry` would find an entry; this counts neither as a hit nor as a use of it.

        Raises:
            ValidationError: `key` is blank or no text.
        """
        name = key_name(key)
        return self._entries.visible(name) and name in self._entries.policy

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """
        Return what there is under `keys`; a key with nothing under it is not in the answer.

        Raises:
            ValidationError: a key is blank or no text, or `keys` is one text instead of several.
        """
        found = {name: self._find(name) for name in dict.fromkeys(key_names(keys))}
        return {name: value for name, value in found.items() if value is not ABSENT}

    async def set_many(self, items: Mapping[str, T], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """
        Keep every value under its key, all with the same `ttl` and `tags`; one bad argument, and none is kept.

        Where there is no room for all of them, the policy picks those that stay.

        Raises:
            ValidationError: as for `set_with_tags`.
        """
        names, values = key_names(items), list(items.values())
        ttl, tags = self._ttl(ttl), tag_names(tags)
        self._entries.check_sizes(values)
        now = self._now()
        for name, value in zip(names, values, strict=True):
            self._put(name, value, ttl, tags, now)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """
        Remove `keys` and return how many of them were there.

        Raises:
            ValidationError: a key is blank or no text, or `keys` is one text instead of several.
        """
        return sum([self._delete(name) for name in key_names(keys)])

    async def invalidate_by_tag(self, tag: str) -> int:
        """
        Remove every entry that has `tag`, and no other, and return how many those were.

        Raises:
            ValidationError: `tag` is blank or no text.
        """
        (tag,) = tag_names((tag,))
        self._loads.forget(tag)
        return self._entries.invalidate(tag)

    async def clear(self) -> None:
        """Remove every entry of this cache; what `stats` has counted stays."""
        self._flight.clear()
        self._entries.clear()

    def stats(self) -> CacheStats:
        """
        Return what has been counted since the cache was made; `size` is of now, without what has expired.

        `loads` counts when a loader begins, `load_seconds` when it ends, those that fail or are cancelled included.
        `expirations` counts what was removed after its end: at the latest now, or when it is no longer at hand as
        stale. What was overwritten, renewed, invalidated or cleared before that is none. `invalidations` counts what
        could be seen until then. What a policy drops by itself is counted nowhere.
        """
        entries = self._entries
        size = entries.count()
        return CacheStats(
            int(self._hits),
            self._misses,
            self._loads.begun,
            entries.evictions,
            size,
            self._loads.seconds,
            entries.expirations,
            entries.invalidations,
            self._stale,
        )

    def _find(self, key: str | CacheKey[Any]) -> Any:
        value = self.peek(key_name(key), ABSENT)
        if value is ABSENT:
            self._misses += 1
            self._entries.tidy()
            return value
        return check_out(key, value) if isinstance(key, CacheKey) else value

    def _ttl(self, ttl: float | None) -> float | None:
        return self._default_ttl if ttl is None else seconds(ttl)

    def _put(self, name: str, value: Any, ttl: float | None, tags: tuple[str, ...], now: float | None = None) -> None:
        self._entries.put(name, value, ttl, tags, now)
        if self._waiting:
            self._flight.forget(name)

    def _delete(self, name: str) -> bool:
        self._flight.forget(name)
        return self._entries.remove(name)

    def _nears_end(self, key: Any, early: float) -> bool:
        return self._entries.nears_end(key, some_loads(early))


def _checked(key: str | CacheKey[Any], value: object) -> str:
    if isinstance(key, CacheKey):
        check_in(key, value)
    return key_name(key)


def _end(created_at: datetime, ttl: float | None) -> datetime | None:
    if ttl is None:
        return None
    try:
        return created_at + timedelta(seconds=ttl)
    except OverflowError:
        return _END_OF_TIME
