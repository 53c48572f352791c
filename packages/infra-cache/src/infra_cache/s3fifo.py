"""The eviction policy that a cache has by default."""

import sys
from collections.abc import Callable, Iterator
from copy import copy
from math import inf
from typing import Final, Self

from cachetools import Cache

from infra_cache._queue import Queue
from infra_cache.messages import CacheMessages
from infra_protocols import ValidationError

# Of `maxsize`, what the small queue is held to: at least, at first, at most.
_LEAST: Final = 0.02
_FIRST: Final = 0.1
_MOST: Final = 0.9
# Of the entries, how many keys are remembered of those that went from either queue: together what the main one holds.
_FROM_SMALL: Final = 0.6
_FROM_MAIN: Final = 0.3

_TURNS: Final = 64  # how many entries one eviction spares: else the first after many hits would go round them all

# What is known of a key. In the small queue it is twice its uses, in the main one that and one.
_MAIN: Final = 1
USE: Final = 2
USED: Final = 6
_WENT_FROM_SMALL: Final = -1
_WENT_FROM_MAIN: Final = -2


class S3FIFOCache[K, V](Cache[K, V]):
    """
    A `cachetools.Cache` that keeps what is used again, and lets go soon what is used once, as scans do.

    This is S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023): a new
    key enters a small queue; at the end of that it goes, or moves to the main queue if it was used meanwhile. The main
    queue spares a key as often as it was used, three times at most. A key that comes back soon after it went enters the
    main queue at once.

    Here the small queue adapts, as in ARC: it has 10 % of the room at first, more when keys come back that it let go,
    and less when it is those of the main queue, but 2 % at least and 90 % at most. Where what is used changes, that
    keeps more of it.

    A hit and an overwrite move nothing. A deletion, and an eviction, take constant time, amortised. Beside its entries
    it holds as many keys as 90 % of them, of those that went. It is deterministic, and not for several threads.

    Args:
        maxsize: what the sizes of its values add up to at most.
        getsizeof: returns the size of a value, finite and not negative; without it, each counts as 1.

    Type parameters:
        K: the keys.
        V: the values.

    >>> cache = S3FIFOCache[str, int](3)
    >>> cache.update(a=1, b=2, c=3)
    >>> cache["a"]
    1
    >>> cache["d"] = 4
    >>> sorted(cache)
    ['a', 'c', 'd']
    """

    # A cache around this one may do what a hit does by itself, and spare the call.
    kept: dict[K, V]
    """What is in it, for reading."""
    known: dict[K, int]
    """What is known of each key in it, and of those that went; a hit adds `USE` to what is less than `USED`."""
    sizes: dict[K, float] | None
    """The size of each value, for reading; `None` when each counts as 1."""

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._maxsize = maxsize
        self._room = min(maxsize, sys.float_info.max)  # what is larger can be no float
        self._target = self._room * _FIRST
        self.kept = {}
        self.known = {}
        self.sizes = None if self.getsizeof is Cache[K, V].getsizeof else {}
        self._small, self._main = Queue[K](), Queue[K]()
        self._went_from_small, self._went_from_main = Queue[K](), Queue[K]()

    def __getitem__(self, key: K) -> V:
        """Return the value under `key`, which counts as a use of it."""
        try:
            value = self.kept[key]
        except KeyError:
            return self.__missing__(key)
        known = self.known[key]
        if known < USED:
            self.known[key] = known + USE
        return value

    def __setitem__(self, key: K, value: V) -> None:
        """
        Keep `value` under `key`; an overwrite counts as a use.

        Raises:
            ValidationError: its size is not between 0 and `maxsize`; what was there stays.
        """
        if key in self.kept and self.sizes is None:
            self.kept[key] = value
            known = self.known[key]
            if known < USED:
                self.known[key] = known + USE
        else:
            self._store(key, value)

    def __delitem__(self, key: K) -> None:
        """Remove `key` as if it had never been there; a `KeyError` when it is not."""
        del self.kept[key]
        queue = self._main if self.known.pop(key) & _MAIN else self._small
        queue.size -= 1 if self.sizes is None else self.sizes.pop(key)
        queue.remove(key)
        while len(self.known) > (1 + _FROM_SMALL + _FROM_MAIN) * len(self.kept):
            many_from_small = len(self._went_from_small) > _FROM_SMALL * len(self.kept)
            self._forget_first(self._went_from_small if many_from_small else self._went_from_main)

    def popitem(self) -> tuple[K, V]:
        """
        Remove and return the pair that is to go first.

        Raises:
            KeyError: it is empty.
        """
        known, small, main = self.known, self._small, self._main
        turns = 0
        while True:
            if small.keys and (small.size >= self._target or not main.keys):
                key, went, queue, share = small.keys[0], _WENT_FROM_SMALL, self._went_from_small, _FROM_SMALL
                if not known[key] or turns == _TURNS:
                    break
                self._move_to_main(key)
            elif main.keys:
                key, went, queue, share = main.keys[0], _WENT_FROM_MAIN, self._went_from_main, _FROM_MAIN
                uses = known[key]
                if uses < USE or turns == _TURNS:
                    break
                known[key] = uses - USE
                main.turn()
            else:
                raise KeyError(CacheMessages.CACHE_EMPTY.format(name=type(self).__name__))
            turns += 1
        value = self.kept[key]
        del self[key]
        known[key] = went
        queue.keys.append(key)
        if len(queue) > share * len(self.kept):
            self._forget_first(queue)
        return key, value

    def clear(self) -> None:
        """Remove all, and forget what went before."""
        self.kept.clear()
        self.known.clear()
        if self.sizes is not None:
            self.sizes.clear()
        for queue in (self._small, self._main, self._went_from_small, self._went_from_main):
            queue.clear()
        self._target = self._room * _FIRST

    @property
    def currsize(self) -> float:
        """What the sizes of its values add up to."""
        return self._small.size + self._main.size

    def __contains__(self, key: object) -> bool:
        """Say whether something is under `key`; this is no use of it."""
        return key in self.kept

    def __iter__(self) -> Iterator[K]:
        """Return the keys in the order in which they came."""
        return iter(self.kept)

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self.kept)

    def __repr__(self) -> str:
        """Show what is in it."""
        return f"{type(self).__name__}({self.kept!r}, maxsize={self.maxsize!r}, currsize={self.currsize!r})"

    def __copy__(self) -> Self:
        """Return another cache with the same keys, values and history."""
        made = type(self).__new__(type(self))
        for name, value in vars(self).items():
            vars(made)[name] = copy(value) if type(value) in (dict, Queue) else value
        return made

    def _store(self, key: K, value: V) -> None:
        sizes, small, main = self.sizes, self._small, self._main
        size = 1 if sizes is None else self.getsizeof(value)
        if not 0 <= size <= self._maxsize or size == inf:
            message = CacheMessages.VALIDATION_OUT_OF_RANGE.format(field="the size of value", min=0, max=self._maxsize)
            bounds = {"size": size, "max": self._maxsize}
            raise ValidationError(message, field="value", kind=type(value).__name__, parameters=bounds)
        if sizes is None:
            while len(self.kept) + 1 > self._maxsize:
                self.popitem()
        else:
            while small.size + main.size - sizes.get(key, 0) + size > self._maxsize:
                self.popitem()
            if key in sizes:
                known = self.known[key]
                self.known[key] = min(known + USE, USED + (known & _MAIN))
                (main if known & _MAIN else small).size += size - sizes[key]
                self.kept[key] = value
                sizes[key] = size
                return
            sizes[key] = size
        self.kept[key] = value
        went = self.known.pop(key, None)
        if went is not None:
            self._come_back(key, went)
        elif small.size < self._target:
            self.known[key] = 0
            small.keys.append(key)
            small.size += size
            return
        self.known[key] = _MAIN
        main.keys.append(key)
        main.size += size

    def _come_back(self, key: K, went: int) -> None:
        step = self._room / len(self.kept)  # the room that an entry takes, in the mean
        if went == _WENT_FROM_SMALL:
            self._went_from_small.remove(key)
            self._target = min(self._room * _MOST, self._target + step)
        else:
            self._went_from_main.remove(key)
            # Half as many of these are remembered: each stands for two.
            self._target = max(self._room * _LEAST, self._target - 2 * step)

    def _move_to_main(self, key: K) -> None:
        size = 1 if self.sizes is None else self.sizes[key]
        self.known[key] = _MAIN
        self._small.size -= size
        self._small.remove(key)
        self._main.keys.append(key)
        self._main.size += size

    def _forget_first(self, queue: Queue[K]) -> None:
        key = queue.keys[0]
        del self.known[key]
        queue.remove(key)
