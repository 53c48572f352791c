"""What `CompressionService` compresses, and what it tells of what it does not."""

import asyncio
import random
import threading
from typing import Any

import pytest

from infra_compress import (
    CompressionConfig,
    CompressionRequest,
    CompressionResult,
    CompressionService,
    CompressorFactory,
    GzipCompressor,
)
from infra_protocols import (
    CompressionError,
    CorruptDataError,
    NotAcceptableError,
    OutputTooLargeError,
    Service,
    UnknownEncodingError,
    ValidationError,
)

DATA = b"All work and no play makes Jack a dull boy. " * 100
NOISE = random.Random(7).randbytes(3000)


@pytest.fixture
def service() -> CompressionService:
    return CompressionService()


def test_it_is_a_service(service: CompressionService) -> None:
    assert isinstance(service, Service)
    assert service.encodings == ("zstd", "br", "gzip", "deflate")


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip", "deflate"])
def test_what_it_compresses_it_decompresses(service: CompressionService, encoding: str) -> None:
    result = service.compress(DATA, accept_encoding=encoding, content_type="text/plain").unwrap()
    assert result.encoding == encoding
    assert result.original_size == len(DATA)
    assert result.compressed_size == len(result.data) < len(DATA) // 10
    assert service.decompress(result.data, encoding).unwrap() == DATA
    assert service.decompress(result.data, encoding.upper(), max_size=len(DATA)).unwrap() == DATA


def test_the_old_name_of_gzip_will_do(service: CompressionService) -> None:
    result = service.compress(DATA, accept_encoding="x-gzip").unwrap()
    assert result.encoding == "gzip"
    assert service.decompress(result.data, "x-gzip").unwrap() == DATA


@pytest.mark.parametrize(
    ("data", "accept", "content_type"),
    [
        (DATA, None, None),
        (DATA, "identity", None),
        (DATA, "gzip;q=0", None),
        (DATA, "gzip", "image/png"),
        (DATA[:499], "gzip", None),
        (NOISE, "gzip", None),
        (b"", "gzip", None),
    ],
    ids=["no header", "plain", "refused", "type", "small", "noise", "empty"],
)
def test_what_is_not_worth_it_stays_as_it_is(
    service: CompressionService, data: bytes, accept: str | None, content_type: str | None
) -> None:
    result = service.compress(data, accept_encoding=accept, content_type=content_type).unwrap()
    assert result == CompressionResult(data, "identity", len(data))
    assert (result.ratio, result.savings) == (1.0, 0.0)


@pytest.mark.parametrize("data", [b"", b"small", NOISE])
def test_where_plain_data_is_not_acceptable_it_is_compressed(service: CompressionService, data: bytes) -> None:
    result = service.compress(data, accept_encoding="gzip, *;q=0", content_type="image/png").unwrap()
    assert result.encoding == "gzip"
    assert service.decompress(result.data, "gzip").unwrap() == data
    assert result.savings <= 0.0


def test_the_header_may_have_several_lines(service: CompressionService) -> None:
    lines = iter(["br;q=0.5", "gzip"])
    assert service.compress(DATA, accept_encoding=lines).unwrap().encoding == "gzip"


@pytest.mark.parametrize(
    ("size", "original", "ratio", "savings"),
    [(25, 100, 4.0, 0.75), (100, 100, 1.0, 0.0), (0, 0, 1.0, 0.0), (20, 0, 0.0, 0.0), (150, 100, 2 / 3, -0.5)],
)
def test_a_result_tells_ratio_and_savings(size: int, original: int, ratio: float, savings: float) -> None:
    result = CompressionResult(bytes(size), "gzip", original)
    assert result.ratio == pytest.approx(ratio)
    assert result.savings == pytest.approx(savings)


def test_nothing_acceptable_is_an_err(service: CompressionService) -> None:
    assert isinstance(service.compress(DATA, accept_encoding="*;q=0").unwrap_err(), NotAcceptableError)


@pytest.mark.parametrize(
    ("data", "encoding", "error"),
    [
        (b"", "gzip", CorruptDataError),
        (b"garbage", "gzip", CorruptDataError),
        (GzipCompressor().compress(DATA)[:-1], "gzip", CorruptDataError),
        (GzipCompressor().compress(DATA) + b"x", "gzip", CorruptDataError),
        (GzipCompressor().compress(DATA), "br", CorruptDataError),
        (GzipCompressor().compress(DATA), "lz", UnknownEncodingError),
        (GzipCompressor().compress(DATA), "gzip, br", UnknownEncodingError),
        (GzipCompressor().compress(DATA), "identity", UnknownEncodingError),
        ("text", "gzip", ValidationError),
        (b"data", 7, ValidationError),
    ],
)
def test_what_cannot_be_decompressed_is_an_err(
    service: CompressionService, data: Any, encoding: Any, error: type[CompressionError]
) -> None:
    assert type(service.decompress(data, encoding).unwrap_err()) is error


def test_what_would_become_too_large_is_an_err() -> None:
    service = CompressionService(CompressionConfig(max_size=1000))
    packed = GzipCompressor().compress(bytes(1001))
    assert isinstance(service.decompress(packed, "gzip").unwrap_err(), OutputTooLargeError)
    assert len(service.decompress(packed, "gzip", max_size=1001).unwrap()) == 1001
    assert isinstance(service.decompress(packed, "gzip", max_size=1000).unwrap_err(), OutputTooLargeError)


def test_by_default_16_mib_may_come_of_it(service: CompressionService) -> None:
    most = 16 * 1024 * 1024
    assert len(service.decompress(GzipCompressor().compress(bytes(most)), "gzip").unwrap()) == most
    assert service.decompress(GzipCompressor().compress(bytes(most + 1)), "gzip").is_err()


@pytest.mark.parametrize("size", [-1, 1.5, "1", True])
def test_a_bad_bound_is_an_err(service: CompressionService, size: Any) -> None:
    error = service.decompress(GzipCompressor().compress(DATA), "gzip", max_size=size).unwrap_err()
    assert isinstance(error, ValidationError)
    assert error.field == "max_size"


def test_bad_data_is_an_err(service: CompressionService) -> None:
    text: Any = "text"
    error = service.compress(text, accept_encoding="gzip").unwrap_err()
    assert isinstance(error, ValidationError)
    assert error.field == "data"
    with pytest.raises(ValidationError):
        CompressionRequest(text)


class Watched(GzipCompressor):
    seen: list[bool] = []

    def compress(self, data: bytes) -> bytes:
        Watched.seen.append(threading.current_thread() is threading.main_thread())
        return super().compress(data)


@pytest.mark.parametrize(("size", "on_loop"), [(1000, True), (1001, False)])
async def test_large_data_is_compressed_in_a_thread(size: int, on_loop: bool) -> None:
    factory = CompressorFactory()
    factory.register("gzip", Watched)
    service = CompressionService(CompressionConfig(inline_size=1000), factory)
    Watched.seen.clear()
    result = (await service.execute(CompressionRequest(bytes(size), "gzip", "text/plain"))).unwrap()
    assert (result.encoding, Watched.seen) == ("gzip", [on_loop])


async def test_what_is_executed_may_be_an_err(service: CompressionService) -> None:
    done = await asyncio.gather(*(service.execute(CompressionRequest(DATA, "*;q=0")) for _ in range(3)))
    assert all(isinstance(result.unwrap_err(), NotAcceptableError) for result in done)
