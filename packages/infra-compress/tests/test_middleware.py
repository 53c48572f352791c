"""What `CompressionMiddleware` does to responses, and what it leaves alone."""

import asyncio
import gzip
import json
import random
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from infra_compress import CompressionConfig, CompressionMiddleware, CompressorFactory, GzipCompressor
from infra_compress.asgi import ASGIApp, Header, Receive, Scope, Send
from infra_compress.brotli import BrotliCompressor
from infra_compress.zstd import ZstdCompressor
from infra_conformance.loop import VirtualLoop
from infra_protocols import CompressionError, Compressor, ValidationError

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
DATA = json.dumps([{"id": number, "name": f"user {number}"} for number in range(1000)]).encode()
NOISE = random.Random(7).randbytes(3000)
ALL = "gzip, deflate, br, zstd"
BY_NAME: dict[str, Compressor] = {"gzip": GzipCompressor(), "br": BrotliCompressor(), "zstd": ZstdCompressor()}


def whole(body: bytes, *headers: Header, status: int = 200, **more: Any) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})
        await send({"type": "http.response.body", "body": body})

    return app


def parts(chunks: Sequence[bytes], *headers: Header, pause: Callable[[], Awaitable[object]] | None = None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if pause is not None:
                await pause()
        await send({"type": "http.response.body"})

    return app


def unpacked(exchange: Any) -> bytes:
    return BY_NAME[exchange.encoding].decompress(exchange.body)


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        (ALL, "zstd"),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.2", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        (["br;q=0.5", "gzip"], "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
    ],
)
async def test_a_whole_body_is_compressed_as_the_client_prefers(exchange: Any, accept: str, encoding: str) -> None:
    done = await exchange(accept).run(CompressionMiddleware(whole(DATA, JSON, (b"content-length", b"%d" % len(DATA)))))
    assert done.encoding == encoding
    assert done.headers == {
        "content-type": "application/json",
        "content-encoding": encoding,
        "content-length": str(len(done.body)),
        "vary": "Accept-Encoding",
    }
    assert len(done.lines) == 4
    assert unpacked(done) == DATA


@pytest.mark.parametrize("accept", [None, "", "identity", "lzma", "gzip;q=0", "not-gzip", "xbr", "gzip;q=high"])
async def test_who_accepts_no_coding_gets_plain_content_that_varies(exchange: Any, accept: str | None) -> None:
    done = await exchange(accept).run(CompressionMiddleware(whole(DATA, JSON, (b"content-length", b"9"))))
    assert done.body == DATA
    assert done.lines == [("content-type", "application/json"), ("content-length", "9"), ("vary", "Accept-Encoding")]


