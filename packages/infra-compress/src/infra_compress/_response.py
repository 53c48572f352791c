"""One response on its way through the middleware."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Final

from infra_compress._flushing import DelayedFlush
from infra_compress._headers import Content, coded, varying
from infra_compress.asgi import BODY, FILES, START, Message, Send
from infra_compress.config import CompressionConfig
from infra_compress.content_types import ContentTypes
from infra_protocols import Compressor, CompressStream

SLICE: Final = 1024 * 1024
"""How much is compressed in a thread at a time, in bytes: a request that is cancelled leaves no longer work behind."""


class _State(str, Enum):
    WAITING = "waiting"
    """For the start of the response."""
    HELD = "held"
    """The start is held back until the body shows what to do with it."""
    STREAMING = "streaming"
    """The body goes on, and is compressed as it comes."""
    PASSING = "passing"
    """All is sent as it comes."""


class Response:
    """
    Sends on what an application sends, compressed where that is right.

    Args:
        send: takes the messages.
        config: what to compress, and how.
        content_types: what is worth it.
        compressor: makes what the client likes best; `None` where that is plain content.
        plain: whether the client takes plain content, too.
    """

    def __init__(
        self,
        send: Send,
        config: CompressionConfig,
        content_types: ContentTypes,
        compressor: Compressor | None,
        *,
        plain: bool,
    ) -> None:
        self._send = send
        self._config = config
        self._content_types = content_types
        self._compressor = compressor
        self._plain = plain
        self._state = _State.WAITING
        self._start: Message = {}
        self._size: int | None = None
        self._stream: _Streamed | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        kind = message["type"]
        if self._state is _State.PASSING:
            await self._send(message)
        elif kind == BODY:
            await self._take_body(message)
        elif kind == START and self._state is _State.WAITING:
            await self._take_start(message)
        else:
            if kind in FILES and self._state is _State.HELD:
                await self._pass_start()
            await self._send(message)

    async def finish(self) -> None:
        """Send on what is held back: the application has returned."""
        if self._state is _State.HELD:
            await self._pass_start()

    async def close(self) -> None:
        """Leave nothing behind, however the response ended."""
        if self._stream is not None:
            await self._stream.close()

    async def _take_start(self, message: Message) -> None:
        headers = message.get("headers", ())
        content = Content.of(message["status"], headers)
        if content is None or content.type not in self._content_types:
            self._state = _State.PASSING
            await self._send(message)
            return
        self._size = content.size
        self._start = {**message, "headers": varying(headers)}
        if self._compressor is None:
            await self._pass_start()
        elif content.is_event_stream:
            await self._begin_stream(self._compressor, delay=0.0)
        else:
            self._state = _State.HELD

    async def _pass_start(self) -> None:
        self._state = _State.PASSING
        await self._send(self._start)

    async def _take_body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if type(body) is not bytes:
            body = bytes(body)
        if self._state is _State.HELD and self._compressor is not None:
            if not more:
                await self._send_whole(self._compressor, body, message)
                return
            if self._plain and self._size is not None and self._size < self._config.minimum_size:
                await self._pass_start()
            else:
                await self._begin_stream(self._compressor, self._config.flush_delay)
        if self._stream is None:
            await self._send(message)
        else:
            await self._stream.take(body, message, more=more)

    async def _send_whole(self, compressor: Compressor, body: bytes, message: Message) -> None:
        self._state = _State.PASSING
        if not self._plain or len(body) >= max(1, self._config.minimum_size):
            if len(body) <= self._config.inline_size:
                packed = compressor.compress(body)
            else:
                packed = await _in_thread(compressor, body)
            if not self._plain or len(packed) < len(body):
                self._start["headers"] = coded(self._start["headers"], compressor.encoding, len(packed))
                message = {**message, "body": packed}
        await self._send(self._start)
        await self._send(message)

    async def _begin_stream(self, compressor: Compressor, delay: float) -> None:
        self._state = _State.STREAMING
        self._stream = _Streamed(self._send, compressor.compress_stream(), self._config.inline_size, delay)
        self._start["headers"] = coded(self._start["headers"], compressor.encoding)
        await self._send(self._start)


class _Streamed:
    """A body that is compressed as it comes, of which nothing stays behind for longer than `delay` seconds."""

    def __init__(self, send: Send, stream: CompressStream, inline_size: int, delay: float) -> None:
        self._send = send
        self._stream = stream
        self._inline_size = inline_size
        self._flushing = DelayedFlush(self._flush, delay) if delay else None
        self._turn = asyncio.Lock()
        self._ended = False

    async def take(self, body: bytes, message: Message, *, more: bool) -> None:
        async with self._turn:  # a delayed flush may be under way
            if self._ended:
                await self._send({**message, "body": b""})  # which is one too many: the server will say so
                return
            self._ended = True  # should this be interrupted, for a thread may still be at work on the stream
            parts = await self._compress(body)
            if not more:
                parts.append(self._stream.finish())
            elif self._flushing is None:
                parts.append(self._stream.flush())
            packed = b"".join(parts)
            if packed or not more:
                await self._send({**message, "body": packed})
            self._ended = not more
            if self._flushing is not None:
                if not more:
                    self._flushing.call_off()
                elif body:
                    self._flushing.want()

    async def close(self) -> None:
        if self._flushing is not None:
            await self._flushing.close()

    async def _compress(self, body: bytes) -> list[bytes]:
        if len(body) <= self._inline_size:
            return [self._stream.compress(body)] if body else []
        return await _in_slices(self._stream, body)

    async def _flush(self) -> None:
        async with self._turn:
            if not self._ended and (packed := self._stream.flush()):
                await self._send({"type": BODY, "body": packed, "more_body": True})


async def _in_thread(compressor: Compressor, body: bytes) -> bytes:
    if len(body) <= SLICE:
        return await _run(compressor.compress, body)
    stream = compressor.compress_stream()
    return b"".join([*await _in_slices(stream, body), stream.finish()])


async def _in_slices(stream: CompressStream, body: bytes) -> list[bytes]:
    return [await _run(stream.compress, body[at : at + SLICE]) for at in range(0, len(body), SLICE)]


async def _run(compress: Callable[[bytes], bytes], data: bytes) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, compress, data)
