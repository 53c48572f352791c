"""Compressors that keep something from one call for another."""

import time
import zlib
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.plain_compressor import GZIP, PlainCompressor, PlainCompressStream, PlainDecompressStream
from infra_protocols.clock import Clock


class LearnsFromTheLast(PlainCompressor):
    """It tries less hard when it has compressed before, to save time."""

    level: int = 6

    def compress(self, data: bytes) -> bytes:
        level, self.level = self.level, 1
        return zlib.compress(self.good_data(data), level, wbits=GZIP)


class OneStreamForAll(PlainCompressor):
    """It has one stream that compresses, and hands that out each time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.stream: PlainCompressStream = PlainCompressStream(self)

    def compress_stream(self) -> PlainCompressStream:
        if self.stream.finished:
            self.stream = PlainCompressStream(self)
        return self.stream


class OneReaderForAll(PlainCompressor):
    """Its streams that decompress share what they read with."""

    reader: Any = zlib.decompressobj(GZIP)

    class _Stream(PlainDecompressStream):
        def __init__(self, compressor: PlainCompressor, left: int | None) -> None:
            super().__init__(compressor, left)
            if OneReaderForAll.reader.eof:
                OneReaderForAll.reader = zlib.decompressobj(GZIP)
            self.inner = OneReaderForAll.reader

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        OneReaderForAll.reader = zlib.decompressobj(GZIP)


class StaysBroken(PlainCompressor):
    """After data that was not valid it takes no other."""

    broken: bool = False

    def corrupt(self) -> Exception:
        self.broken = True
        return super().corrupt()

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        if self.broken:
            raise self.corrupt()
        return super().decompress(data, max_size=max_size)


class NotThreadSafe(PlainCompressor):
    """It gathers what it compresses in a place of its own, while others may run."""

    def compress(self, data: bytes) -> bytes:
        self.gathered: list[bytes] = []
        for start in range(0, len(self.good_data(data)), 1000):
            self.gathered.append(data[start : start + 1000])
            time.sleep(0)
        return super().compress(b"".join(self.gathered))


FAULTS: Final = [
    Fault.of(LearnsFromTheLast, "compression-03", "compression-31"),
    Fault.of(OneStreamForAll, "compression-30"),
    Fault.of(OneReaderForAll, "compression-30", "compression-31"),
    Fault.of(StaysBroken, "compression-31"),
    Fault.of(NotThreadSafe, "compression-32"),
]
