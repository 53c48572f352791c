"""How an entry looks in Redis: a head of fixed size, the versions of its tags, the value."""

from dataclasses import dataclass
from math import inf
from struct import Struct
from typing import Final

_HEAD: Final = Struct(">B8sddddd")
"""Kind, token, created_at, ttl, stale, took, renewed until; `_scripts` reads it by these offsets."""
_LENGTH: Final = Struct(">I")
_TAG: Final = Struct(">H")

ENTRY: Final = ord("E")
LASTING: Final = ord("S")
"""An entry that is kept beyond its end: whether it can be seen is a question of what time it has left."""
VERSION: Final = 8
"""How many bytes the version of a tag has."""
SIZE: Final = _HEAD.size + _LENGTH.size
"""How many bytes come before the tags; where there are none, before the value."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    What there is to know of an entry beside its value.

    >>> Head.of(Head(b"8 bytes!", 0.0, 60.0).packed()).ttl
    60.0
    """

    token: bytes
    """Differs whenever the entry does: what was read can be replaced only if it is still there."""
    created_at: float
    """By the clock of the one who wrote it, in seconds since 1970."""
    ttl: float = inf
    stale: float = 0.0
    """For how many seconds it is kept after its end."""
    took: float = 0.0
    """How long it took to load, in seconds."""

    def packed(self) -> bytes:
        """Return the head as bytes, up to where the tags begin."""
        kind = LASTING if self.stale else ENTRY
        return _HEAD.pack(kind, self.token, self.created_at, self.ttl, self.stale, self.took, 0.0)

    @classmethod
    def of(cls, frame: bytes) -> "Head":
        """Return the head of an entry."""
        _, token, created_at, ttl, stale, took, _ = _HEAD.unpack_from(frame)
        return cls(token, created_at, ttl, stale, took)


UNTAGGED: Final = _LENGTH.pack(0)
"""What comes between head and value where there are no tags."""


_LENGTH_AT: Final = _HEAD.size
_length_at: Final = _LENGTH.unpack_from


def value_of(frame: bytes) -> bytes:
    """Return the encoded value of an entry."""
    (length,) = _length_at(frame, _LENGTH_AT)
    return frame[SIZE + length :]


def tags_of(frame: bytes) -> tuple[str, ...]:
    """Return the tags of an entry."""
    (length,) = _LENGTH.unpack_from(frame, _HEAD.size)
    tags: list[str] = []
    at, end = SIZE, SIZE + length
    while at < end:
        (size,) = _TAG.unpack_from(frame, at)
        at += _TAG.size
        tags.append(frame[at : at + size].decode("utf-8", "surrogatepass"))
        at += size + VERSION
    return tuple(tags)
