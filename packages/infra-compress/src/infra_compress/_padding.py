"""Codings with a random number of bytes added that every decoder passes over."""

import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from infra_protocols import Compressor, CompressStream, DecompressStream


class _Splice(NamedTuple):
    needs: int
    """How much of the beginning must be there, in bytes."""
    into: Callable[[bytes, int], bytes]
    """Puts so many bytes into the beginning."""


def _gzip(head: bytes, count: int) -> bytes:
    # A file name (RFC 1952, section 2.3.1): a flag, and behind the header of ten bytes a text that ends with zero.
    return head[:3] + bytes([head[3] | 0x08]) + head[4:10] + b"x" * count + b"\0" + head[10:]


def _br(head: bytes, count: int) -> bytes:
    # A block of metadata (RFC 7932, section 9.2), least significant bit first: not the last (0), no nibbles (11),
    # reserved (0), one byte of length (01), the length but for one, and zeros up to the next byte.
    return head + (0b010110 | (count - 1) << 6).to_bytes(2, "little") + b"x" * count


def _zstd(head: bytes, count: int) -> bytes:
    # A frame to be skipped (RFC 8878, section 3.1.2).
    return (0x184D2A50).to_bytes(4, "little") + count.to_bytes(4, "little") + b"x" * count + head


_SPLICES: Final = {"gzip": _Splice(10, _gzip), "br": _Splice(0, _br), "zstd": _Splice(0, _zstd)}


def can_pad(encoding: str) -> bool:
    return encoding in _SPLICES


class PaddedCompressor:
    """A `Compressor` that adds from 1 to `most` bytes to what another makes."""

    __slots__ = ("_inner", "_most", "_splice")

    def __init__(self, inner: Compressor, most: int) -> None:
        self._inner = inner
        self._most = most
        self._splice = _SPLICES[inner.encoding]

    @property
    def encoding(self) -> str:
        return self._inner.encoding

    def compress(self, data: bytes) -> bytes:
        stream = self.compress_stream()
        return stream.compress(data) + stream.finish()

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        return self._inner.decompress(data, max_size=max_size)

    def compress_stream(self) -> CompressStream:
        return _PaddedStream(self._inner.compress_stream(), self._splice, 1 + secrets.randbelow(self._most))

    def decompress_stream(self, *, max_size: int | None = None) -> DecompressStream:
        return self._inner.decompress_stream(max_size=max_size)


class _PaddedStream:
    __slots__ = ("_count", "_head", "_inner", "_splice")

    def __init__(self, inner: CompressStream, splice: _Splice, count: int) -> None:
        self._inner = inner
        self._splice = splice
        self._count = count
        # Flushed, it ends with a whole byte: there something can be put in.
        self._head: bytes | None = inner.flush()

    def compress(self, data: bytes) -> bytes:
        return self._padded(self._inner.compress(data))

    def flush(self) -> bytes:
        return self._padded(self._inner.flush())

    def finish(self) -> bytes:
        return self._padded(self._inner.finish())

    def _padded(self, data: bytes) -> bytes:
        if self._head is None:
            return data
        needs, into = self._splice
        if len(self._head) >= needs:
            head, self._head = into(self._head, self._count), None
            return head + data
        head = self._head + data
        self._head = head
        return b"" if len(head) < needs else self._padded(b"")
