"""brotli, by the library of that name."""

from typing import Any, ClassVar, Protocol, cast

from infra_compress._codec import Codec
from infra_compress._decoding import Decoder
from infra_compress._encoding import Encoder
from infra_compress._extras import missing_extra

try:
    import brotli as _untyped  # pyright: ignore[reportMissingTypeStubs]
except ImportError as _error:
    raise missing_extra("brotli", _error) from _error

__all__ = ["BrotliCompressor"]


class _InnerEncoder(Protocol):
    def process(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


class _InnerDecoder(Protocol):
    def process(self, data: bytes | memoryview, /, *, output_buffer_limit: int) -> bytes: ...
    def is_finished(self) -> bool: ...
    def can_accept_more_data(self) -> bool: ...


class _Brotli(Protocol):
    """What is used of the library, which is not typed."""

    error: type[Exception]

    def compress(self, data: bytes, /, *, quality: int) -> bytes: ...
    def Compressor(self, *, quality: int) -> _InnerEncoder: ...
    def Decompressor(self) -> _InnerDecoder: ...


_brotli: _Brotli = cast("Any", _untyped)


class BrotliCompressor(Codec):
    """
    The content coding br (RFC 7932): the smallest texts, and slow above its middle levels.

    Args:
        level: its quality, from 0 to 11; by default 4. 11 is for what is compressed once and sent often.

    Raises:
        ValidationError: there is no such level.

    >>> brotli = BrotliCompressor(11)
    >>> bomb = brotli.compress(bytes(10_000_000))
    >>> len(bomb) < 50
    True
    >>> brotli.decompress(bomb, max_size=1_000_000)
    Traceback (most recent call last):
    infra_protocols.OutputTooLargeError: Decompressed, this would be larger than 1000000 bytes [...]
    """

    __slots__ = ()

    ENCODING: ClassVar[str] = "br"
    LEVELS: ClassVar[range] = range(12)
    DEFAULT_LEVEL: ClassVar[int] = 4
    MEMBERS: ClassVar[bool] = False
    FAILURE: ClassVar[type[Exception]] = _brotli.error

    def _compress(self, data: bytes) -> bytes:
        return _brotli.compress(data, quality=self._level)

    def _encoder(self) -> Encoder:
        return _Encoder(_brotli.Compressor(quality=self._level))

    def _decoder(self) -> Decoder:
        return _Decoder(_brotli.Decompressor())


class _Encoder:
    __slots__ = ("compress", "finish", "flush")

    def __init__(self, inner: _InnerEncoder) -> None:
        self.compress, self.flush, self.finish = inner.process, inner.flush, inner.finish


class _Decoder:
    __slots__ = ("_empty", "_inner")

    def __init__(self, inner: _InnerDecoder) -> None:
        self._inner = inner
        self._empty = True

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes:
        piece = self._inner.process(data, output_buffer_limit=max_length)
        self._empty = not piece
        return piece

    @property
    def eof(self) -> bool:
        return self._inner.is_finished()

    @property
    def needs_input(self) -> bool:
        # It can take more input, and even gives less than it may, while there is more to come of what it has taken.
        return self._empty and self._inner.can_accept_more_data()

    @property
    def unused_data(self) -> bytes:
        return b""  # what comes after the end is an error of the engine's own
