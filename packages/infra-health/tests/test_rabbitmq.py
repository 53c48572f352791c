"""The check of RabbitMQ: against a real server, through a network that fails."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractConnection

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.proxy import Proxy
from infra_health.rabbitmq import RabbitCheck
from infra_protocols import Clock, HealthStatus


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[AbstractConnection]:
    connection = await aio_pika.connect_robust(f"amqp://guest:guest@127.0.0.1:{port}/", reconnect_interval=0.05)
    try:
        yield connection
    finally:
        await connection.close()


class TestRabbit(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.1

    def secrets(self) -> Sequence[str]:
        return ["guest:guest"]

    @pytest.fixture(autouse=True)
    def _engine(self, rabbitmq_port: int) -> None:
        self.port = rabbitmq_port

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[Any]]:
        async with Proxy(self.port) as proxy, connected(proxy.port) as connection:
            yield ProxiedDependency(proxy, RabbitCheck(connection, timeout=30))


async def test_what_was_closed_is_not_well(rabbitmq_port: int) -> None:
    async with connected(rabbitmq_port) as connection:
        check = RabbitCheck(connection)
        assert (await check.check()).status is HealthStatus.HEALTHY
    assert (await check.check()).cause == "HealthAnswerError"


async def test_many_checks_leave_no_channel_open(rabbitmq_port: int) -> None:
    async with connected(rabbitmq_port) as connection:
        check = RabbitCheck(connection, timeout=30)
        for _ in range(20):
            assert (await check.check()).status is HealthStatus.HEALTHY
        transport: Any = connection.transport
        assert [number for number, channel in transport.connection.channels.items() if number and channel] == []


async def test_a_server_that_says_nothing_is_late(rabbitmq_port: int) -> None:
    async with Proxy(rabbitmq_port) as proxy, connected(proxy.port) as connection:
        proxy.to_client.hold()
        assert (await RabbitCheck(connection, timeout=0.2).check()).cause == "HealthTimeoutError"
        proxy.restore()
