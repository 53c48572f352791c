"""zstd, by the standard library from Python 3.14, by its backport before."""

import sys
from threading import Lock
from typing import ClassVar, Final

from infra_compress._codec import Codec
from infra_compress._decoding import Decoder
from infra_compress._encoding import Encoder
from infra_compress._extras import missing_extra

try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError as _error:
    raise missing_extra("zstd", _error) from _error

__all__ = ["ZstdCompressor"]

_MAX_WINDOW: Final = 23
"""The binary logarithm of 8 MB, the largest window that a client has to have room for (RFC 9659)."""
_WIDE: Final = 20
"""From this level on zstd would take a larger window."""
_LIGHT: Final = 9
"""Up to this level what zstd works with takes a few MB, and it is kept: to make it anew takes time that counts."""


class ZstdCompressor(Codec):
    """
    The content coding zstd (RFC 8878): as small as brotli, and quicker than all others.

    No window is larger than 8 MB, neither in what it makes nor in what it reads (RFC 9659). Several frames, one behind
    another, are read to the end of the last; skippable ones are passed over.

    Args:
        level: from 1 to 22; by default 3.

    Raises:
        ValidationError: there is no such level.

    >>> zstd = ZstdCompressor()
    >>> zstd.decompress(zstd.compress(b"hello") + zstd.compress(b" world"))
    b'hello world'
    """

    __slots__ = ("_kept", "_options", "_turn")

    ENCODING: ClassVar[str] = "zstd"
    LEVELS: ClassVar[range] = range(1, 23)
    DEFAULT_LEVEL: ClassVar[int] = 3
    MEMBERS: ClassVar[bool] = True
    FAILURE: ClassVar[type[Exception]] = zstd.ZstdError

    def __init__(self, level: int | None = None) -> None:
        super().__init__(level)
        parameter = zstd.CompressionParameter
        self._options: dict[int, int] = {parameter.compression_level: self._level}
        if self._level >= _WIDE:
            self._options[parameter.window_log] = _MAX_WINDOW
        self._kept = zstd.ZstdCompressor(options=self._options) if self._level <= _LIGHT else None
        self._turn = Lock()

    def _compress(self, data: bytes) -> bytes:
        kept = self._kept
        if kept is None or not self._turn.acquire(blocking=False):  # another thread has it
            return zstd.compress(data, options=self._options)
        try:
            return kept.compress(data, kept.FLUSH_FRAME)
        finally:
            self._turn.release()

    def _encoder(self) -> Encoder:
        return _Encoder(self._options)

    def _decoder(self) -> Decoder:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _MAX_WINDOW})


class _Encoder:
    __slots__ = ("_inner", "compress")

    def __init__(self, options: dict[int, int]) -> None:
        self._inner = zstd.ZstdCompressor(options=options)
        self.compress = self._inner.compress

    def flush(self) -> bytes:
        return self._inner.flush(self._inner.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._inner.flush(self._inner.FLUSH_FRAME)