@pytest.mark.parametrize("accept", ["*;q=0", "identity;q=0", "identity;q=0, lzma"])
async def test_who_accepts_nothing_is_refused_before_the_application_is_asked(exchange: Any, accept: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("it was asked")

    done = await exchange(accept).run(CompressionMiddleware(app))
    assert (done.status, done.headers["vary"]) == (406, "Accept-Encoding")


# -- What is left alone.

NO_BODY = [204, 205, 206, 304]


@pytest.mark.parametrize("status", NO_BODY)
async def test_these_statuses_are_untouched(exchange: Any, status: int) -> None:
    app = whole(DATA, JSON, (b"ETag", b'"1"'), status=status)
    assert (await exchange(ALL).run(CompressionMiddleware(app))).sent == (await exchange(ALL).run(app)).sent


@pytest.mark.parametrize(
    "header",
    [
        (b"content-encoding", b"gzip"),
        (b"Content-Encoding", b"identity"),
        (b"cache-control", b"no-transform"),
        (b"Cache-Control", b"public, No-Transform , max-age=5"),
        (b"content-range", b"bytes 0-1/2"),
        (b"repr-digest", b"sha-256=:AAAA:"),
        (b"content-digest", b"sha-256=:AAAA:"),
    ],
)
async def test_these_headers_keep_a_response_untouched(exchange: Any, header: Header) -> None:
    for app in (
        whole(DATA, JSON, header, (b"accept-ranges", b"bytes"), (b"etag", b'"1"')),
        parts([DATA, DATA], JSON, header, (b"etag", b'"1"')),
    ):
        assert (await exchange(ALL).run(CompressionMiddleware(app))).sent == (await exchange(ALL).run(app)).sent


async def test_a_head_request_is_untouched(exchange: Any) -> None:
    app = whole(b"", JSON, (b"content-length", b"50000"), (b"etag", b'"1"'))
    head = await exchange(ALL, method="HEAD").run(CompressionMiddleware(app))
    assert head.sent == (await exchange(ALL).run(app)).sent


@pytest.mark.parametrize("type", [b"image/png", b"application/zip", b"video/mp4", b"font/woff2", b"", b"nonsense"])
async def test_what_is_not_worth_it_is_untouched(exchange: Any, type: bytes) -> None:
    for app in (whole(DATA, (b"content-type", type)), whole(DATA), parts([DATA], (b"content-type", type))):
        assert (await exchange(ALL).run(CompressionMiddleware(app))).sent == (await exchange(ALL).run(app)).sent


@pytest.mark.parametrize(
    "type",
    [b"text/html", b"Text/Plain; charset=utf-8", b"application/problem+json", b"image/svg+xml", b"application/wasm"],
)
async def test_what_is_worth_it_is_compressed(exchange: Any, type: bytes) -> None:
    done = await exchange(ALL).run(CompressionMiddleware(whole(DATA, (b"Content-Type", type))))
    assert done.encoding == "zstd"


async def test_other_types_can_be_chosen(exchange: Any) -> None:
    app = whole(DATA, (b"content-type", b"application/x-mine"))
    config = CompressionConfig(content_types=("application/X-Mine",))
    assert (await exchange(ALL).run(CompressionMiddleware(app, config))).encoding == "zstd"
    assert (await exchange(ALL).run(CompressionMiddleware(whole(DATA, JSON), config))).encoding is None


@pytest.mark.parametrize(("size", "encoding"), [(0, None), (1, None), (499, None), (500, "gzip"), (501, "gzip")])
async def test_what_is_small_is_left_plain(exchange: Any, size: int, encoding: str | None) -> None:
    done = await exchange("gzip").run(CompressionMiddleware(whole(DATA[:size], JSON, (b"etag", b'"1"'))))
    assert done.encoding == encoding
    assert done.headers["vary"] == "Accept-Encoding"
    assert done.headers["etag"] == ('W/"1"' if encoding else '"1"')


async def test_the_minimum_can_be_chosen(exchange: Any) -> None:
    app = whole(b"x" * 50, JSON)
    assert (await exchange("gzip").run(CompressionMiddleware(app, CompressionConfig(minimum_size=50)))).encoding
    assert not (await exchange("gzip").run(CompressionMiddleware(app, CompressionConfig(minimum_size=51)))).encoding
    empty = await exchange("gzip").run(CompressionMiddleware(whole(b"", JSON), CompressionConfig(minimum_size=0)))
    assert (empty.encoding, empty.body) == (None, b"")


async def test_what_does_not_become_smaller_is_sent_as_it_is(exchange: Any) -> None:
    app = whole(NOISE, JSON, (b"etag", b'"1"'), (b"accept-ranges", b"bytes"))
    done = await exchange(ALL).run(CompressionMiddleware(app))
    assert (done.encoding, done.body) == (None, NOISE)
    assert done.headers == {
        "content-type": "application/json",
        "etag": '"1"',
        "accept-ranges": "bytes",
        "vary": "Accept-Encoding",
    }


@pytest.mark.parametrize("body", [b"", b"small", NOISE], ids=["empty", "small", "noise"])
async def test_where_plain_content_is_not_acceptable_everything_is_compressed(exchange: Any, body: bytes) -> None:
    done = await exchange("gzip, identity;q=0").run(CompressionMiddleware(whole(body, JSON)))
    assert done.encoding == "gzip"
    assert gzip.decompress(done.body) == body


async def test_other_messages_and_scopes_pass(exchange: Any) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await send({"type": "http.response.debug", "info": {}})
        await whole(DATA, JSON, trailers=True)(scope, receive, send)
        await send({"type": "http.response.trailers", "headers": []})

    done = await exchange("gzip").run(CompressionMiddleware(app))
    assert [message["type"].rpartition(".")[2] for message in done.sent] == ["debug", "start", "body", "trailers"]
    for kind in ("websocket", "lifespan"):
        await CompressionMiddleware(app)({"type": kind}, done.receive, done.send)
    assert seen == ["http", "websocket", "lifespan"]


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
async def test_a_file_that_the_server_sends_is_left_to_it(exchange: Any, kind: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, (b"content-length", b"5000")]})
        await send({"type": kind, "path": "/file"})

    done = await exchange(ALL).run(CompressionMiddleware(app))
    assert done.headers == {"content-type": "application/json", "content-length": "5000", "vary": "Accept-Encoding"}
    assert done.sent[1] == {"type": kind, "path": "/file"}


