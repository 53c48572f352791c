"""A correct compressor, as plain as can be: what the faulty ones of the gallery are made from."""

import zlib
from collections.abc import Iterator
from typing import Any

from infra_protocols.clock import Clock
from infra_protocols.compression import CompressStream
from infra_protocols.errors import CompressionError, CorruptDataError, OutputTooLargeError
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_range, require_type

GZIP = 31
PIECE = 64 * 1024


class PlainCompressor:
    """
    A correct `Compressor` of gzip, by zlib.

    >>> from infra_protocols import SystemClock
    >>> plain = PlainCompressor(SystemClock())
    >>> plain.decompress(plain.compress(b"data"))
    b'data'
    """

    encoding: str = "gzip"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @property
    def compressing(self) -> "type[PlainCompressStream]":
        """The stream that compresses."""
        return PlainCompressStream

    @property
    def decompressing(self) -> "type[PlainDecompressStream]":
        """The stream that decompresses."""
        return PlainDecompressStream

    # -- What the faults change, in small pieces.

    def good_data(self, data: object) -> bytes:
        """Return `data`, which must be bytes."""
        return or_raise(require_type(data, "data", bytes))

    def good_size(self, max_size: object) -> int | None:
        """Return `max_size`, which must be a whole number, or nothing."""
        if max_size is None:
            return None
        return or_raise(
            require_type(max_size, "max_size", int).flat_map(lambda size: require_range(size, "max_size", min=0))
        )

    def corrupt(self) -> Exception:
        """Return what says that data is not whole and valid."""
        return CorruptDataError(ErrorMessages.COMPRESSION_DATA_CORRUPT.format(encoding=self.encoding))

    # -- The port.

    def compress(self, data: bytes) -> bytes:
        """Return `data`, compressed."""
        return zlib.compress(self.good_data(data), 6, wbits=GZIP)

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        """Return what `data` was."""
        stream = self.decompress_stream(max_size=max_size)
        whole = b"".join(stream.decompress(data))
        stream.finish()
        return whole

    def compress_stream(self) -> CompressStream:
        """Return a new stream that compresses."""
        return self.compressing(self)

    def decompress_stream(self, *, max_size: int | None = None) -> "PlainDecompressStream":
        """Return a new stream that decompresses."""
        return self.decompressing(self, self.good_size(max_size))


class PlainCompressStream:
    """
    The stream of a `PlainCompressor` that compresses.

    >>> from infra_protocols import SystemClock
    >>> len(PlainCompressStream(PlainCompressor(SystemClock())).finish())
    20
    """

    def __init__(self, compressor: PlainCompressor) -> None:
        self.compressor = compressor
        self.inner: Any = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        self.finished: bool = False

    def compress(self, data: bytes) -> bytes:
        """Take up `data`."""
        self.check()
        return self.inner.compress(self.compressor.good_data(data))

    def flush(self) -> bytes:
        """Return what is taken up."""
        self.check()
        return self.inner.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        """Return the rest."""
        self.check()
        self.finished = True
        return self.inner.flush()

    def check(self) -> None:
        """See that the stream goes on."""
        if self.finished:
            raise CompressionError(ErrorMessages.COMPRESSION_STREAM_FINISHED)


class PlainDecompressStream:
    """
    The stream of a `PlainCompressor` that decompresses.

    >>> from infra_protocols import SystemClock
    >>> plain = PlainCompressor(SystemClock())
    >>> list(plain.decompress_stream().decompress(plain.compress(b"data")))
    [b'data']
    """

    def __init__(self, compressor: PlainCompressor, left: int | None) -> None:
        self.compressor = compressor
        self.left = left
        self.inner: Any = zlib.decompressobj(GZIP)
        self.begun: bool = False

    # -- What the faults change, in small pieces.

    def length(self) -> int:
        """Return how much to ask for at a time."""
        return PIECE if self.left is None else min(PIECE, self.left + 1)

    def take(self, piece: bytes) -> bytes:
        """Count a piece."""
        if self.left is not None:
            self.left -= len(piece)
            if self.left < 0:
                raise OutputTooLargeError(ErrorMessages.COMPRESSION_OUTPUT_TOO_LARGE.format(max_size="that"))
        return piece

    def after_member(self) -> bytes:
        """Return what stands behind a member that ended, ready to be read."""
        rest = self.inner.unused_data
        if rest:
            self.inner = zlib.decompressobj(GZIP)
        return rest

    # -- The port.

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Yield the pieces that come of `data`."""
        return self.pieces(self.compressor.good_data(data))

    def pieces(self, rest: bytes) -> Iterator[bytes]:
        """Yield the pieces that come of `rest`."""
        if self.inner.eof and rest:
            self.inner = zlib.decompressobj(GZIP)
        while rest:
            self.begun = True
            try:
                piece = self.inner.decompress(rest, length := self.length())
            except zlib.error as error:
                raise self.compressor.corrupt() from error
            if piece:
                yield self.take(piece)
            while not self.inner.eof and (self.inner.unconsumed_tail or len(piece) == length):
                try:
                    piece = self.inner.decompress(self.inner.unconsumed_tail, length := self.length())
                except zlib.error as error:
                    raise self.compressor.corrupt() from error
                if piece:
                    yield self.take(piece)
            rest = self.after_member() if self.inner.eof else b""

    def finish(self) -> None:
        """See that the data is whole."""
        if not (self.begun and self.inner.eof):
            raise self.compressor.corrupt()
