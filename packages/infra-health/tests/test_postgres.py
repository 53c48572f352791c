"""The check of PostgreSQL: against a real server, through a network that fails."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.proxy import Proxy
from infra_health.postgres import PostgresCheck
from infra_protocols import Clock, HealthStatus


def url_of(port: int) -> str:
    return f"postgresql://postgres:s3cret@127.0.0.1:{port}/postgres"


class TestPostgres(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.1

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_port: int) -> None:
        self.port = postgres_port

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[Any]]:
        async with Proxy(self.port) as proxy:
            yield ProxiedDependency(proxy, PostgresCheck.from_url(url_of(proxy.port), timeout=30))


async def test_what_takes_no_writes_is_not_well_unless_it_need_not(postgres_port: int) -> None:
    # What a standby says of itself, this session is told to say.
    url = url_of(postgres_port) + "?options=-c%20default_transaction_read_only%3Don"
    found = await PostgresCheck.from_url(url, timeout=30).check()
    assert (found.status, found.cause) == (HealthStatus.UNHEALTHY, "HealthAnswerError")
    reader = PostgresCheck.from_url(url, writable=False, timeout=30)
    assert (await reader.check()).status is HealthStatus.HEALTHY


async def test_a_server_that_says_nothing_is_late(postgres_port: int) -> None:
    async with Proxy(postgres_port) as proxy:
        proxy.to_client.hold()
        found = await PostgresCheck.from_url(url_of(proxy.port), timeout=0.2).check()
        assert found.cause == "HealthTimeoutError"


async def test_a_database_that_is_not_there(postgres_port: int) -> None:
    url = f"postgresql://postgres:s3cret@127.0.0.1:{postgres_port}/nowhere"
    found = await PostgresCheck.from_url(url, timeout=30).check()
    assert (found.status, found.cause) == (HealthStatus.UNHEALTHY, "OperationalError")
