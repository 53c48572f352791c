"""The check of Redis: against a server of its own, through a network that fails."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio import RedisCluster as ClusterClient

from infra_conformance import HealthCheckSuite, ProxiedDependency
from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RedisCluster, RedisServer
from infra_health.redis import RedisCheck
from infra_protocols import Clock, HealthStatus


def client_of(port: int) -> Any:
    client: Any = Redis
    return client.from_url(f"redis://:s3cret@127.0.0.1:{port}/0")


class TestRedis(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.1

    @pytest.fixture(autouse=True)
    def _engine(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[Any]]:
        async with Proxy(self.server.port) as proxy, client_of(proxy.port) as client:
            yield ProxiedDependency(proxy, RedisCheck(client, timeout=30))


async def test_a_server_that_is_killed_paused_and_started_again(redis_server: RedisServer) -> None:
    async with client_of(redis_server.port) as client:
        check, quick = RedisCheck(client, timeout=30), RedisCheck(client, timeout=0.2)
        assert (await check.check()).status is HealthStatus.HEALTHY
        await asyncio.to_thread(redis_server.kill)
        assert (await check.check()).cause == "ConnectionError"
        await asyncio.to_thread(redis_server.start)
        assert (await check.check()).status is HealthStatus.HEALTHY
        redis_server.pause()
        try:
            async with asyncio.timeout(30):
                while (found := await quick.check()).status is HealthStatus.HEALTHY:
                    pass  # the system may take its time to pause a process
            assert found.cause == "HealthTimeoutError"
        finally:
            redis_server.resume()
        assert (await check.check()).status is HealthStatus.HEALTHY


@pytest.fixture
def _dropped() -> Generator[None]:
    yield
    gc.collect()


# A client of a Cluster drops connections unclosed when it looks up its nodes anew: they are looked for at the end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_dropped")
async def test_a_cluster_is_as_well_as_all_its_primaries() -> None:
    clients: Any = ClusterClient
    with provided(RedisCluster()) as cluster:
        async with clients.from_url(cluster.url) as client:
            check = RedisCheck(client, timeout=30)
            assert (await check.check()).status is HealthStatus.HEALTHY
            await asyncio.to_thread(cluster.nodes[-1].kill)
            assert (await check.check()).status is HealthStatus.UNHEALTHY
