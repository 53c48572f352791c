"""Compressing in pieces, whatever the engine."""

from typing import Protocol

from infra_compress.messages import CompressMessages
from infra_protocols import CompressionError, or_raise, require_type


class Encoder(Protocol):
    """What an engine's own stream is made to look like."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


class EncoderStream:
    """A `CompressStream` by an engine: of these, some go on after their end, and some crash."""

    __slots__ = ("_encoder",)

    def __init__(self, encoder: Encoder) -> None:
        self._encoder: Encoder | None = encoder

    def compress(self, data: bytes) -> bytes:
        if type(data) is not bytes:
            or_raise(require_type(data, "data", bytes))
        return self._running().compress(data)

    def flush(self) -> bytes:
        return self._running().flush()

    def finish(self) -> bytes:
        encoder, self._encoder = self._running(), None
        return encoder.finish()

    def _running(self) -> Encoder:
        if self._encoder is None:
            raise CompressionError(CompressMessages.COMPRESSION_STREAM_FINISHED)
        return self._encoder
