"""The port of caches: what a cache promises, and the data that crosses it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from infra_protocols._frozen import mend
from infra_protocols.protocols import Store
from infra_protocols.validation import or_raise, require_text


@dataclass(frozen=True, slots=True)
class CacheKey[V]:
    """
    A key that knows the type of what is kept under it.

    `await cache.get(CacheKey("user:1", User))` is a `User | None`, whatever else the cache holds. The name alone says
    where a value is kept: `"user:1"` and `CacheKey("user:1", User)` are one place.

    Type parameters:
        V: the type of the value; exactly this one, a key for a subclass is another key.

    Raises:
        ValidationError: the name is blank.

    >>> CacheKey("user:1", str).name
    'user:1'
    """

    name: str
    type: type[V]

    def __post_init__(self) -> None:
        """Refuse a blank name."""
        or_raise(require_text(self.name, "key"))

    if TYPE_CHECKING:
        # Being both taken and returned makes V invariant: what `get` returns through a key, `set` accepts.
        def _invariant(self, value: V) -> V: ...


@dataclass(frozen=True, slots=True)
class CacheEntry[T]:
    """
    What a cache holds under one key, and since and until when.

    Type parameters:
        T: the type of the value.

    >>> entry = CacheEntry("greeting", "hello", datetime.now(UTC), tags=("words",))
    >>> entry.is_expired
    False
    """

    key: str
    value: T
    created_at: datetime
    ttl: float | None = None
    """How many seconds it was given; `None` is for ever."""
    expires_at: datetime | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_expired(self) -> bool:
        """Whether its time is over by the machine's clock; a cache itself goes by the clock it was given."""
        if self.expires_at is None:
            return False
        return datetime.now(UTC) > self.expires_at


mend(CacheKey)
mend(CacheEntry)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """
    What a cache has counted since it was made; `size` is of now.

    >>> CacheStats(hits=3, misses=1).hit_ratio
    0.75
    """

    hits: int = 0
    misses: int = 0
    loads: int = 0
    """How many loaders were run by `get_or_set`, those that renew an entry included."""
    evictions: int = 0
    """How many entries were pushed out, before their time was over, to make room."""
    size: int | None = None
    """How many entries can be seen; `None` where the engine cannot tell."""
    load_seconds: float = 0.0
    """How long the loaders ran, all together."""
    expirations: int = 0
    """How many entries were removed because their time was over, as far as the cache itself removes them."""
    invalidations: int = 0
    """How many entries went with a tag, as far as that is known."""
    stale: int = 0
    """How many hits were answered with a value whose time was over, within the bound that was asked for."""
    errors: int = 0
    """How many calls the engine failed, those included that were answered all the same."""

    @property
    def hit_ratio(self) -> float:
        """The share of lookups that found something, 0.0 when there was none."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else 0.0


@runtime_checkable
class CacheProvider[T](Store[str, T], Protocol):
    """
    A `Store` that loads, tags and forgets.

    Keys are texts that are not blank, or `CacheKey`s; a key made of something else, or blank, is a `ValidationError`.
    Times to live are seconds above zero: `None` is the provider's default, `math.inf` is for ever. What is expired
    cannot be seen anywhere: not by `get`, not by `stats`, not in a count that `invalidate_by_tag` returns.
    A `set` replaces all there was under the key: value, time to live and tags.

    A value under a typed key is checked against the key's type. On the way in, another type is a `ValidationError`;
    on the way out, which means that somebody wrote the key without its type, it is a `CacheTypeError`. The parameters
    of a generic type (the `int` of `list[int]`) are the type checker's to see to.

    Type parameters:
        T: what is kept under plain keys.

    >>> async def greeting(cache: CacheProvider[str], name: str) -> str:
    ...     async def load() -> str:
    ...         return f"Hello, {name}!"
    ...     return await cache.get_or_set(f"greeting:{name}", load, ttl=60, tags=("greetings",))
    >>> isinstance(dict(), CacheProvider)
    False
    """

    @overload
    async def get[V](self, key: CacheKey[V]) -> V | None: ...
    @overload
    async def get(self, key: str) -> T | None: ...
    async def get(self, key: str | CacheKey[Any]) -> object:
        """Return the value under `key`, or `None`; `get_entry` tells a kept `None` from nothing."""
        ...

    @overload
    async def get_entry[V](self, key: CacheKey[V]) -> CacheEntry[V] | None: ...
    @overload
    async def get_entry(self, key: str) -> CacheEntry[T] | None: ...
    async def get_entry(self, key: str | CacheKey[Any]) -> CacheEntry[Any] | None:
        """Return the entry under `key` with its times and tags, or `None` when there is none."""
        ...

    @overload
    async def set[V](self, key: CacheKey[V], value: V, ttl: float | None = None) -> None: ...
    @overload
    async def set(self, key: str, value: T, ttl: float | None = None) -> None: ...
    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None:
        """Keep `value` under `key`, without tags."""
        ...

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
            ValidationError: a tag is blank or not a text, or `tags` is one text instead of several.
        """
        ...

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

        However many callers wait for a key, its loader runs once, in a task that belongs to none of them: a caller
        that is cancelled harms nobody else. When all of them are cancelled, so is the loader. What it raises reaches
        every caller that waits and is not kept. A kept `None` is a value, and is not loaded again.

        A `delete`, `set`, `clear` or invalidation of one of `tags` while the loader runs wins: what was loaded goes to
        those who already waited for it, is not kept, and whoever comes later has it loaded anew.

        With `stale`, a value stays at hand for so many seconds after its time is over, for `get_or_set` alone: that
        returns it at once and has the loader renew it meanwhile (RFC 5861, section 3). With `early`, it now and then
        does so before the time is over, the sooner the longer the last load took: so that callers of many processes
        do not all come to load in one moment (XFetch: Vattani, Chierichetti and Lowenstein, "Optimal probabilistic
        cache stampede prevention", 2015). Both go by what the entry was loaded with. A renewal that fails leaves what
        is there, and the next caller tries again; one that is running when the cache is closed is cancelled.

        Args:
            key: where the value is.
            loader: makes the value.
            ttl: the seconds it lives, from when it is loaded; `None` is the provider's default.
            tags: what it can be invalidated by.
            stale: the seconds for which it may be returned after its end, 0 or more.
            early: the paper's beta: 0 for never, 1 for what is best in most cases, more for earlier.

        Raises:
            LoadCycleError: the loader waits, itself or through the loaders of other keys, for its own key.
            LoadCancelledError: the loader was cancelled, but not by its callers.
        """
        ...

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        """Remove `key`; `True` to exactly one of any number of concurrent callers, and only if it was visible."""
        ...

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        """Say whether `get_entry` would find an entry; this counts neither as a hit nor as a use of it."""
        ...

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return what there is under `keys`; a key with nothing under it is not in the answer."""
        ...

    async def set_many(self, items: Mapping[str, T], ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep every value under its key, all with the same `ttl` and `tags`; one bad key, and none is kept."""
        ...

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` and return how many of them were there."""
        ...

    async def invalidate_by_tag(self, tag: str) -> int | None:
        """Remove every entry that has `tag`, and no other; return how many where the engine knows, else `None`."""
        ...

    async def clear(self) -> None:
        """Remove every entry of this cache; what `stats` has counted stays."""
        ...

    def stats(self) -> CacheStats:
        """Return what has been counted so far, without asking the engine."""
        ...
