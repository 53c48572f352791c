"""Compressors that take, make or refuse something else than they should."""

import zlib
from collections.abc import Iterator
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.plain_compressor import GZIP, PlainCompressor, PlainCompressStream, PlainDecompressStream
from infra_protocols.errors import CompressionError


class LacksStreams(PlainCompressor):
    """It decompresses whole data alone."""

    decompress_stream: Any = None


class ShoutsItsName(PlainCompressor):
    """Its name is in upper case."""

    encoding = "GZIP"


class WritesTheTime(PlainCompressor):
    """It writes into its header when it compressed."""

    def compress(self, data: bytes) -> bytes:
        packed = super().compress(data)
        return packed[:4] + int(self.clock.monotonic()).to_bytes(4, "little") + packed[8:]


class Stores(PlainCompressor):
    """It wraps data up and leaves it as large as it was."""

    def compress(self, data: bytes) -> bytes:
        return zlib.compress(self.good_data(data), 0, wbits=GZIP)


class LosesItsLastByte(PlainCompressor):
    """It forgets the last byte of data that fills a page."""

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        whole = super().decompress(data, max_size=max_size)
        return whole[:-1] if len(whole) > 10_000 else whole


class CountsTheBoundIn(PlainCompressor):
    """It takes max_size for the first size that is too large."""

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        size = self.good_size(max_size)
        return super().decompress(data, max_size=size and max(size - 1, 0))


class DropsTheLastChunk(PlainCompressor):
    """Its stream keeps a chunk back until the next comes, and forgets it at the end."""

    class _Stream(PlainCompressStream):
        kept = b""

        def compress(self, data: bytes) -> bytes:
            before, self.kept = self.kept, self.compressor.good_data(data)
            return super().compress(before)

    @property
    def compressing(self) -> type[PlainCompressStream]:
        return self._Stream


class IgnoresFlush(PlainCompressor):
    """Its stream flushes at the end alone."""

    class _Stream(PlainCompressStream):
        def flush(self) -> bytes:
            self.check()
            return b""

    @property
    def compressing(self) -> type[PlainCompressStream]:
        return self._Stream


class BeginsAnew(PlainCompressor):
    """Its finished stream begins another member."""

    class _Stream(PlainCompressStream):
        def check(self) -> None:
            if self.finished:
                self.inner = zlib.compressobj(6, zlib.DEFLATED, GZIP)
                self.finished = False

    @property
    def compressing(self) -> type[PlainCompressStream]:
        return self._Stream


class FlushesForEver(PlainCompressor):
    """Its finished stream does not mind being flushed."""

    class _Stream(PlainCompressStream):
        def flush(self) -> bytes:
            return b"" if self.finished else super().flush()

    @property
    def compressing(self) -> type[PlainCompressStream]:
        return self._Stream


class StoresInStreams(PlainCompressor):
    """Its streams leave data as large as it was."""

    class _Stream(PlainCompressStream):
        def __init__(self, compressor: PlainCompressor) -> None:
            super().__init__(compressor)
            self.inner = zlib.compressobj(0, zlib.DEFLATED, GZIP)

    @property
    def compressing(self) -> type[PlainCompressStream]:
        return self._Stream


class AllAtOnce(PlainCompressor):
    """Its stream makes of each chunk one piece, however large."""

    class _Stream(PlainDecompressStream):
        def decompress(self, data: bytes) -> Iterator[bytes]:
            whole = b"".join(super().decompress(data))
            return iter([whole] if whole else [])

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class AheadOfTime(PlainCompressor):
    """Its stream makes all pieces of a chunk before it yields the first."""

    class _Stream(PlainDecompressStream):
        def decompress(self, data: bytes) -> Iterator[bytes]:
            return iter(list(super().decompress(data)))

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class YieldsNothingOften(PlainCompressor):
    """Its stream yields an empty piece where nothing came of a chunk."""

    class _Stream(PlainDecompressStream):
        def decompress(self, data: bytes) -> Iterator[bytes]:
            yield from super().decompress(data)
            yield b""

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class StopsAtTheFirstMember(PlainCompressor):
    """It passes over what stands behind the first member."""

    class _Stream(PlainDecompressStream):
        def after_member(self) -> bytes:
            return b""

        def pieces(self, rest: bytes) -> Iterator[bytes]:
            return iter(()) if self.inner.eof else super().pieces(rest)

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class RefusesMembers(PlainCompressor):
    """It takes a second member for garbage."""

    class _Stream(PlainDecompressStream):
        def after_member(self) -> bytes:
            if self.inner.unused_data:
                raise self.compressor.corrupt()
            return b""

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class PassesOverGarbage(PlainCompressor):
    """It reads on behind a member if it looks like another, else it is content."""

    class _Stream(PlainDecompressStream):
        def after_member(self) -> bytes:
            return super().after_member() if self.inner.unused_data.startswith(b"\x1f\x8b") else b""

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class TakesWhatThereIs(PlainCompressor):
    """It is content with data that is cut short."""

    class _Stream(PlainDecompressStream):
        def finish(self) -> None:
            pass

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class TakesNothing(PlainCompressor):
    """It takes no data for the compressed form of none."""

    class _Stream(PlainDecompressStream):
        def finish(self) -> None:
            if self.begun:
                super().finish()

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class RefusesInItsOwnWords(PlainCompressor):
    """What its engine raises reaches the caller."""

    def corrupt(self) -> Exception:
        return zlib.error("Error -3 while decompressing data")


