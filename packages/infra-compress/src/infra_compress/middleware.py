"""Compressing what an application answers."""

from typing import Final

from infra_compress._response import Response
from infra_compress.asgi import ASGIApp, Receive, Scope, Send, header_lines
from infra_compress.codings import IDENTITY
from infra_compress.config import CompressionConfig
from infra_compress.content_types import ContentTypes
from infra_compress.factory import CompressorFactory
from infra_compress.messages import CompressMessages
from infra_compress.negotiation import join_lines, negotiate
from infra_compress.refusal import Refusal, plain_refusal, with_header
from infra_compress.service import CompressionService
from infra_protocols import NotAcceptableError

_VARY: Final = (b"vary", b"Accept-Encoding")


class CompressionMiddleware:
    """
    Compresses the responses of an ASGI application by what each client accepts.

    A body that comes whole is compressed if it is large enough, of a type that is worth it, and becomes smaller; large
    ones are compressed in a thread. One that comes in parts is compressed as it comes, and no part waits longer than
    `flush_delay` seconds in the compressor; events (`text/event-stream`) do not wait at all.

    `Vary` says that the answer goes by Accept-Encoding, also where it is plain; a strong `ETag` becomes weak;
    `Accept-Ranges` goes. Untouched, byte for byte, are answers to HEAD, those with status 204, 205, 206 or 304, with
    `Content-Encoding`, `Content-Range`, a digest of the body or `Cache-Control: no-transform`, and files that the
    server sends by itself. A client that accepts no coding that there is, nor plain content, is answered 406, and the
    application is not asked.

    Args:
        app: the application.
        config: what to compress, and how.
        factory: makes the compressors.
        refusal: makes the answer where nothing is acceptable; by default a short text.

    Raises:
        CompressionError: a coding of `config.encodings` cannot be made.
        ValidationError: a coding has no such level, or cannot be padded.

    >>> import asyncio
    >>> async def app(scope, receive, send):
    ...     headers = [(b"content-type", b"application/json")]
    ...     await send({"type": "http.response.start", "status": 200, "headers": headers})
    ...     await send({"type": "http.response.body", "body": b"[" + b"1, " * 1000 + b"1]"})
    >>> async def show(message):
    ...     print(dict(message.get("headers", {})).get(b"content-encoding") or len(message["body"]) < 100)
    >>> request = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    >>> asyncio.run(CompressionMiddleware(app)(request, None, show))
    b'gzip'
    True
    """

    def __init__(
        self,
        app: ASGIApp,
        config: CompressionConfig | None = None,
        factory: CompressorFactory | None = None,
        refusal: Refusal = plain_refusal,
    ) -> None:
        service = CompressionService(config, factory)
        self._app = app
        self._refusal = refusal
        self._config = service.config
        self._content_types = ContentTypes(service.config.content_types)
        self._encodings = service.encodings
        self._compressors = {name: service.compressor(name).unwrap() for name in service.encodings}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self._app(scope, receive, send)
            return
        lines = header_lines(scope["headers"], b"accept-encoding")
        encoding, plain = IDENTITY, True
        if lines:
            _, encoding, plain = negotiate(lines[0] if len(lines) == 1 else join_lines(lines), self._encodings)
            if encoding is None:
                error = NotAcceptableError(CompressMessages.COMPRESSION_NOT_ACCEPTABLE)
                await self._refusal(error)(scope, receive, with_header(send, _VARY))
                return
        compressor = self._compressors.get(encoding)
        response = Response(send, self._config, self._content_types, compressor, plain=plain)
        try:
            await self._app(scope, receive, response.send)
            await response.finish()
        finally:
            await response.close()
