"""Any library that looks like the standard library's zlib, made to look like the engines of the other codings."""

import zlib
from typing import Any, ClassVar, Final, Protocol

from infra_compress._codec import Codec
from infra_compress._decoding import Decoder
from infra_compress._encoding import Encoder

ZLIB_WRAPPED: Final = 15
GZIP_WRAPPED: Final = 31
"""The window of 32 KiB that every decoder knows, and 16 for the header and trailer of gzip."""


class ZlibLike(Protocol):
    """What zlib, isal and zlib-ng have in common; the last two are not typed in full."""

    @property
    def DEFLATED(self) -> int: ...
    @property
    def Z_SYNC_FLUSH(self) -> int: ...
    @property
    def compressobj(self) -> Any: ...
    @property
    def decompressobj(self) -> Any: ...


class ZlibCodec(Codec):
    """DEFLATE (RFC 1951) in a wrapper, by an engine that looks like zlib: gzip by zlib itself, unless more is said."""

    __slots__ = ()

    ENCODING: ClassVar[str] = "gzip"
    LEVELS: ClassVar[range] = range(10)
    DEFAULT_LEVEL: ClassVar[int] = 4
    MEMBERS: ClassVar[bool] = True
    FAILURE: ClassVar[type[Exception]] = zlib.error
    ENGINE: ClassVar[ZlibLike] = zlib
    WINDOW: ClassVar[int] = GZIP_WRAPPED

    def _compress(self, data: bytes) -> bytes:
        # An object each time: unlike `gzip.compress` it writes no time, so the same data gives the same bytes.
        encoder = self.ENGINE.compressobj(self._level, self.ENGINE.DEFLATED, self.WINDOW)
        return encoder.compress(data) + encoder.flush()

    def _encoder(self) -> Encoder:
        return _Encoder(self.ENGINE, self._level, self.WINDOW)

    def _decoder(self) -> Decoder:
        return _Decoder(self.ENGINE.decompressobj(self.WINDOW))


class _Encoder:
    __slots__ = ("_flush", "_sync", "compress")

    def __init__(self, engine: ZlibLike, level: int, window: int) -> None:
        encoder = engine.compressobj(level, engine.DEFLATED, window)
        self.compress = encoder.compress
        self._flush, self._sync = encoder.flush, engine.Z_SYNC_FLUSH

    def flush(self) -> bytes:
        return self._flush(self._sync)

    def finish(self) -> bytes:
        return self._flush()


class _Decoder:
    __slots__ = ("_full", "_inner")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._full = False

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes:
        piece: bytes = self._inner.decompress(data or self._inner.unconsumed_tail, max_length)
        self._full = len(piece) == max_length
        return piece

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        # A piece that is full may be so by chance: more of what was taken up already can follow.
        return not (self._full or self._inner.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data
