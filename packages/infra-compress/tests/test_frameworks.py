"""The middlewares in the applications of three frameworks, served by uvicorn, asked by httpx and curl."""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn

from infra_compress import (
    CompressionConfig,
    CompressionMiddleware,
    CompressorConfig,
    CompressorFactory,
    DecompressionMiddleware,
    GzipCompressor,
)

DATA = [{"id": number, "name": f"user {number}"} for number in range(5000)]
CONFIG = CompressionConfig(max_size=200_000)
EVENTS = [f"data: {number}\n\n" for number in range(5)]


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def show(request: Request) -> Response:
        return JSONResponse(DATA, headers={"ETag": '"1"'})

    async def events(request: Request) -> Response:
        return StreamingResponse(_events(), media_type="text/event-stream")

    async def size(request: Request) -> Response:
        return JSONResponse(len(await request.body()))

    async def empty(request: Request) -> Response:
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/data", show),
            Route("/events", events),
            Route("/empty", empty),
            Route("/size", size, methods=["POST"]),
        ],
        middleware=[Middleware(CompressionMiddleware), Middleware(DecompressionMiddleware, config=CONFIG)],
    )


def fastapi_app() -> Any:
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    async def show(response: Response) -> list[dict[str, Any]]:
        response.headers["ETag"] = '"1"'
        return DATA

    async def events() -> StreamingResponse:
        return StreamingResponse(_events(), media_type="text/event-stream")

    async def size(request: Request) -> int:
        return len(await request.body())

    app.add_api_route("/data", show)
    app.add_api_route("/events", events)
    app.add_api_route("/empty", lambda: Response(status_code=204))
    app.add_api_route("/size", size, methods=["POST"])
    app.add_middleware(DecompressionMiddleware, config=CONFIG)
    app.add_middleware(CompressionMiddleware)
    return app


def litestar_app() -> Any:
    from litestar import Litestar, Request, get, post
    from litestar.middleware import DefineMiddleware
    from litestar.response import Response, Stream

    @get("/data")
    async def show() -> Response[list[dict[str, Any]]]:
        return Response(DATA, headers={"ETag": '"1"'})

    @get("/events")
    async def events() -> Stream:
        return Stream(_events(), media_type="text/event-stream")

    @get("/empty", status_code=204)
    async def empty() -> None:
        return None

    @post("/size", status_code=200)
    async def size(request: Request[Any, Any, Any]) -> int:
        return len(await request.body())

    compression: Any = CompressionMiddleware  # Litestar has types of its own for what ASGI has dicts for
    decompression: Any = DecompressionMiddleware
    return Litestar(
        [show, events, empty, size],
        middleware=[DefineMiddleware(compression), DefineMiddleware(decompression, config=CONFIG)],
        openapi_config=None,
    )


# Let through one after the other, so that an event that is kept back anywhere is missed by who waits for it.
gate: asyncio.Semaphore
loop: asyncio.AbstractEventLoop


async def _events() -> AsyncIterator[str]:
    for event in EVENTS:
        await gate.acquire()
        yield event


FRAMEWORKS = {"starlette": starlette_app, "fastapi": fastapi_app, "litestar": litestar_app}


@pytest.fixture(scope="module", params=list(FRAMEWORKS))
def url(request: pytest.FixtureRequest) -> Generator[str]:
    with serving(FRAMEWORKS[request.param]) as address:
        yield address


