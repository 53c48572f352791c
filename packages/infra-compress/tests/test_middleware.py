"""What `CompressionMiddleware` does to responses, and what it leaves alone."""

import gzip
import json
import random
from typing import Any

import pytest

from infra_compress import CompressionConfig, CompressionMiddleware
from infra_compress.asgi import Header, Receive, Scope, Send
from infra_protocols import CompressionError, ValidationError

JSON = (b"content-type", b"application/json")
DATA = json.dumps([{"id": number, "name": f"user {number}"} for number in range(1000)]).encode()
NOISE = random.Random(7).randbytes(3000)
ALL = "gzip, deflate, br, zstd"


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
    done = await exchange(accept).run(
        CompressionMiddleware(exchange.whole(DATA, JSON, (b"content-length", b"%d" % len(DATA))))
    )
    assert done.encoding == encoding
    assert done.headers == {
        "content-type": "application/json",
        "content-encoding": encoding,
        "content-length": str(len(done.body)),
        "vary": "Accept-Encoding",
    }
    assert len(done.lines) == 4
    assert done.unpacked == DATA


@pytest.mark.parametrize("accept", [None, "", "identity", "lzma", "gzip;q=0", "not-gzip", "xbr", "gzip;q=high"])
async def test_who_accepts_no_coding_gets_plain_content_that_varies(exchange: Any, accept: str | None) -> None:
    done = await exchange(accept).run(CompressionMiddleware(exchange.whole(DATA, JSON, (b"content-length", b"9"))))
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
    app = exchange.whole(DATA, JSON, (b"ETag", b'"1"'), status=status)
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
        exchange.whole(DATA, JSON, header, (b"accept-ranges", b"bytes"), (b"etag", b'"1"')),
        exchange.parts([DATA, DATA], JSON, header, (b"etag", b'"1"')),
    ):
        assert (await exchange(ALL).run(CompressionMiddleware(app))).sent == (await exchange(ALL).run(app)).sent


async def test_a_head_request_is_untouched(exchange: Any) -> None:
    app = exchange.whole(b"", JSON, (b"content-length", b"50000"), (b"etag", b'"1"'))
    head = await exchange(ALL, method="HEAD").run(CompressionMiddleware(app))
    assert head.sent == (await exchange(ALL).run(app)).sent


@pytest.mark.parametrize("type", [b"image/png", b"application/zip", b"video/mp4", b"font/woff2", b"", b"nonsense"])
async def test_what_is_not_worth_it_is_untouched(exchange: Any, type: bytes) -> None:
    for app in (
        exchange.whole(DATA, (b"content-type", type)),
        exchange.whole(DATA),
        exchange.parts([DATA], (b"content-type", type)),
    ):
        assert (await exchange(ALL).run(CompressionMiddleware(app))).sent == (await exchange(ALL).run(app)).sent


@pytest.mark.parametrize(
    "type",
    [b"text/html", b"Text/Plain; charset=utf-8", b"application/problem+json", b"image/svg+xml", b"application/wasm"],
)
async def test_what_is_worth_it_is_compressed(exchange: Any, type: bytes) -> None:
    done = await exchange(ALL).run(CompressionMiddleware(exchange.whole(DATA, (b"Content-Type", type))))
    assert done.encoding == "zstd"


async def test_other_types_can_be_chosen(exchange: Any) -> None:
    app = exchange.whole(DATA, (b"content-type", b"application/x-mine"))
    config = CompressionConfig(content_types=("application/X-Mine",))
    assert (await exchange(ALL).run(CompressionMiddleware(app, config))).encoding == "zstd"
    assert (await exchange(ALL).run(CompressionMiddleware(exchange.whole(DATA, JSON), config))).encoding is None


@pytest.mark.parametrize(("size", "encoding"), [(0, None), (1, None), (499, None), (500, "gzip"), (501, "gzip")])
async def test_what_is_small_is_left_plain(exchange: Any, size: int, encoding: str | None) -> None:
    done = await exchange("gzip").run(CompressionMiddleware(exchange.whole(DATA[:size], JSON, (b"etag", b'"1"'))))
    assert done.encoding == encoding
    assert done.headers["vary"] == "Accept-Encoding"
    assert done.headers["etag"] == ('W/"1"' if encoding else '"1"')


async def test_the_minimum_can_be_chosen(exchange: Any) -> None:
    app = exchange.whole(b"x" * 50, JSON)
    assert (await exchange("gzip").run(CompressionMiddleware(app, CompressionConfig(minimum_size=50)))).encoding
    assert not (await exchange("gzip").run(CompressionMiddleware(app, CompressionConfig(minimum_size=51)))).encoding
    empty = await exchange("gzip").run(
        CompressionMiddleware(exchange.whole(b"", JSON), CompressionConfig(minimum_size=0))
    )
    assert (empty.encoding, empty.body) == (None, b"")


async def test_what_does_not_become_smaller_is_sent_as_it_is(exchange: Any) -> None:
    app = exchange.whole(NOISE, JSON, (b"etag", b'"1"'), (b"accept-ranges", b"bytes"))
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
    done = await exchange("gzip, identity;q=0").run(CompressionMiddleware(exchange.whole(body, JSON)))
    assert done.encoding == "gzip"
    assert gzip.decompress(done.body) == body


async def test_other_messages_and_scopes_pass(exchange: Any) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await send({"type": "http.response.debug", "info": {}})
        await exchange.whole(DATA, JSON, trailers=True)(scope, receive, send)
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
    app = exchange.whole(DATA, JSON, *((b"Vary", line) for line in vary))
    done = await exchange(accept).run(CompressionMiddleware(app))
    assert [value for name, value in done.lines if name == "vary"] == merged


@pytest.mark.parametrize(
    ("etag", "changed"), [(b'"abc"', 'W/"abc"'), (b'W/"abc"', 'W/"abc"'), (b'""', 'W/""'), (b"odd", "odd")]
)
async def test_a_strong_etag_becomes_weak(exchange: Any, etag: bytes, changed: str) -> None:
    app = exchange.whole(DATA, JSON, (b"ETag", etag), (b"Accept-Ranges", b"bytes"), (b"X-Other", b"kept"))
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


# -- What is offered.


async def test_what_is_offered_and_in_which_order_can_be_chosen(exchange: Any) -> None:
    middleware = CompressionMiddleware(exchange.whole(DATA, JSON), CompressionConfig(encodings=("deflate", "gzip")))
    assert (await exchange(ALL).run(middleware)).encoding == "deflate"
    assert (await exchange("br, gzip").run(middleware)).encoding == "gzip"
    assert (await exchange("br").run(middleware)).encoding is None


async def test_levels_can_be_chosen(exchange: Any) -> None:
    sizes: list[int] = []
    for levels in ({"gzip": 0}, {"X-GZIP": 9}):
        config = CompressionConfig(levels=levels)
        done = await exchange("gzip, identity;q=0").run(CompressionMiddleware(exchange.whole(DATA, JSON), config))
        sizes.append(len(done.body))
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("encodings", [("lz",), ("gzip", "lz")])
def test_what_cannot_be_made_is_refused_at_once(exchange: Any, encodings: tuple[str, ...]) -> None:
    with pytest.raises(CompressionError):
        CompressionMiddleware(exchange.whole(DATA), CompressionConfig(encodings=encodings))


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
