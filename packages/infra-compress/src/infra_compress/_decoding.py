"""Decompressing in pieces, whatever the engine, with a bound on what comes of it."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from infra_compress.messages import CompressMessages
from infra_protocols import CorruptDataError, OutputTooLargeError, or_raise, require_type

PIECE: Final = 64 * 1024
"""How much an engine is asked for at a time, in bytes; brotli gives half as much again."""
SLICE: Final = 16 * 1024
"""How much an engine is given at a time: it copies what it leaves over, for each piece and each member anew."""


class Decoder(Protocol):
    """What an engine's own stream is made to look like: that of `compression.zstd`, for one member."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class DecoderStream:
    """
    A `DecompressStream` by an engine.

    Args:
        encoding: the name of the coding.
        decoder: makes the decoder of one member.
        failure: what the engine raises.
        members: whether one member may stand behind another.
        max_size: the most bytes that may come of all.
    """

    __slots__ = ("_begun", "_decoder", "_encoding", "_failure", "_left", "_max_size", "_members", "_new")

    def __init__(
        self,
        encoding: str,
        decoder: Callable[[], Decoder],
        failure: type[Exception],
        *,
        members: bool,
        max_size: int | None,
    ) -> None:
        self._encoding = encoding
        self._new = decoder
        self._failure = failure
        self._members = members
        self._max_size = self._left = max_size
        self._decoder: Decoder | None = None
        self._begun = False

    def decompress(self, data: bytes) -> Iterator[bytes]:
        whole = memoryview(or_raise(require_type(data, "data", bytes)))
        return self._pieces(whole)

    def finish(self) -> None:
        if self._decoder is not None or not self._begun:
            raise self._corrupt()

    def _pieces(self, whole: memoryview) -> Iterator[bytes]:
        for start in range(0, len(whole), SLICE):
            rest: bytes | memoryview = whole[start : start + SLICE]
            while rest:
                decoder = self._decoder or self._next_member()
                if piece := self._step(decoder, rest):
                    yield piece
                while not (decoder.eof or decoder.needs_input):
                    if piece := self._step(decoder, b""):
                        yield piece
                rest = decoder.unused_data
                if decoder.eof:
                    self._decoder = None

    def _next_member(self) -> Decoder:
        if self._begun and not self._members:
            raise self._corrupt()
        self._begun = True
        self._decoder = self._new()
        return self._decoder

    def _step(self, decoder: Decoder, data: bytes | memoryview) -> bytes:
        # One byte more than is left tells that there is more than is allowed.
        length = PIECE if self._left is None else min(PIECE, self._left + 1)
        try:
            piece = decoder.decompress(data, length)
        except self._failure as error:
            raise self._corrupt() from error
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                message = CompressMessages.COMPRESSION_OUTPUT_TOO_LARGE.format(max_size=self._max_size)
                raise OutputTooLargeError(message, parameters={"encoding": self._encoding, "max_size": self._max_size})
        return piece

    def _corrupt(self) -> CorruptDataError:
        message = CompressMessages.COMPRESSION_DATA_CORRUPT.format(encoding=self._encoding)
        return CorruptDataError(message, parameters={"encoding": self._encoding})
