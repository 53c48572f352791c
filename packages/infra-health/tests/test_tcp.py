"""The check of whether something listens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.proxy import Proxy
from infra_health import TcpCheck
from infra_protocols import Clock, ValidationError


class TestTcp(HealthCheckSuite[tuple[str, int]]):
    real_time = True
    tick = 0.1
    can_hang = False  # the system connects, whoever is behind it

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[tuple[str, int]]]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
            yield ProxiedDependency(proxy, TcpCheck("127.0.0.1", proxy.port, timeout=30))


@pytest.mark.parametrize(("field", "host", "port"), [("host", "", 80), ("port", "a", 0), ("port", "a", 65536)])
def test_bad_arguments_are_refused(field: str, host: Any, port: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TcpCheck(host, port)
    assert caught.value.field == field


async def test_a_name_that_nobody_has() -> None:
    assert (await TcpCheck("nobody.invalid", 80, timeout=30).check()).cause == "gaierror"
