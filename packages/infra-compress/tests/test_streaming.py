"""What `CompressionMiddleware` does to bodies in parts, and how that ends."""

import asyncio
import json
import random
from typing import Any

import pytest

from infra_compress import CompressionConfig, CompressionMiddleware, GzipCompressor
from infra_compress.asgi import ASGIApp, Receive, Scope, Send
from infra_compress.brotli import BrotliCompressor
from infra_compress.zstd import ZstdCompressor
from infra_conformance.loop import VirtualLoop
from infra_protocols import Compressor

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
DATA = json.dumps([{"id": number, "name": f"user {number}"} for number in range(1000)]).encode()
ALL = "gzip, deflate, br, zstd"
BY_NAME: dict[str, Compressor] = {"gzip": GzipCompressor(), "br": BrotliCompressor(), "zstd": ZstdCompressor()}


# -- Bodies in parts.


@pytest.mark.parametrize("encoding", list(BY_NAME))
async def test_a_body_in_parts_is_compressed_as_it_comes(exchange: Any, encoding: str) -> None:
    chunks = [DATA, b"", b"x", DATA[:1000], bytearray(b"y" * 10), memoryview(b"z")]
    app = exchange.parts([*chunks], JSON, (b"content-length", b"70000"), (b"etag", b'"1"'))
    done = await exchange(encoding).run(CompressionMiddleware(app))
    assert done.headers == {
        "content-type": "application/json",
        "content-encoding": encoding,
        "etag": 'W/"1"',
        "vary": "Accept-Encoding",
    }
    assert done.unpacked == b"".join(map(bytes, chunks))
    assert done.sent[-1].get("more_body", False) is False


async def test_a_body_in_parts_that_says_that_it_is_small_is_left_plain(exchange: Any) -> None:
    done = await exchange(ALL).run(CompressionMiddleware(exchange.parts([b"a", b"b"], JSON, (b"content-length", b"2"))))
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
    assert done.unpacked == b"".join(seen)


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
    app = exchange.parts([b"first", b"second"], JSON, pause=lambda: asyncio.sleep(10))
    timed.run(CompressionMiddleware(app, CompressionConfig(flush_delay=delay)))
    assert timed.seen == [(delay, b"first"), (10 + delay, b"second")]


def test_parts_that_come_fast_are_flushed_together_and_yet_in_time(exchange: Any) -> None:
    timed = Timed(exchange)
    app = exchange.parts([b"%02d" % number for number in range(10)], JSON, pause=lambda: asyncio.sleep(0.04))
    timed.run(CompressionMiddleware(app))
    assert timed.seen == [(0.1, b"000102"), (0.22, b"030405"), (0.34, b"060708"), (0.4, b"09")]


def test_without_a_delay_each_part_is_sent_at_once(exchange: Any) -> None:
    timed = Timed(exchange)
    app = exchange.parts([b"first", b"second"], JSON, pause=lambda: asyncio.sleep(10))
    timed.run(CompressionMiddleware(app, CompressionConfig(flush_delay=0)))
    assert timed.seen == [(0, b"first"), (10, b"second")]


def test_parts_that_are_sent_while_a_flush_is_on_its_way_wait_for_it(exchange: Any) -> None:
    class Slow(Timed):
        async def send(self, message: Any) -> None:
            await asyncio.sleep(1)
            await super().send(message)

    timed = Slow(exchange)
    app = exchange.parts([b"a", b"b", b"c"], JSON, pause=lambda: asyncio.sleep(0.15))
    timed.run(CompressionMiddleware(app))
    assert b"".join(got for _, got in timed.seen) == b"abc"
    assert timed.inner.unpacked == b"abc"


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
        timed.run(CompressionMiddleware(exchange.parts([b"first"], JSON, pause=fail)))
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

    Stuck(exchange).run(CompressionMiddleware(exchange.parts([b"a", b"b"], JSON, pause=lambda: asyncio.sleep(3))))


def test_after_a_part_that_was_interrupted_nothing_more_is_sent(exchange: Any) -> None:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if len(sent[-1]) > 1000:
            await asyncio.sleep(1000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await exchange.parts([b"first", random.Random(7).randbytes(100_000)], JSON)(scope, receive, send)
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
            await exchange.parts([b"a", b"b", b"c"], JSON, pause=lambda: asyncio.sleep(1))(scope, receive, send)
        except Gone:
            told.append("gone")
            raise

    with pytest.raises(Gone):
        Lost(exchange).run(CompressionMiddleware(app))
    assert told == ["gone"]