# -- Headers.


@pytest.mark.parametrize(
    ("vary", "merged"),
    [
        ([], ["Accept-Encoding"]),
        ([b""], ["Accept-Encoding"]),
        ([b"Cookie"], ["Cookie, Accept-Encoding"]),
        ([b"Cookie", b"Origin"], ["Cookie", "Origin, Accept-Encoding"]),
        ([b"accept-encoding"], ["accept-encoding"]),
        ([b"Origin, ACCEPT-ENCODING"], ["Origin, ACCEPT-ENCODING"]),
        ([b"Accept-Encoding", b"Cookie"], ["Accept-Encoding", "Cookie"]),
        ([b"X-Accept-Encoding"], ["X-Accept-Encoding, Accept-Encoding"]),
        ([b"*"], ["*"]),
    ],
)
@pytest.mark.parametrize("accept", [ALL, None])
async def test_vary_is_merged(exchange: Any, accept: str | None, vary: list[bytes], merged: list[str]) -> None:
    app = whole(DATA, JSON, *((b"Vary", line) for line in vary))
    done = await exchange(accept).run(CompressionMiddleware(app))
    assert [value for name, value in done.lines if name == "vary"] == merged


@pytest.mark.parametrize(
    ("etag", "changed"), [(b'"abc"', 'W/"abc"'), (b'W/"abc"', 'W/"abc"'), (b'""', 'W/""'), (b"odd", "odd")]
)
async def test_a_strong_etag_becomes_weak(exchange: Any, etag: bytes, changed: str) -> None:
    app = whole(DATA, JSON, (b"ETag", etag), (b"Accept-Ranges", b"bytes"), (b"X-Other", b"kept"))
    done = await exchange(ALL).run(CompressionMiddleware(app))
    assert done.headers["etag"] == changed
    assert "accept-ranges" not in done.headers
    assert done.headers["x-other"] == "kept"


async def test_the_headers_of_the_application_are_not_changed_in_place(exchange: Any) -> None:
    headers = [JSON, (b"etag", b'"1"')]
    start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": DATA})

    await exchange(ALL).run(CompressionMiddleware(app))
    assert start["headers"] is headers
    assert headers == [JSON, (b"etag", b'"1"')]


# -- Bodies in parts.


@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_a_body_in_parts_is_compressed_as_it_comes(exchange: Any, encoding: str) -> None:
    chunks = [DATA, b"", b"x", DATA[:1000], bytearray(b"y" * 10), memoryview(b"z")]
    app = parts([*chunks], JSON, (b"content-length", b"70000"), (b"etag", b'"1"'))  # pyright: ignore[reportArgumentType]
    done = await exchange(encoding).run(CompressionMiddleware(app))
    assert done.headers == {
        "content-type": "application/json",
        "content-encoding": encoding,
        "etag": 'W/"1"',
        "vary": "Accept-Encoding",
    }
    assert unpacked(done) == b"".join(map(bytes, chunks))
    assert done.sent[-1].get("more_body", False) is False


async def test_a_body_in_parts_that_says_that_it_is_small_is_left_plain(exchange: Any) -> None:
    done = await exchange(ALL).run(CompressionMiddleware(parts([b"a", b"b"], JSON, (b"content-length", b"2"))))
    assert (done.encoding, done.body, done.headers["content-length"]) == (None, b"ab", "2")


@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_each_event_is_sent_at_once_and_the_start_before_the_first(exchange: Any, encoding: str) -> None:
    done = exchange(encoding)
    seen: list[bytes] = []
    reader = BY_NAME[encoding].decompress_stream()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        assert done.encoding == encoding
        for number in range(20):
            event = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": event, "more_body": True})
            seen.append(b"".join(reader.decompress(done.chunks[-1])))
            assert seen[-1] == event
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    await done.run(CompressionMiddleware(app))
    assert unpacked(done) == b"".join(seen)


