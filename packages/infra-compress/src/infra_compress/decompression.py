"""Decompressing what clients send."""

import asyncio
from collections.abc import Iterator
from typing import Final

from infra_compress.asgi import (
    BODY,
    REQUEST,
    START,
    ASGIApp,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    header_lines,
)
from infra_compress.codings import IDENTITY, canonical
from infra_compress.config import CompressionConfig
from infra_compress.factory import CompressorFactory
from infra_compress.refusal import Refusal, plain_refusal, with_header
from infra_compress.service import CompressionService
from infra_protocols import CompressionError, Compressor
from infra_result import Err

_OF_CODED: Final = frozenset({b"content-encoding", b"content-length"})


class DecompressionMiddleware:
    """
    Decompresses the bodies of requests for an ASGI application, which sees them as if they had been sent plain.

    A body is decompressed as it is read, a piece at a time, so that a request takes no more memory than the application
    keeps of it. One that cannot be taken is answered here, whatever the application makes of it, unless it has begun
    to answer: then it gets the error from `receive`, as it does in any case.

    | status | when |
    |---|---|
    | 400 | the body is cut short, damaged, or followed by something else |
    | 413 | it becomes larger than `config.max_size` |
    | 415 | its coding is not known, or it has several; `Accept-Encoding` says what is (RFC 9110, section 15.5.16) |

    Args:
        app: the application.
        config: which codings to take, and how much may come of a body.
        factory: makes the compressors.
        refusal: makes the answer to a body that cannot be taken; by default a short text.

    Raises:
        CompressionError: a coding of `config.encodings` cannot be made.
        ValidationError: a coding has no such level.

    >>> import asyncio
    >>> from infra_compress import GzipCompressor
    >>> async def app(scope, receive, send):
    ...     print(scope["headers"], await receive())
    >>> async def receive():
    ...     return {"type": "http.request", "body": GzipCompressor().compress(b"hello"), "more_body": False}
    >>> request = {"type": "http", "headers": [(b"content-encoding", b"gzip"), (b"content-length", b"25")]}
    >>> asyncio.run(DecompressionMiddleware(app)(request, receive, print))
    [] {'type': 'http.request', 'body': b'hello', 'more_body': True}
    """

    def __init__(
        self,
        app: ASGIApp,
        config: CompressionConfig | None = None,
        factory: CompressorFactory | None = None,
        refusal: Refusal = plain_refusal,
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._service = CompressionService(config, factory)
        self._accepted: Header = (b"accept-encoding", ", ".join(self._service.encodings).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        codings = _codings(scope) if scope["type"] == "http" else []
        if not codings:
            await self._app(scope, receive, send)
            return
        found = self._service.compressor(",".join(codings))
        if isinstance(found, Err):
            await self._refusal(found.error)(scope, receive, with_header(send, self._accepted))
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_CODED]
        request = _Request(receive, send, found.value, self._service.config.max_size)
        try:
            await self._app({**scope, "headers": headers}, request.receive, request.send)
        except CompressionError as error:
            if error is not request.refusal or request.begun:
                raise
        if request.refusal is not None and not request.begun:
            await self._refusal(request.refusal)(scope, receive, send)


class _Request:
    """One request on its way through the middleware."""

    def __init__(self, receive: Receive, send: Send, compressor: Compressor, max_size: int) -> None:
        self._receive = receive
        self._send = send
        self._stream = compressor.decompress_stream(max_size=max_size)
        self._pieces: Iterator[bytes] = iter(())
        self._more = True
        self._ended = False
        self.refusal: CompressionError | None = None
        """Why the body cannot be taken."""
        self.begun = False
        """Whether the application's answer is on its way."""

    async def receive(self) -> Message:
        if self.refusal is not None:
            raise self.refusal
        try:
            return await self._next()
        except CompressionError as error:
            self.refusal = error
            raise

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.begun and message["type"] in (START, BODY):
            return  # the middleware answers
        self.begun = self.begun or message["type"] == START
        await self._send(message)

    async def _next(self) -> Message:
        while True:
            piece = next(self._pieces, None)
            if piece is not None:
                await asyncio.sleep(0)  # there may be many, and nothing else to wait for in between
                return {"type": REQUEST, "body": piece, "more_body": True}
            if self._ended:
                return await self._receive()
            if not self._more:
                self._stream.finish()
                self._ended = True
                return {"type": REQUEST, "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != REQUEST:
                return message
            self._more = message.get("more_body", False)
            self._pieces = self._stream.decompress(bytes(message.get("body", b"")))


def _codings(scope: Scope) -> list[str]:
    listed = ",".join(header_lines(scope["headers"], b"content-encoding")).split(",")
    names = [canonical(name.strip(" \t")) for name in listed]
    return [name for name in names if name and name != IDENTITY]
