"""The entries of a cache in memory: their values in the policy, and beside it what else there is to know of each."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from cachetools import Cache

from infra_cache._lifetimes import Lease, Lifetimes
from infra_cache._tags import TagIndex
from infra_cache.messages import CacheMessages
from infra_protocols import ValidationError

ABSENT: Final[Any] = object()

_AT_ONCE: Final = 4  # how many dead entries one call buries: more than any call can add


class Entries:
    """
    Keeps values for as long as they live and there is room for them.

    What can be seen has a moment in `moments`, which is not over, and a value in `policy`. An entry dies when it is
    invalidated or its moment is over; it is buried, which frees its value and its tags, when room is wanted or by the
    calls that follow. One that was loaded to stay at hand lingers first, unless room is wanted, and cannot be seen
    meanwhile. A policy may drop values by itself: such an entry is dead when that is noticed.
    """

    __slots__ = (
        "_evict_live",
        "_heap",
        "_invalidated",
        "_lifetimes",
        "_lingering",
        "_most_lingering",
        "_now",
        "_store",
        "_tags",
        "_watermark",
        "evictions",
        "expirations",
        "invalidations",
        "moments",
        "policy",
        "tagged",
    )

    def __init__(self, policy: Cache[str, Any], now: Callable[[], float]) -> None:
        self.policy = policy
        self._store = policy.__setitem__
        self.evictions = self.expirations = self.invalidations = 0
        self._now = now
        self._lifetimes = Lifetimes()
        self._tags = TagIndex()
        # At hand, because calls cost more than what they would do.
        self.moments, self._heap, self.tagged = self._lifetimes.moments, self._lifetimes.heap, self._tags.tagged
        self._lingering = self._lifetimes.lingering
        self._invalidated: set[str] = set()  # without a moment, and not buried yet
        self._watermark = self._most_lingering = _AT_ONCE
        self._evict_live = policy.popitem
        # cachetools promises that a cache which needs room calls its own `popitem`.
        vars(policy)["popitem"] = self._evict

    def visible(self, key: str) -> bool:
        moment = self.moments.get(key)
        return moment is not None and (type(moment) is not Lease or self._now() < moment.end)

    def find(self, key: str) -> Any:
        """Return the value under `key`, which counts as a use of it, or `ABSENT`."""
        if self.visible(key):
            try:
                return self.policy[key]
            except KeyError:
                pass
        elif (end := self._lifetimes.renewable(key)) is not None and self._now() < end.last:
            return ABSENT  # but at hand
        self.remove(key)
        return ABSENT

    def at_hand(self, key: str, stale: float) -> Any:
        """Return what was under `key` until at most `stale` seconds ago, which counts as a use of it, or `ABSENT`."""
        end = self._lifetimes.renewable(key)
        if end is not None and self._now() < end + min(end.stale, stale):
            try:
                return self.policy[key]
            except KeyError:
                self.remove(key)
        return ABSENT

    def nears_end(self, key: str, factor: float) -> bool:
        """Say whether `key` would be over if it was loaded anew, and that took `factor` times as long as before."""
        end = self._lifetimes.renewable(key)
        return end is not None and self._now() + end.took * factor >= end

    def make_renewable(self, key: str, stale: float, took: float) -> None:
        """Note of what was just put under `key` how long it stays at hand, and how long the load took."""
        self._lifetimes.make_renewable(key, stale, took)

    def lifetime(self, key: str) -> tuple[float, float | None]:
        """Return since when `key` lives, and for how many seconds."""
        moment = self.moments[key]
        return (moment.end - moment.ttl, moment.ttl) if type(moment) is Lease else (moment, None)

    def put(self, key: str, value: Any, ttl: float | None, tags: tuple[str, ...], now: float | None = None) -> None:
        """
        Keep `value`, replacing all that is under `key`, from `now` on.

        Raises:
            ValidationError: it is larger than the policy allows; nothing is changed.
        """
        try:
            self._store(key, value)
        except ValueError:
            self.check_sizes((value,))
            raise  # it is not the size that the policy minds
        if now is None:
            now = self._now()
        new = self._lifetimes.start(key, now, ttl)
        if tags or self.tagged:
            self._tags.put(key, tags)
        if new:
            if self._invalidated:
                self._invalidated.discard(key)
            if self._lingering:
                self._lifetimes.replace(key)
            if self._invalidated or (self._heap and self._heap[0] <= now):
                self._tidy(now)
            if len(self.moments) > self._watermark:
                self._weed()
                self._watermark = 2 * len(self.moments)

    def check_sizes(self, values: Iterable[Any]) -> None:
        most = self.policy.maxsize
        for value in values:
            size = self.policy.getsizeof(value)
            if size > most:
                message = CacheMessages.VALIDATION_OUT_OF_RANGE.format(field="the size of value", min=0, max=most)
                bounds = {"size": size, "max": most}
                raise ValidationError(message, field="value", kind=type(value).__name__, parameters=bounds)

    def remove(self, key: str) -> bool:
        """Remove `key`, and say whether it could be seen."""
        seen = self.visible(key)
        if not self._lifetimes.end(key):
            return False
        return (self._bury(key) if seen else self._expire(key)) is not ABSENT and seen

    def invalidate(self, tag: str) -> int:
        """Remove all that has `tag`, and return how many of them could be seen."""
        self.count()
        keys = self._tags.take(tag)
        self._invalidated = self._invalidated | keys if self._invalidated else keys
        gone = self._lifetimes.end_all(keys)
        self.invalidations += gone
        return gone

    def count(self) -> int:
        """Return how many entries can be seen; those that are over are buried for that."""
        now = self._now()
        while self._heap and self._heap[0] <= now:
            self._surface(now)
        self._weed()
        return len(self.moments)

    def clear(self) -> None:
        self._lifetimes.clear()
        self._tags.clear()
        self._invalidated.clear()
        self.policy.clear()

    def _evict(self) -> tuple[str, Any]:
        """Make room: the policy's `popitem`, but for letting the dead go before the living."""
        while self._invalidated or self._lingering or (self._heap and self._heap[0] <= self._now()):
            if self._invalidated:
                dead = self._invalidated.pop()
                value = self._bury(dead)
            elif (dead := self._end_one()) is not None:
                value = self._expire(dead)
            else:
                continue
            if value is not ABSENT:
                return dead, value
        key, value = self._evict_live()
        if self._lifetimes.end(key):
            self.evictions += 1
        if self.tagged:
            self._tags.drop(key)
        return key, value

    def _end_one(self) -> str | None:
        """Forget an entry that is over, if there is one, and return its key; one that lingers is second choice."""
        now, lingering = self._now(), len(self._lingering)
        while self._heap and self._heap[0] <= now and len(self._lingering) == lingering:
            key = self._lifetimes.surface(now)
            if key is not None:
                return key
        return self._lifetimes.end_lingering() if self._lingering else None

    def tidy(self) -> None:
        """Bury some of the dead."""
        if self._invalidated or self._heap:
            self._tidy(self._now())

    def _tidy(self, now: float) -> None:
        for _ in range(_AT_ONCE):
            if self._invalidated:
                self._bury(self._invalidated.pop())
            elif self._heap and self._heap[0] <= now:
                self._surface(now)
            else:
                break
        if len(self._lingering) > self._most_lingering:
            self._weed()
            self._most_lingering = max(_AT_ONCE, 2 * len(self._lingering))

    def _surface(self, now: float) -> None:
        dead = self._lifetimes.surface(now)
        if dead is not None:
            self._expire(dead)

    def _expire(self, key: str) -> Any:
        value = self._bury(key)
        if value is not ABSENT:
            self.expirations += 1
        return value

    def _bury(self, key: str) -> Any:
        """Free the value and the tags of a key without a moment; return the value, if the policy has it still."""
        self._tags.drop(key)
        return self.policy.pop(key, ABSENT)

    def _weed(self) -> None:
        """Forget what the policy has dropped by itself."""
        if len(self.policy) == len(self.moments) + len(self._lingering) + len(self._invalidated):
            return
        for key in [key for key in (*self.moments, *self._lingering) if key not in self.policy]:
            self._lifetimes.end(key)
            self._tags.drop(key)
        for key in [key for key in self._invalidated if key not in self.policy]:
            self._invalidated.discard(key)
            self._tags.drop(key)
