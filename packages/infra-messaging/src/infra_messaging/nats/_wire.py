"""
Envelopes as messages of NATS.

What is not printable ASCII, a space, `"` and `%` are written as percent and hexadecimal, as the binding of CloudEvents
to NATS says (1.0.2, section 3.2.2). Names of our own begin with a capital, as no header of a caller does.
"""

import re
from collections.abc import Mapping
from typing import Final, override
from urllib.parse import quote, unquote

from nats.aio.msg import Msg

from infra_messaging._engine import Envelope
from infra_messaging.nats._names import Names
from infra_protocols import Header

NAMED: Final = "Nats-Msg-Id"
"""The server drops the second of two messages that have it in common, for two minutes."""
TARGET: Final = "Infra-Group"
"""In what is replayed: the only group that it is for."""
_ID: Final = "Infra-Id"
_KEY: Final = "Infra-Key"
_is_plain: Final = re.compile(r"[!#$&-~]*").fullmatch
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_CE_ID: Final = Header.ID.value
_CORRELATION: Final = Header.CORRELATION_ID.value


class _Plain(str):
    """Printable ASCII without a space: nats-py need not look for ends of lines, which would take longest of all."""

    __slots__ = ()

    @override
    def strip(self, chars: str | None = None, /) -> str:
        return self

    @override
    def translate(self, table: object, /) -> str:
        return self


def written(envelope: Envelope) -> dict[str, str]:
    """
    Return the headers of `envelope` for NATS.

    What the server reads is the first, as it does not look on when it finds the name within a value (2.9.10).
    """
    carried = envelope.headers
    headers = {NAMED: write(envelope.id)} if envelope.named else {}
    headers |= {name: write(value) for name, value in carried.items()}
    if envelope.key is not None:
        headers[_KEY] = write(envelope.key)
    if carried.get(_CE_ID) != envelope.id:
        headers[_ID] = write(envelope.id)
    return headers


def write(value: str) -> str:
    return _Plain(value if _is_plain(value) else quote(value, safe=_SAFE))


def size(headers: Mapping[str, str]) -> int:
    """Return how many bytes they are: the first line, the last, and of each the name, `: `, the value, end of line."""
    return 14 + sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)


class Incoming(Envelope):
    """An envelope whose headers are read when somebody asks for them."""

    __slots__ = ("_raw",)

    def __init__(self, message: Msg, names: Names, sequence: str) -> None:
        raw: Mapping[str, str] = message.headers or {}
        self._raw = raw
        id = raw.get(_ID) or raw.get(_CE_ID) or raw.get(NAMED) or sequence
        key = raw.get(_KEY)
        self.id = read(id)
        self.topic = names.topic(message.subject)
        self.key = None if key is None else read(key)
        correlation = raw.get(_CORRELATION)
        self.correlation_id = None if correlation is None else read(correlation)
        self._headers = None
        self.data = message.data
        self.named = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = {name: read(value) for name, value in self._raw.items() if not name[:1].isupper()}
        return self._headers


def read(value: str) -> str:
    return unquote(value) if "%" in value else value
