"""Where `CompressionMiddleware` compresses large bodies: not on the event loop."""

import json
import threading
from typing import Any

import pytest

from infra_compress import CompressionConfig, CompressionMiddleware, CompressorFactory, GzipCompressor

JSON = (b"content-type", b"application/json")
DATA = json.dumps([{"id": number, "name": f"user {number}"} for number in range(1000)]).encode()


class Watched(GzipCompressor):
    """Notes in which threads it works, and on how much."""

    seen: list[tuple[bool, int]] = []

    def compress(self, data: bytes) -> bytes:
        self.note(data)
        return super().compress(data)

    def compress_stream(self) -> Any:
        stream, note = super().compress_stream(), self.note

        class Noted:
            flush, finish = stream.flush, stream.finish

            @staticmethod
            def compress(data: bytes) -> bytes:
                note(data)
                return stream.compress(data)

        return Noted

    def note(self, data: bytes) -> None:
        Watched.seen.append((threading.current_thread() is threading.main_thread(), len(data)))


@pytest.fixture
def factory() -> CompressorFactory:
    Watched.seen = []
    made = CompressorFactory()
    made.register("gzip", Watched)
    return made


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        (131_072, [(True, 131_072)]),
        (131_073, [(False, 131_073)]),
        (2_500_000, [(False, 1_048_576), (False, 1_048_576), (False, 402_848)]),
    ],
)
async def test_large_bodies_are_compressed_in_a_thread(
    exchange: Any, factory: CompressorFactory, size: int, seen: list[tuple[bool, int]]
) -> None:
    body = (DATA * 100)[:size]
    done = await exchange("gzip").run(CompressionMiddleware(exchange.whole(body, JSON), factory=factory))
    assert Watched.seen == seen
    assert done.unpacked == body
    Watched.seen.clear()
    done = await exchange("gzip").run(CompressionMiddleware(exchange.parts([body], JSON), factory=factory))
    assert Watched.seen == seen
    assert done.unpacked == body


async def test_what_counts_as_large_can_be_chosen(exchange: Any, factory: CompressorFactory) -> None:
    config = CompressionConfig(inline_size=1000)
    await exchange("gzip").run(CompressionMiddleware(exchange.whole(DATA, JSON), config, factory))
    assert Watched.seen == [(False, len(DATA))]