class Timed:
    """Notes when what can be read first was there, in virtual seconds."""

    def __init__(self, exchange: Any) -> None:
        self.inner = exchange("gzip")
        self.reader = GzipCompressor().decompress_stream()
        self.seen: list[tuple[float, bytes]] = []

    async def send(self, message: Any) -> None:
        await self.inner.send(message)
        if message["type"] == "http.response.body" and (got := b"".join(self.reader.decompress(message["body"]))):
            self.seen.append((round(asyncio.get_running_loop().time() - self.began, 3), got))

    async def _run(self, app: ASGIApp) -> None:
        self.began = asyncio.get_running_loop().time()
        await app(self.inner.scope, self.inner.receive, self.send)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def run(self, app: ASGIApp) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(self._run(app))
            loop: Any = runner.get_loop()
            assert not loop.pending_timers()


@pytest.mark.parametrize("delay", [0.05, 0.1, 2.0])
def test_nothing_stays_in_the_compressor_for_longer_than_the_delay(exchange: Any, delay: float) -> None:
    timed = Timed(exchange)
    app = parts([b"first", b"second"], JSON, pause=lambda: asyncio.sleep(10))
    timed.run(CompressionMiddleware(app, CompressionConfig(flush_delay=delay)))
    assert timed.seen == [(delay, b"first"), (10 + delay, b"second")]


def test_parts_that_come_fast_are_flushed_together_and_yet_in_time(exchange: Any) -> None:
    timed = Timed(exchange)
    app = parts([b"%02d" % number for number in range(10)], JSON, pause=lambda: asyncio.sleep(0.04))
    timed.run(CompressionMiddleware(app))
    assert timed.seen == [(0.1, b"000102"), (0.22, b"030405"), (0.34, b"060708"), (0.4, b"09")]


def test_without_a_delay_each_part_is_sent_at_once(exchange: Any) -> None:
    timed = Timed(exchange)
    app = parts([b"first", b"second"], JSON, pause=lambda: asyncio.sleep(10))
    timed.run(CompressionMiddleware(app, CompressionConfig(flush_delay=0)))
    assert timed.seen == [(0, b"first"), (10, b"second")]


def test_parts_that_are_sent_while_a_flush_is_on_its_way_wait_for_it(exchange: Any) -> None:
    class Slow(Timed):
        async def send(self, message: Any) -> None:
            await asyncio.sleep(1)
            await super().send(message)

    timed = Slow(exchange)
    app = parts([b"a", b"b", b"c"], JSON, pause=lambda: asyncio.sleep(0.15))
    timed.run(CompressionMiddleware(app))
    assert b"".join(got for _, got in timed.seen) == b"abc"
    assert unpacked(timed.inner) == b"abc"


# -- How it ends.


class Gone(OSError):
    """The client is gone."""


async def test_an_exception_before_the_body_leaves_the_answer_to_others(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        raise RuntimeError("boom")

    done = exchange(ALL)
    with pytest.raises(RuntimeError, match="boom"):
        await done.run(CompressionMiddleware(app))
    assert done.sent == []


async def test_a_start_without_a_body_is_passed_on(exchange: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})

    done = await exchange(ALL).run(CompressionMiddleware(app))
    assert [message["type"] for message in done.sent] == ["http.response.start"]


def test_an_exception_in_the_middle_leaves_nothing_behind(exchange: Any) -> None:
    async def fail() -> None:
        raise RuntimeError("boom")

    timed = Timed(exchange)
    with pytest.raises(RuntimeError, match="boom"):
        timed.run(CompressionMiddleware(parts([b"first"], JSON, pause=fail)))
    assert timed.seen == []


@pytest.mark.parametrize("after", [0.05, 0.1, 0.15, 5.0])
def test_a_request_that_is_cancelled_leaves_nothing_behind(exchange: Any, after: float) -> None:
    class Stuck(Timed):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if self.seen:
                await asyncio.sleep(1000)  # the client does not read on

        async def _run(self, app: ASGIApp) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(after):
                    await super()._run(app)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    Stuck(exchange).run(CompressionMiddleware(parts([b"a", b"b"], JSON, pause=lambda: asyncio.sleep(3))))


