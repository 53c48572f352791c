"""What `DecompressionMiddleware` makes of requests."""

import asyncio
from typing import Any

import pytest

from infra_compress import (
    CompressionConfig,
    CompressionMiddleware,
    DecompressionMiddleware,
    DeflateCompressor,
    GzipCompressor,
)
from infra_compress.asgi import ASGIApp, Receive, Scope, Send
from infra_compress.brotli import BrotliCompressor
from infra_compress.zstd import ZstdCompressor
from infra_protocols import CompressionError, Compressor, CorruptDataError

DATA = b"All work and no play makes Jack a dull boy. " * 10_000
ALL: list[Compressor] = [GzipCompressor(), DeflateCompressor(), BrotliCompressor(), ZstdCompressor()]


class Echo:
    """Answers with what it was sent, and keeps what it was told."""

    def __init__(self) -> None:
        self.body = b""
        self.largest = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.raised: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = scope["headers"]
        try:
            more = True
            while more:
                message = await receive()
                assert message["type"] == "http.request"
                self.body += message["body"]
                self.largest = max(self.largest, len(message["body"]))
                more = message["more_body"]
        except CompressionError as error:
            self.raised = error
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


class Swallowing(Echo):
    """Takes every error for one of its own, as frameworks do."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except CompressionError:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"oops"})


def requested(exchange: Any, coding: str | None, *chunks: bytes, **headers: str) -> Any:
    given = headers if coding is None else headers | {"content_encoding": coding}
    made = exchange(method="POST", content_length="17", **given)
    made.requests = [
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    ]
    return made


@pytest.mark.parametrize("compressor", ALL, ids=lambda compressor: compressor.encoding)
async def test_a_body_is_decompressed_a_piece_at_a_time(exchange: Any, compressor: Compressor) -> None:
    packed, echo = compressor.compress(DATA), Echo()
    for coding in (compressor.encoding, compressor.encoding.upper(), f" identity , {compressor.encoding}"):
        echo = Echo()
        chunks = [packed[:10], b"", packed[10:11], packed[11:]]
        done = await requested(exchange, coding, *chunks, x_other="kept").run(DecompressionMiddleware(echo))
        assert (done.status, done.body, echo.body) == (200, b"ok", DATA)
        assert echo.headers == [(b"x-other", b"kept")]
        assert echo.largest <= 128 * 1024


async def test_after_the_body_comes_what_the_server_says(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen = [await receive() for _ in range(3)]
        assert [message["type"] for message in seen] == ["http.request", "http.request", "http.disconnect"]
        assert [message.get("more_body") for message in seen] == [True, False, None]

    await requested(exchange, "gzip", GzipCompressor().compress(b"x")).run(DecompressionMiddleware(app))


async def test_a_client_that_goes_away_is_told(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "http.disconnect"}

    await exchange(content_encoding="gzip").run(DecompressionMiddleware(app))


@pytest.mark.parametrize("coding", [None, "identity", "Identity", "", " , "])
async def test_a_plain_body_passes(exchange: Any, coding: str | None) -> None:
    echo = Echo()
    made = requested(exchange, coding, b"plain")
    await made.run(DecompressionMiddleware(echo))
    assert echo.body == b"plain"
    assert echo.headers is made.scope["headers"]


async def test_other_scopes_pass(exchange: Any) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    made = exchange()
    for kind in ("websocket", "lifespan"):
        await DecompressionMiddleware(app)({"type": kind}, made.receive, made.send)
    assert seen == ["websocket", "lifespan"]


@pytest.mark.parametrize("coding", ["lz", "gzip, br", "gzip, gzip", "gzip;q=1", "*", "not-gzip"])
async def test_a_coding_that_is_not_known_is_415(exchange: Any, coding: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("it was asked")

    done = await requested(exchange, coding, b"?").run(DecompressionMiddleware(app))
    assert (done.status, done.headers["accept-encoding"]) == (415, "zstd, br, gzip, deflate")


PACKED = GzipCompressor().compress(DATA)
BAD = [b"garbage" * 100, PACKED[:-1], PACKED[:3], b"", PACKED + b"!", PACKED[:-8] + bytes(8)]


@pytest.mark.parametrize("app", [Echo, Swallowing])
@pytest.mark.parametrize("body", BAD, ids=["garbage", "cut", "begun", "empty", "followed", "checksum"])
async def test_a_body_that_is_not_valid_is_400(exchange: Any, app: type[Echo], body: bytes) -> None:
    echo = app()
    done = await requested(exchange, "gzip", body[:50], body[50:]).run(DecompressionMiddleware(echo))
    assert done.status == 400
    assert done.body == b"This is not whole and valid gzip"
    assert len(done.sent) == 2
    assert isinstance(echo.raised, CorruptDataError)


@pytest.mark.parametrize("app", [Echo, Swallowing])
@pytest.mark.parametrize("compressor", ALL, ids=lambda compressor: compressor.encoding)
async def test_a_body_that_becomes_too_large_is_413(exchange: Any, app: type[Echo], compressor: Compressor) -> None:
    for size, status in ((100_000, 200), (100_001, 413), (10_000_000, 413)):
        echo = app()
        middleware = DecompressionMiddleware(echo, CompressionConfig(max_size=100_000))
        done = await requested(exchange, compressor.encoding, compressor.compress(bytes(size))).run(middleware)
        assert done.status == status
        assert len(echo.body) <= 100_000


async def test_who_asks_again_is_told_again(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            with pytest.raises(CorruptDataError):
                await receive()

    done = await requested(exchange, "gzip", b"garbage").run(DecompressionMiddleware(app))
    assert done.status == 400


async def test_an_application_that_has_begun_to_answer_gets_the_error(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    done = requested(exchange, "gzip", b"garbage")
    with pytest.raises(CorruptDataError):
        await done.run(DecompressionMiddleware(app))
    assert len(done.sent) == 1


async def test_an_application_that_does_not_read_answers_as_it_likes(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    assert (await requested(exchange, "gzip", b"garbage").run(DecompressionMiddleware(app))).status == 204


async def test_an_error_of_the_application_is_its_own(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise CompressionError("of its own")

    with pytest.raises(CompressionError, match="of its own"):
        await requested(exchange, "gzip", PACKED).run(DecompressionMiddleware(app))


async def test_a_large_body_lets_others_run_in_between(exchange: Any) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    app: ASGIApp = DecompressionMiddleware(Echo())
    await requested(exchange, "gzip", GzipCompressor().compress(bytes(10_000_000))).run(app)
    counting.cancel()
    assert turns > 50


async def test_what_is_answered_can_be_chosen(exchange: Any) -> None:
    def refusal(error: CompressionError) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await send(
                {"type": "http.response.start", "status": 422, "headers": [(b"x-code", error.error_code.encode())]}
            )
            await send({"type": "http.response.body", "body": b"no"})

        return answer

    middleware = DecompressionMiddleware(Swallowing(), CompressionConfig(max_size=99), refusal=refusal)
    for coding, body, code in (
        ("gzip", b"garbage", "COMPRESSION_DATA_CORRUPT"),
        ("gzip", PACKED, "COMPRESSION_OUTPUT_TOO_LARGE"),
        ("lz", PACKED, "COMPRESSION_ENCODING_UNKNOWN"),
    ):
        done = await requested(exchange, coding, body).run(middleware)
        assert (done.status, done.body, done.headers["x-code"]) == (422, b"no", code)
        assert ("accept-encoding" in done.headers) == (coding == "lz")
    done = await exchange("*;q=0").run(CompressionMiddleware(Echo(), refusal=refusal))
    assert (done.status, done.headers) == (422, {"x-code": "COMPRESSION_NOT_ACCEPTABLE", "vary": "Accept-Encoding"})
