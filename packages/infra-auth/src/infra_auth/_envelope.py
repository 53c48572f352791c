"""The outside of a token, read strictly: what is not exactly a JWS in compact serialization gets no further."""

from typing import Any, Final, NamedTuple

from infra_auth._base64url import decode
from infra_auth._errors import malformed, told
from infra_auth._json import read
from infra_auth.messages import AuthMessages
from infra_protocols import (
    AuthenticationError,
    DecodeError,
    TokenHeaderError,
    TokenMalformedError,
    TokenTooLargeError,
)

MAX_HEADER: Final = 2048
"""How long a header may be, in base 64, in bytes."""
MAX_KNOWN: Final = 64
"""How many headers are remembered."""


class Header(NamedTuple):
    """What counts of a header: all else in it, as `jwk`, `jku`, `x5u` and `x5c`, is never looked at."""

    alg: str
    kid: str | None
    typ: str | None


class Envelope(NamedTuple):
    """A token in its parts, of which only the header was decoded."""

    header: Header
    signed: bytes
    head: bytes
    payload: bytes
    signature: bytes


class EnvelopeReader:
    """
    Takes tokens apart.

    The header of a token is one of few, mostly: those of tokens whose signature was good are remembered.
    """

    __slots__ = ("_known", "_max_size")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._known: dict[bytes, Header] = {}

    def read(self, token: object) -> Envelope | AuthenticationError:
        """Return the parts of `token`, or what is wrong with it."""
        if type(token) is not str:
            return malformed("it is no text")
        if len(token) > self._max_size:
            return too_large("whole", self._max_size)
        try:
            data = token.encode("ascii")
        except UnicodeEncodeError:
            return malformed("it is not in ASCII")
        parts = data.split(b".", 3)
        if len(parts) != 3:
            return malformed("it has not three parts")
        head, payload, signature = parts
        header = self._known.get(head) or _header(head)
        if not isinstance(header, Header):
            return header
        return Envelope(header, data[: len(head) + 1 + len(payload)], head, payload, signature)

    def remember(self, envelope: Envelope) -> None:
        """Spare the next token with this header the decoding; not to be called for one that may be an attacker's."""
        if envelope.head not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[envelope.head] = envelope.header


def object_of(part: bytes, name: str) -> dict[str, Any] | TokenMalformedError:
    """Return the object that a part of a token holds in base 64, or what is wrong with it."""
    data = decode(part)
    if data is None:
        return malformed(f"its {name} is not in base 64, as base64url spells it")
    try:
        return read(data)
    except DecodeError:
        return malformed(f"its {name} is no JSON object, or one that is ambiguous")


def too_large(part: str, size: int) -> TokenTooLargeError:
    return told(TokenTooLargeError, AuthMessages.AUTH_TOKEN_TOO_LARGE.format(part=part, max=size))


def _header(head: bytes) -> Header | AuthenticationError:
    if len(head) > MAX_HEADER:
        return too_large("header", MAX_HEADER)
    fields = object_of(head, "header")
    if isinstance(fields, TokenMalformedError):
        return fields
    alg, kid, typ = (fields.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(alg, str):
        return malformed("its header has no alg")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        return malformed("its kid or typ is no text")
    if "crit" in fields:
        return told(TokenHeaderError, AuthMessages.AUTH_HEADER_CRITICAL)
    return Header(alg, kid, typ)
