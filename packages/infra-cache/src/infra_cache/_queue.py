"""A queue of keys that gives one up from its middle without looking for it."""

from collections import deque
from typing import Final

_SLACK: Final = 64  # so that a short queue is not swept over and over


class Queue[K]:
    """
    Keys, first in first out, each at most once.

    A key that leaves from the middle leaves its place behind, which is only counted: of all places of a key those that
    it left come first. Such places go as they come to the front, and all at once when they are the majority. The first
    place is never one of them.
    """

    __slots__ = ("_stale", "keys", "left", "size")

    keys: deque[K]
    left: dict[K, int]
    """How many places a key has left behind."""
    size: float
    """What the entries in it add up to; who puts them in and takes them out keeps it."""

    def __init__(self) -> None:
        self.keys = deque()
        self.size = 0
        self.left = {}
        self._stale = 0

    def remove(self, key: K) -> None:
        """Remove `key`, which is in it."""
        if self.keys[0] is key:
            self.keys.popleft()
        else:
            self.left[key] = self.left.get(key, 0) + 1
            self._stale += 1
        if self.left:
            self._settle()
        if not self.keys:
            self.size = 0  # whatever floats have lost on the way

    def turn(self) -> None:
        """Put the first key last."""
        self.keys.rotate(-1)
        if self.left:
            self._settle()

    def clear(self) -> None:
        self.keys.clear()
        self.size = 0
        self.left.clear()
        self._stale = 0

    def __copy__(self) -> "Queue[K]":
        made = Queue[K]()
        made.keys, made.size = self.keys.copy(), self.size
        made.left, made._stale = self.left.copy(), self._stale
        return made

    def __len__(self) -> int:
        return len(self.keys) - self._stale

    def _settle(self) -> None:
        keys = self.keys
        if self._stale * 2 > len(keys) + _SLACK:
            for _ in range(len(keys)):
                key = keys.popleft()
                if not self._is_stale(key):
                    keys.append(key)
        while keys and self._is_stale(keys[0]):
            keys.popleft()

    def _is_stale(self, key: K) -> bool:
        """Say whether the next place of `key` is one that it left, which is settled by that."""
        places = self.left.get(key, 0)
        if places > 1:
            self.left[key] = places - 1
        elif places:
            del self.left[key]
        self._stale -= places > 0
        return places > 0
