"""The port of content codings: what a compressor promises, whole or in pieces."""

from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable

MAX_PIECE: Final = 128 * 1024
"""How large a piece of decompressed data may be, in bytes, however much the data grows."""


@runtime_checkable
class CompressStream(Protocol):
    """
    Data that is compressed while it comes.

    What the three methods return, joined, is what a decompressor takes; any of it may be empty. A stream is for one
    task or thread at a time, and needs no closing.

    >>> class Plain:
    ...     def compress(self, data: bytes) -> bytes: return data
    ...     def flush(self) -> bytes: return b""
    ...     def finish(self) -> bytes: return b""
    >>> isinstance(Plain(), CompressStream)
    True
    """

    def compress(self, data: bytes) -> bytes:
        """
        Take up `data` and return what can be told already.

        Raises:
            CompressionError: the stream was finished before; so for the other methods.
            ValidationError: `data` is not `bytes`; nothing was taken up.
        """
        ...

    def flush(self) -> bytes:
        """Return the rest of what was taken up so far: all of it can be decompressed before more comes."""
        ...

    def finish(self) -> bytes:
        """Return the rest, and the end; the stream takes nothing more."""
        ...


@runtime_checkable
class DecompressStream(Protocol):
    """
    Data that is decompressed while it comes, a bounded piece at a time.

    A stream is for one task or thread at a time, and needs no closing. After an error it is of no more use.

    >>> class Plain:
    ...     def decompress(self, data: bytes) -> Iterator[bytes]: yield data
    ...     def finish(self) -> None: ...
    >>> isinstance(Plain(), DecompressStream)
    True
    """

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """
        Yield what comes of `data`, in pieces of 1 to `MAX_PIECE` bytes, each made when it is asked for.

        The pieces of one call are taken, all of them, before the next call.

        Raises:
            CorruptDataError: `data` cannot go on or begin what the coding allows, or comes after its end.
            OutputTooLargeError: with this piece, all that was yielded would be more than `max_size`.
            ValidationError: `data` is not `bytes`.
        """
        ...

    def finish(self) -> None:
        """
        Say that no more data comes.

        Raises:
            CorruptDataError: there must be more: the data is cut short, or there was none.
        """
        ...


@runtime_checkable
class Compressor(Protocol):
    """
    Compresses and decompresses by one content coding (RFC 9110, section 8.4.1).

    It keeps nothing between two calls: it may be used by any number of tasks and threads at once. The same data gives
    the same bytes. What a coding allows to stand one behind another, as the members of gzip (RFC 1952, section 2.2)
    and the frames of zstd (RFC 8878, section 3), is read to the end of the last; what follows it is an error.

    `infra_compress` implements it.

    >>> import zlib
    >>> def saved(compressor: Compressor, data: bytes) -> int:
    ...     return len(data) - len(compressor.compress(data))
    >>> isinstance(zlib, Compressor)
    False
    """

    @property
    def encoding(self) -> str:
        """The name of the coding in `Content-Encoding`, in lower case, as `"gzip"`."""
        ...

    def compress(self, data: bytes) -> bytes:
        """
        Return `data`, compressed.

        Raises:
            ValidationError: `data` is not `bytes`.
        """
        ...

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        """
        Return what `data` was before it was compressed.

        Give a `max_size` for whatever comes from somebody else: 200 bytes may stand for 200 MB. No more than it, and
        what the engine itself needs, is ever held in memory.

        Args:
            data: all of what was compressed.
            max_size: the most bytes that may come of it, 0 or more; `None` is for data of one's own: no bound.

        Raises:
            CorruptDataError: `data` is not whole, not valid, or followed by something else.
            OutputTooLargeError: more than `max_size` bytes would come of it.
            ValidationError: `data` is not `bytes`, or `max_size` is no such number.
        """
        ...

    def compress_stream(self) -> CompressStream:
        """Return a new stream that compresses."""
        ...

    def decompress_stream(self, *, max_size: int | None = None) -> DecompressStream:
        """
        Return a new stream that decompresses, `max_size` bytes at most.

        Raises:
            ValidationError: `max_size` is neither `None` nor a whole number from 0.
        """
        ...
