"""The check of NATS: against real servers, through a network that fails."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
from nats.aio.client import Client

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.proxy import Proxy
from infra_conformance.servers import Server
from infra_health.nats import NatsCheck
from infra_protocols import Clock, HealthStatus


async def _ignore(error: Exception) -> None:
    """Take the errors of a client that is cut off on purpose."""


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[Client]:
    connect: Any = getattr(nats, "connect")  # noqa: B009
    client = await connect(
        f"nats://ada:s3cret@127.0.0.1:{port}", error_cb=_ignore, reconnect_time_wait=0.05, max_reconnect_attempts=-1
    )
    try:
        yield client
    finally:
        await client.close()


class TestNats(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.1

    @pytest.fixture(autouse=True)
    def _engine(self, nats_url: str) -> None:
        self.port = urlsplit(nats_url).port or 4222

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[Any]]:
        async with Proxy(self.port) as proxy, connected(proxy.port) as client:
            yield ProxiedDependency(proxy, NatsCheck(client, timeout=30))


async def late(check: NatsCheck) -> str | None:
    """Return what is wrong, when something is: the system may take its time to pause a process."""
    async with asyncio.timeout(30):
        while (found := await check.check()).status is HealthStatus.HEALTHY:
            pass
    return found.cause


async def test_a_server_that_is_killed_paused_and_started_again(nats_server: Server) -> None:
    async with connected(nats_server.port) as client:
        check = NatsCheck(client, timeout=30)
        assert (await check.check()).status is HealthStatus.HEALTHY
        nats_server.pause()
        try:
            assert await late(NatsCheck(client, timeout=0.2)) == "HealthTimeoutError"
        finally:
            nats_server.resume()
        assert (await check.check()).status is HealthStatus.HEALTHY
        await asyncio.to_thread(nats_server.kill)
        assert (await check.check()).status is HealthStatus.UNHEALTHY
        await asyncio.to_thread(nats_server.start)
        async with asyncio.timeout(30):
            while (await check.check()).status is not HealthStatus.HEALTHY:
                await asyncio.to_thread(time.sleep, 0.01)  # until it has connected again


async def test_what_was_closed_is_not_well(nats_url: str) -> None:
    async with connected(urlsplit(nats_url).port or 4222) as client:
        pass
    assert (await NatsCheck(client).check()).cause == "HealthAnswerError"
