"""Every coding, by every engine, keeps every promise of the port."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import hypothesis

from infra_compress import DeflateCompressor, GzipCompressor
from infra_compress.brotli import BrotliCompressor
from infra_compress.isal import IsalGzipCompressor
from infra_compress.zlib_ng import ZlibNgGzipCompressor
from infra_compress.zstd import ZstdCompressor
from infra_conformance import CompressorSuite
from infra_protocols import Clock, Compressor


class TestGzip(CompressorSuite):
    build: ClassVar[Callable[[int | None], Compressor]] = GzipCompressor
    level: ClassVar[int | None] = None

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Compressor]:
        yield type(self).build(type(self).level)


class TestIsalGzip(TestGzip):
    build = IsalGzipCompressor


class TestZlibNgGzip(TestGzip):
    build = ZlibNgGzipCompressor


class TestZstd(TestGzip):
    build = ZstdCompressor


class TestDeflate(TestGzip):
    build = DeflateCompressor
    supports_members = False


class TestBrotli(TestGzip):
    build = BrotliCompressor
    supports_members = False


class FewerExamples(TestGzip):
    """Another level changes how small the data becomes: a look at each promise is enough."""

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=10)


class TestGzipAtItsBest(FewerExamples):
    build = GzipCompressor
    level = 9


class TestZstdAtItsBest(FewerExamples):
    build = ZstdCompressor
    level = 19


class TestBrotliAtItsBest(FewerExamples):
    build = BrotliCompressor
    level = 9
    supports_members = False
