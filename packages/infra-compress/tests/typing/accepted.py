# What pyright strict and mypy strict must both accept. Nothing here is run.

from collections.abc import Iterator
from typing import assert_type

from infra_compress import (
    CompressionConfig,
    CompressionRequest,
    CompressionResult,
    CompressionService,
    CompressorConfig,
    CompressorFactory,
    DeflateCompressor,
    GzipCompressor,
    select_encoding,
)
from infra_compress.brotli import BrotliCompressor
from infra_compress.isal import IsalGzipCompressor
from infra_compress.zlib_ng import ZlibNgGzipCompressor
from infra_compress.zstd import ZstdCompressor
from infra_protocols import (
    CompressionError,
    Compressor,
    CompressStream,
    DecompressStream,
    Factory,
    Service,
    ValidationError,
)
from infra_result import Result


def each_is_a_compressor() -> list[Compressor]:
    return [
        GzipCompressor(),
        DeflateCompressor(6),
        BrotliCompressor(level=11),
        ZstdCompressor(),
        IsalGzipCompressor(),
        ZlibNgGzipCompressor(),
    ]


def the_factory_is_a_factory(
    factory: CompressorFactory,
) -> Factory[CompressorConfig, Result[Compressor, CompressionError | ValidationError]]:
    return factory


def the_service_is_a_service(service: CompressionService) -> Service[CompressionRequest, CompressionResult]:
    return service


def mine(level: int | None) -> Compressor:
    return GzipCompressor(level)


def what_is_registered(factory: CompressorFactory) -> None:
    factory.register("mine", mine, priority=50)
    factory.register("gzip", IsalGzipCompressor)
    assert_type(factory.available(), tuple[str, ...])
    assert_type(factory.create(CompressorConfig("mine")), Result[Compressor, CompressionError | ValidationError])


def what_the_service_returns(service: CompressionService, data: bytes) -> None:
    made = service.compress(data, accept_encoding="gzip", content_type="text/html")
    assert_type(made, Result[CompressionResult, CompressionError | ValidationError])
    assert_type(service.compress(data, accept_encoding=["gzip", "br"]).unwrap().ratio, float)
    assert_type(service.decompress(data, "gzip", max_size=5), Result[bytes, CompressionError | ValidationError])


async def what_it_executes(service: CompressionService, data: bytes) -> None:
    assert_type(await service.execute(CompressionRequest(data)), Result[CompressionResult, CompressionError])


def streams(compressor: Compressor, data: bytes) -> None:
    assert_type(compressor.encoding, str)
    assert_type(compressor.compress_stream(), CompressStream)
    assert_type(compressor.decompress_stream(max_size=None), DecompressStream)
    assert_type(compressor.decompress_stream().decompress(data), Iterator[bytes])


def what_is_selected() -> None:
    assert_type(select_encoding("gzip", ["gzip"]), str | None)
    assert_type(select_encoding(None, ()), str | None)
    assert_type(select_encoding(["gzip", "br"], ("gzip",)), str | None)


def what_can_be_chosen() -> CompressionConfig:
    return CompressionConfig(encodings=("br",), levels={"br": 5}, flush_delay=1, padding=8)
