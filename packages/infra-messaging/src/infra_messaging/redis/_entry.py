"""How an envelope lies in a stream: five fields, the headers as lines, first all names and then all values."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, override

from infra_messaging._engine import Envelope, Received
from infra_protocols import Header

_CORRELATION_ID: Final = Header.CORRELATION_ID.value
_CORRELATED: Final = _CORRELATION_ID.encode()

type Fields = tuple[bytes | str, bytes | str, bytes | str, bytes | str, bytes]


def fields_of(id: str, topic: str, key: str | None, headers: Mapping[str, str], data: bytes) -> Fields:
    """Return the values of the fields `id`, `topic`, `key`, `headers` and `data`."""
    return id, topic, key or "", "\n".join([*headers, *headers.values()]), data


class Stored(Envelope):
    """An envelope whose headers are read when somebody asks for them."""

    __slots__ = ("_lines",)

    def __init__(self, id: bytes, topic: bytes, key: bytes, lines: bytes, data: bytes) -> None:
        self.id = id.decode()
        self.topic = topic.decode()
        self.key = key.decode() if key else None
        self.data = data
        self.named = False
        self._headers = None
        self._lines = lines
        self.correlation_id = self.headers.get(_CORRELATION_ID) if _CORRELATED in lines else None

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            lines = self._lines.decode(errors="replace").split("\n") if self._lines else []
            half = len(lines) // 2
            self._headers = dict(zip(lines[:half], lines[half:], strict=False))
        return self._headers


def received(entry: bytes, fields: Sequence[bytes], attempt: int) -> Received:
    """Return what `fields_of` has written, with the id of its entry as its token."""
    try:
        _, id, _, topic, _, key, _, lines, _, data = fields
        return Received(Stored(id, topic, key, lines, data), attempt, entry)
    except ValueError:
        # Somebody else has written it. What nobody can decode becomes a dead letter.
        return Received(Stored(entry, b"unreadable", b"", b"", b"\n".join(fields)), attempt, entry)


def read(reply: Any) -> list[Received]:
    """Return what the reply of `XREADGROUP` has brought, for one stream."""
    if not reply:
        return []
    ((_, entries),) = reply.items() if hasattr(reply, "items") else reply
    if hasattr(entries[0][1], "items"):  # the client of a Cluster makes a dict of the fields
        entries = [(entry, [each for field in fields.items() for each in field]) for entry, fields in entries]
    return [received(entry, fields, 1) for entry, fields in entries]
