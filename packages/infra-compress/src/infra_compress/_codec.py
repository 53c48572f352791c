"""What all codings have in common: they differ in their engines, not in what they promise."""

from abc import ABC, abstractmethod
from io import BytesIO
from typing import ClassVar

from infra_compress._arguments import whole_number
from infra_compress._decoding import Decoder, DecoderStream
from infra_compress._encoding import Encoder, EncoderStream
from infra_protocols import CompressStream, DecompressStream, or_raise, require_type


class Codec(ABC):
    """A `Compressor`; a subclass says which, and brings the engine."""

    __slots__ = ("_level",)

    ENCODING: ClassVar[str]
    LEVELS: ClassVar[range]
    DEFAULT_LEVEL: ClassVar[int]
    MEMBERS: ClassVar[bool]
    """Whether one compressed whole may stand behind another."""
    FAILURE: ClassVar[type[Exception]]
    """What the engine raises when it cannot decompress."""

    def __init__(self, level: int | None = None) -> None:
        self._level = (
            self.DEFAULT_LEVEL
            if level is None
            else or_raise(whole_number(level, "level", min=self.LEVELS[0], max=self.LEVELS[-1]))
        )

    def __repr__(self) -> str:
        """Return how it was made."""
        return f"{type(self).__name__}({self._level})"

    @property
    def encoding(self) -> str:
        """The name of the coding in `Content-Encoding`."""
        return self.ENCODING

    @property
    def level(self) -> int:
        """How hard it tries: more is smaller and slower."""
        return self._level

    def compress(self, data: bytes) -> bytes:
        """Return `data`, compressed."""
        if type(data) is not bytes:
            or_raise(require_type(data, "data", bytes))
        return self._compress(data)

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        """Return what `data` was before it was compressed, at most `max_size` bytes."""
        stream, whole = self.decompress_stream(max_size=max_size), BytesIO()
        for piece in stream.decompress(data):
            whole.write(piece)
        stream.finish()
        return whole.getvalue()  # what it has gathered, not a copy

    def compress_stream(self) -> CompressStream:
        """Return a new stream that compresses."""
        return EncoderStream(self._encoder())

    def decompress_stream(self, *, max_size: int | None = None) -> DecompressStream:
        """Return a new stream that decompresses, `max_size` bytes at most."""
        if max_size is not None:
            or_raise(whole_number(max_size, "max_size"))
        return DecoderStream(self.ENCODING, self._decoder, self.FAILURE, members=self.MEMBERS, max_size=max_size)

    @abstractmethod
    def _compress(self, data: bytes) -> bytes: ...

    @abstractmethod
    def _encoder(self) -> Encoder: ...

    @abstractmethod
    def _decoder(self) -> Decoder: ...