def test_after_a_part_that_was_interrupted_nothing_more_is_sent(exchange: Any) -> None:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if len(sent[-1]) > 1000:
            await asyncio.sleep(1000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await parts([b"first", random.Random(7).randbytes(100_000)], JSON)(scope, receive, send)
        finally:
            await asyncio.sleep(10)  # a flush would be due by now

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await CompressionMiddleware(app)(exchange("gzip").scope, exchange().receive, send)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    assert [len(body) > 1000 for body in sent] == [False, False, True]


def test_what_fails_in_the_background_reaches_the_application(exchange: Any) -> None:
    class Lost(Timed):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if self.seen:
                raise Gone

    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await parts([b"a", b"b", b"c"], JSON, pause=lambda: asyncio.sleep(1))(scope, receive, send)
        except Gone:
            told.append("gone")
            raise

    with pytest.raises(Gone):
        Lost(exchange).run(CompressionMiddleware(app))
    assert told == ["gone"]


# -- Large bodies.


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
    done = await exchange("gzip").run(CompressionMiddleware(whole(body, JSON), factory=factory))
    assert Watched.seen == seen
    assert unpacked(done) == body
    Watched.seen.clear()
    done = await exchange("gzip").run(CompressionMiddleware(parts([body], JSON), factory=factory))
    assert Watched.seen == seen
    assert unpacked(done) == body


async def test_what_counts_as_large_can_be_chosen(exchange: Any, factory: CompressorFactory) -> None:
    config = CompressionConfig(inline_size=1000)
    await exchange("gzip").run(CompressionMiddleware(whole(DATA, JSON), config, factory))
    assert Watched.seen == [(False, len(DATA))]


# -- Padding.


@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_padding_hides_how_large_a_body_is(exchange: Any, encoding: str) -> None:
    for app in (whole(DATA, JSON), parts([DATA[:9], DATA[9:]], JSON), parts([b"data: 1\n\n", b"data: 2\n\n"], EVENTS)):
        middleware = CompressionMiddleware(app, CompressionConfig(padding=40))
        plain = (await exchange(None).run(app)).body
        sizes: set[int] = set()
        for _ in range(200):
            done = await exchange(encoding).run(middleware)
            assert unpacked(done) == plain
            sizes.add(len(done.body))
        assert len(sizes) > 20
        assert max(sizes) - min(sizes) < 40


@pytest.mark.parametrize("most", [1, 256])
@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_padding_is_of_any_size(exchange: Any, encoding: str, most: int) -> None:
    middleware = CompressionMiddleware(whole(DATA, JSON), CompressionConfig(padding=most))
    for _ in range(most + 10):
        assert unpacked(await exchange(encoding).run(middleware)) == DATA


async def test_what_cannot_be_padded_is_not_offered(exchange: Any) -> None:
    middleware = CompressionMiddleware(whole(DATA, JSON), CompressionConfig(padding=40))
    assert (await exchange("deflate").run(middleware)).encoding is None
    with pytest.raises(ValidationError, match="deflate"):
        CompressionMiddleware(whole(DATA), CompressionConfig(padding=40, encodings=("deflate",)))


# -- What is offered.


async def test_what_is_offered_and_in_which_order_can_be_chosen(exchange: Any) -> None:
    middleware = CompressionMiddleware(whole(DATA, JSON), CompressionConfig(encodings=("deflate", "gzip")))
    assert (await exchange(ALL).run(middleware)).encoding == "deflate"
    assert (await exchange("br, gzip").run(middleware)).encoding == "gzip"
    assert (await exchange("br").run(middleware)).encoding is None


async def test_levels_can_be_chosen(exchange: Any) -> None:
    sizes: list[int] = []
    for levels in ({"gzip": 0}, {"X-GZIP": 9}):
        config = CompressionConfig(levels=levels)
        done = await exchange("gzip, identity;q=0").run(CompressionMiddleware(whole(DATA, JSON), config))
        sizes.append(len(done.body))
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("encodings", [("lz",), ("gzip", "lz")])
def test_what_cannot_be_made_is_refused_at_once(encodings: tuple[str, ...]) -> None:
    with pytest.raises(CompressionError):
        CompressionMiddleware(whole(DATA), CompressionConfig(encodings=encodings))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encodings", ("*",)),
        ("encodings", ("identity",)),
        ("levels", {"two words": 1}),
        ("content_types", (" ",)),
        ("minimum_size", -1),
        ("minimum_size", 1.5),
        ("max_size", -1),
        ("inline_size", "1"),
        ("flush_delay", -0.1),
        ("flush_delay", float("nan")),
        ("padding", -1),
        ("padding", 257),
    ],
)
def test_a_bad_configuration_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        CompressionConfig(**{field: value})
