"""What `CompressionMiddleware` hides of how large a body is."""

import json
from typing import Any

import pytest

from infra_compress import CompressionConfig, CompressionMiddleware, GzipCompressor
from infra_compress.brotli import BrotliCompressor
from infra_compress.zstd import ZstdCompressor
from infra_protocols import Compressor, ValidationError

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
DATA = json.dumps([{"id": number, "name": f"user {number}"} for number in range(1000)]).encode()
BY_NAME: dict[str, Compressor] = {"gzip": GzipCompressor(), "br": BrotliCompressor(), "zstd": ZstdCompressor()}


@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_padding_hides_how_large_a_body_is(exchange: Any, encoding: str) -> None:
    for app in (
        exchange.whole(DATA, JSON),
        exchange.parts([DATA[:9], DATA[9:]], JSON),
        exchange.parts([b"data: 1\n\n", b"data: 2\n\n"], EVENTS),
    ):
        middleware = CompressionMiddleware(app, CompressionConfig(padding=40))
        plain = (await exchange(None).run(app)).body
        sizes: set[int] = set()
        for _ in range(200):
            done = await exchange(encoding).run(middleware)
            assert done.unpacked == plain
            sizes.add(len(done.body))
        assert len(sizes) > 20
        assert max(sizes) - min(sizes) < 40


@pytest.mark.parametrize("most", [1, 256])
@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_padding_is_of_any_size(exchange: Any, encoding: str, most: int) -> None:
    middleware = CompressionMiddleware(exchange.whole(DATA, JSON), CompressionConfig(padding=most))
    for _ in range(most + 10):
        assert (await exchange(encoding).run(middleware)).unpacked == DATA


async def test_what_cannot_be_padded_is_not_offered(exchange: Any) -> None:
    middleware = CompressionMiddleware(exchange.whole(DATA, JSON), CompressionConfig(padding=40))
    assert (await exchange("deflate").run(middleware)).encoding is None
    with pytest.raises(ValidationError, match="deflate"):
        CompressionMiddleware(exchange.whole(DATA), CompressionConfig(padding=40, encodings=("deflate",)))
