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
_PLAIN: Final = re.compile(r"[!#$&-~]*")
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_CE_ID: Final = Header.ID.value
_CORRELATION: Final = Header.CORRELATION_ID.value


def written(envelope: Envelope) -> dict[str, str]:
    """Return the headers of `envelope` for NATS."""
    plain = _PLAIN.fullmatch
    headers = {name: value if plain(value) else quote(value, safe=_SAFE) for name, value in envelope.headers.items()}
    if envelope.key is not None:
        headers[_KEY] = quote(envelope.key, safe=_SAFE)
    if envelope.named:
        headers[NAMED] = quote(envelope.id, safe=_SAFE)
    if envelope.headers.get(_CE_ID) != envelope.id:
        headers[_ID] = quote(envelope.id, safe=_SAFE)
    return headers


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
        self.id = _read(id)
        self.topic = names.topic(message.subject)
        self.key = None if key is None else _read(key)
        correlation = raw.get(_CORRELATION)
        self.correlation_id = None if correlation is None else _read(correlation)
        self._headers = None
        self.data = message.data
        self.named = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = {name: _read(value) for name, value in self._raw.items() if not name[:1].isupper()}
        return self._headers


def _read(value: str) -> str:
    return unquote(value) if "%" in value else value
