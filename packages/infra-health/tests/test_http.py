"""The check of an HTTP endpoint: against a real server, through a network that fails."""

import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from httpx import AsyncClient

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.proxy import Proxy
from infra_health.http import HttpCheck
from infra_protocols import Clock, HealthStatus


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path asks for, unless whoever asked has gone, as one that is cut off."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def http_port() -> Generator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


class TestHttp(HealthCheckSuite[str]):
    real_time = True
    tick = 0.1

    @pytest.fixture(autouse=True)
    def _engine(self, http_port: int) -> None:
        self.port = http_port

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[str]]:
        async with Proxy(self.port) as proxy, AsyncClient(trust_env=False) as client:
            url = f"http://ada:s3cret@127.0.0.1:{proxy.port}/200"
            yield ProxiedDependency(proxy, HttpCheck(url, client=client, timeout=30))


@pytest.mark.parametrize(
    ("status", "options", "well"),
    [
        (204, {}, True),
        (302, {}, False),
        (404, {}, False),
        (503, {}, False),
        (404, {"expected": {404}}, True),
        (200, {"expected": {404}}, False),
    ],
)
async def test_the_status_counts(http_port: int, status: int, options: dict[str, Any], well: bool) -> None:
    async with AsyncClient(trust_env=False) as client:
        check = HttpCheck(f"http://127.0.0.1:{http_port}/{status}", client=client, timeout=30, **options)
        found = await check.check()
    assert found.status is (HealthStatus.HEALTHY if well else HealthStatus.UNHEALTHY)
    assert found.cause == (None if well else "HealthAnswerError")
    assert well or str(status) in (found.message or "")


async def test_without_a_client_it_makes_one(http_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = await HttpCheck(f"http://127.0.0.1:{http_port}/200", timeout=30).check()
    assert found.status is HealthStatus.HEALTHY


async def test_a_client_that_is_passed_in_is_not_closed(http_port: int) -> None:
    async with AsyncClient(trust_env=False) as client:
        await HttpCheck(f"http://127.0.0.1:{http_port}/200", client=client, timeout=30).check()
        assert not client.is_closed