class serving:
    """Serves an application from a thread."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(make(), log_level="error", lifespan="off"))
        self._thread = Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        global gate, loop
        gate, loop = asyncio.Semaphore(0), asyncio.get_running_loop()
        await self._server.serve(sockets=[self._listener])

    def __enter__(self) -> str:
        self._thread.start()
        address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        httpx.get(f"{address}/empty", timeout=30)  # the socket listens, so this waits until it is served
        return address

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@asynccontextmanager
async def client(url: str, accept: str) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Accept-Encoding": accept}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as made:
        yield made


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_httpx_reads_it(url: str, encoding: str) -> None:
    async with client(url, encoding) as http:
        response = await http.get("/data")
        assert response.headers["content-encoding"] == encoding
        assert response.headers["vary"] == "Accept-Encoding"
        assert response.headers["etag"] == 'W/"1"'
        assert response.json() == DATA
        empty = await http.get("/empty")
        assert (empty.status_code, empty.content, "content-encoding" in empty.headers) == (204, b"", False)


async def test_who_does_not_ask_gets_plain_content(url: str) -> None:
    async with client(url, "identity") as http:
        response = await http.get("/data")
        assert (response.headers.get("content-encoding"), response.headers["etag"]) == (None, '"1"')
        assert response.json() == DATA


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_each_event_arrives_before_the_next_is_sent(url: str, encoding: str) -> None:
    reader = CompressorFactory().create(CompressorConfig(encoding)).unwrap().decompress_stream()
    async with client(url, encoding) as http, http.stream("GET", "/events") as response:
        assert response.headers["content-encoding"] == encoding  # before the first event
        chunks = response.aiter_raw()
        for event in EVENTS:
            loop.call_soon_threadsafe(gate.release)
            got = b""
            while not got:
                got = b"".join(reader.decompress(await anext(chunks)))
            assert got == event.encode()
        async for rest in chunks:
            assert list(reader.decompress(rest)) == []
        reader.finish()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_compressed_request_is_read(url: str, encoding: str) -> None:
    compressor = CompressorFactory().create(CompressorConfig(encoding)).unwrap()
    async with client(url, "identity") as http:
        for size, status in ((0, 200), (200_000, 200), (200_001, 413), (5_000_000, 413)):
            response = await http.post(
                "/size", content=compressor.compress(bytes(size)), headers={"Content-Encoding": encoding}
            )
            assert response.status_code == status, response.text
            assert status != 200 or response.json() == size


async def test_a_request_that_cannot_be_read_is_refused(url: str) -> None:
    async with client(url, "identity") as http:
        packed = GzipCompressor().compress(b"data" * 100)
        for coding, body, status in (
            ("gzip", b"garbage", 400),
            ("gzip", packed[:-1], 400),
            ("gzip", packed + b"!", 400),
            ("lz", packed, 415),
        ):
            response = await http.post("/size", content=body, headers={"Content-Encoding": coding})
            assert response.status_code == status, response.text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_curl_reads_it(url: str, encoding: str, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    known = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout.lower()
    if {"br": "brotli", "zstd": "zstd"}.get(encoding, "libz") not in known:
        pytest.skip(f"this curl does not know {encoding}")
    headers = tmp_path / "headers"
    command = [curl, "-sS", "--compressed", "-H", f"Accept-Encoding: {encoding}", "-D", headers, f"{url}/data"]
    body = subprocess.run(command, capture_output=True, check=True).stdout
    assert f"content-encoding: {encoding}" in headers.read_text().lower()
    assert json.loads(body) == DATA


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_what_is_padded_is_read_by_others(encoding: str) -> None:
    with serving(padded_app) as address:
        async with client(address, encoding) as http:
            for _ in range(20):
                response = await http.get("/data")
                assert response.headers["content-encoding"] == encoding
                assert response.json() == DATA
        curl = shutil.which("curl")
        if curl is not None:
            command = [curl, "-sS", "--compressed", "-H", f"Accept-Encoding: {encoding}", f"{address}/data"]
            assert json.loads((await asyncio.to_thread(subprocess.run, command, capture_output=True)).stdout) == DATA


def padded_app() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def show(request: Request) -> Response:
        return JSONResponse(DATA)

    config = CompressionConfig(padding=64)
    return Starlette(routes=[Route("/data", show)], middleware=[Middleware(CompressionMiddleware, config=config)])
