"""The headers of a response that is, or could be, compressed."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from infra_compress.asgi import Header
from infra_compress.content_types import EVENT_STREAM, media_type

_VARIES_BY: Final = "Accept-Encoding"
_WITHOUT_BODY: Final = frozenset({204, 205, 206, 304})
_FIXED: Final = frozenset({b"content-encoding", b"content-range", b"content-digest", b"repr-digest"})
"""Where one of these is, the body must stay what it is."""
_OF_PLAIN: Final = frozenset({b"content-length", b"accept-ranges"})
"""These are not true any more of a body that is compressed."""


class Content(NamedTuple):
    """What the headers of a response say of its body, if that may be compressed at all."""

    type: str
    size: int | None
    """How large it will be, in bytes, if that was said."""

    @classmethod
    def of(cls, status: int, headers: Iterable[Header]) -> Self | None:
        """Return what `headers` say; `None` is for a body that must not be touched, or has no type."""
        if status < 200 or status in _WITHOUT_BODY:
            return None
        kind, size = None, None
        for name, value in headers:
            match name.lower():
                case b"content-type":
                    kind = value.decode("latin-1")
                case b"content-length":
                    size = int(value) if value.isdigit() else None
                case b"cache-control" if "no-transform" in _listed(value):
                    return None
                case name if name in _FIXED:
                    return None
                case _:
                    pass
        return None if kind is None else cls(kind, size)

    @property
    def is_event_stream(self) -> bool:
        """Whether it is events, each of which is waited for."""
        return media_type(self.type) == EVENT_STREAM


def varying(headers: Iterable[Header]) -> list[Header]:
    """Return `headers` with `Vary` saying that the response goes by Accept-Encoding (RFC 9110, section 12.5.5)."""
    merged = list(headers)
    places = [place for place, (name, _) in enumerate(merged) if name.lower() == b"vary"]
    listed = [word for place in places for word in _listed(merged[place][1])]
    if "*" in listed or _VARIES_BY.lower() in listed:
        return merged
    added = _VARIES_BY.encode()
    if not places:
        return [*merged, (b"vary", added)]
    name, value = merged[places[-1]]
    merged[places[-1]] = name, value + b", " + added if value.strip() else added
    return merged


def coded(headers: Iterable[Header], encoding: str, size: int | None = None) -> list[Header]:
    """
    Return `headers` for the same body in a coding, `size` bytes large if that is known.

    A strong ETag becomes a weak one: the bytes are others, the meaning is the same (RFC 9110, section 8.8.1).
    """
    changed = [
        (name, b"W/" + value if name.lower() == b"etag" and value.startswith(b'"') else value)
        for name, value in headers
        if name.lower() not in _OF_PLAIN
    ]
    if size is not None:
        changed.append((b"content-length", b"%d" % size))
    changed.append((b"content-encoding", encoding.encode()))
    return changed


def _listed(value: bytes) -> list[str]:
    return [word.strip().lower() for word in value.decode("latin-1").split(",")]
