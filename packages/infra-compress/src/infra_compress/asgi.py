"""ASGI, as far as it is used here."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
type Header = tuple[bytes, bytes]

START: Final = "http.response.start"
BODY: Final = "http.response.body"
REQUEST: Final = "http.request"
FILES: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
"""Messages that stand for a body which is not seen here."""


def header_lines(headers: Iterable[Header], name: bytes) -> list[str]:
    """Return the values of all lines of one header; `name` is in lower case."""
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]