class RefusesInGeneral(PlainCompressor):
    """It does not say that it is the data that is wrong."""

    def corrupt(self) -> Exception:
        return CompressionError("it does not work")


class KnowsNoBound(PlainCompressor):
    """It looks at max_size, and forgets it."""

    class _Stream(PlainDecompressStream):
        def take(self, piece: bytes) -> bytes:
            return piece

        def length(self) -> int:
            return 64 * 1024

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class CountsAfterwards(PlainCompressor):
    """It decompresses, then looks how much came of it."""

    def decompress(self, data: bytes, *, max_size: int | None = None) -> bytes:
        size, whole = self.good_size(max_size), super().decompress(data)
        return whole if size is None or len(whole) <= size else super().decompress(data, max_size=size)


class CountsEachChunk(PlainCompressor):
    """Its stream bounds what comes of one chunk, not of all."""

    class _Stream(PlainDecompressStream):
        def decompress(self, data: bytes) -> Iterator[bytes]:
            left = self.left
            for start in range(0, len(self.compressor.good_data(data)), 16):
                self.left = left
                yield from super().decompress(data[start : start + 16])

    @property
    def decompressing(self) -> type[PlainDecompressStream]:
        return self._Stream


class TakesAnything(PlainCompressor):
    """It makes bytes of whatever it is given."""

    def good_data(self, data: object) -> bytes:
        return data if isinstance(data, bytes) else repr(data).encode()


class TakesAnySize(PlainCompressor):
    """It takes a max_size below 0 for none."""

    def good_size(self, max_size: object) -> int | None:
        return max_size if isinstance(max_size, int) and max_size >= 0 else None


FAULTS: Final = [
    Fault.of(LacksStreams, "compression-01"),
    Fault.of(ShoutsItsName, "compression-01"),
    Fault.of(WritesTheTime, "compression-03"),
    Fault.of(Stores, "compression-04"),
    Fault.of(StoresInStreams, "compression-04"),
    Fault.of(LosesItsLastByte, "compression-02"),
    Fault.of(CountsTheBoundIn, "compression-02"),
    Fault.of(DropsTheLastChunk, "compression-05", "compression-06", "compression-30"),
    Fault.of(IgnoresFlush, "compression-06"),
    Fault.of(BeginsAnew, "compression-07"),
    Fault.of(FlushesForEver, "compression-07"),
    Fault.of(AllAtOnce, "compression-10", "compression-22"),
    Fault.of(AheadOfTime, "compression-22"),
    Fault.of(YieldsNothingOften, "compression-10"),
    Fault.of(StopsAtTheFirstMember, "compression-12", "compression-13"),
    Fault.of(RefusesMembers, "compression-13"),
    Fault.of(PassesOverGarbage, "compression-12"),
    Fault.of(TakesWhatThereIs, "compression-11"),
    Fault.of(TakesNothing, "compression-11"),
    Fault.of(RefusesInItsOwnWords, "compression-11", "compression-12", "compression-14"),
    Fault.of(RefusesInGeneral, "compression-11", "compression-12", "compression-14"),
    Fault.of(KnowsNoBound, "compression-20", "compression-21"),
    Fault.of(CountsAfterwards, "compression-21"),
    Fault.of(CountsEachChunk, "compression-20"),
    Fault.of(TakesAnything, "compression-40"),
    Fault.of(TakesAnySize, "compression-40"),
]
