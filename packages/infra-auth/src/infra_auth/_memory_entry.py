"""What a store in memory keeps of a token, and how it finds the tokens of a user or of a family."""

from dataclasses import dataclass
from datetime import datetime

from infra_protocols import StoredToken

type Entry[T: StoredToken] = tuple[datetime, bytes, str, str, datetime, T | None]
"""
All of a token but its `jti`: its end, its name in the store, its user, its family, when it was made; and the token
itself, again without its `jti`, where a subclass has added fields.

A plain tuple, with what the heap goes by in front: the garbage collector soon leaves one alone, while it would visit
objects over and over, a million of them.
"""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a token was rotated, and what its successor is called, as only who has the token can read it."""

    sealed: bytes
    at: float


class Index:
    """
    The names of the tokens that have something in common.

    Most have it alone; only those that share it take up a set.
    """

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, bytes | set[bytes]] = {}

    def add(self, key: str, name: bytes) -> None:
        there = self._names.setdefault(key, name)
        if isinstance(there, set):
            there.add(name)
        elif there != name:
            self._names[key] = {there, name}

    def discard(self, key: str, name: bytes) -> None:
        there = self._names.get(key)
        if there == name:
            del self._names[key]
        elif isinstance(there, set):
            there.discard(name)
            if not there:
                del self._names[key]

    def names(self, key: str) -> set[bytes]:
        there = self._names.get(key)
        if there is None:
            return set()
        return there if isinstance(there, set) else {there}
