"""The same promises on a Cluster, behind Sentinel, over TLS and on Valkey; and after a primary was lost."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, cast
from uuid import uuid4

import hypothesis
import pytest
from redis.asyncio import Redis, Sentinel
from redis.asyncio.cluster import RedisCluster as ClusterClient
from redis.asyncio.sentinel import SentinelConnectionPool

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from infra_conformance import CacheSuite, StoreSuite
from infra_conformance.engines import VALKEY, found, provided
from infra_conformance.servers import SERVICE, RedisCluster, RedisSentinel, RedisServer
from infra_protocols import CacheUnavailableError, Clock

# Clients of a Cluster or of Sentinel may drop a connection unclosed when they look up their nodes anew; it is theirs.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

type Connect = Callable[[], Any]

PATIENCE = 30.0
"""More seconds than a busy machine may keep a server from answering."""


@pytest.fixture(scope="module", autouse=True)
def _dropped() -> Generator[None]:
    yield
    gc.collect()  # else what they dropped would be found in some other test, which expects nothing of the kind


@pytest.fixture(scope="module")
def cluster() -> Generator[RedisCluster]:
    with provided(RedisCluster(replicas=1)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def sentinel() -> Generator[RedisSentinel]:
    with provided(RedisSentinel()) as sentinel:
        yield sentinel


@pytest.fixture(scope="module")
def tls() -> Generator[RedisServer]:
    with provided(RedisServer(tls=True, password="s3cr3t")) as server:
        yield server


@pytest.fixture(scope="module")
def valkey() -> Generator[str]:
    with provided(found(VALKEY)) as url:
        yield url


def to_cluster(cluster: RedisCluster) -> Connect:
    return lambda: cast("Any", ClusterClient).from_url(cluster.url)


def to_sentinel(sentinel: RedisSentinel) -> Connect:
    return lambda: Mastered(sentinel.addresses)


class Mastered(Redis):
    """A client of a master that closes those of the sentinels with its own."""

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self._sentinel: Any = cast("Any", Sentinel)(addresses)
        cast("Any", super()).__init__(connection_pool=SentinelConnectionPool(SERVICE, self._sentinel))

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool=True)
        for each in self._sentinel.sentinels:
            await each.aclose()


class Somewhere:
    """Where a suite's caches are."""

    connect: ClassVar[Any]
    real_time = True
    tick = 0.2
    engine_error = ConnectionError

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=2)


class CacheSomewhere(Somewhere, CacheSuite[int]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Any]:
        client = type(self).connect()
        async with RedisCacheProvider[int](client, int, uuid4().hex, clock=clock, timeout=PATIENCE) as cache:
            await cache.exists("connected")  # which may take longer than a check waits for things to settle
            yield cache
            await cache.clear()
        await client.aclose()


class TieredSomewhere(Somewhere, CacheSuite[int]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Any]:
        client = type(self).connect()
        remote = RedisCacheProvider[int](client, int, uuid4().hex, clock=clock, timeout=PATIENCE)
        async with remote, TieredCacheProvider(InMemoryCacheProvider[int](clock=clock), remote, clock=clock) as cache:
            await cache.exists("connected")  # which may take longer than a check waits for things to settle
            yield cache
            await cache.clear()
        await client.aclose()


class TestCluster(CacheSomewhere):
    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RedisCluster) -> None:
        type(self).connect = staticmethod(to_cluster(cluster))


class TestTieredCluster(TieredSomewhere):
    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RedisCluster) -> None:
        type(self).connect = staticmethod(to_cluster(cluster))


class TestClusterWithoutTags(Somewhere, StoreSuite[str, int]):
    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RedisCluster) -> None:
        type(self).connect = staticmethod(to_cluster(cluster))

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Any]:
        client = type(self).connect()
        async with RedisCacheProvider[int](
            client, int, uuid4().hex, clock=clock, timeout=PATIENCE, tags=False
        ) as cache:
            await cache.exists("connected")  # which may take longer than a check waits for things to settle
            yield cache
            await cache.clear()
        await client.aclose()


class TestSentinel(CacheSomewhere):
    @pytest.fixture(autouse=True)
    def _engine(self, sentinel: RedisSentinel) -> None:
        type(self).connect = staticmethod(to_sentinel(sentinel))


class TestTls(TieredSomewhere):
    @pytest.fixture(autouse=True)
    def _engine(self, tls: RedisServer) -> None:
        type(self).connect = staticmethod(lambda: cast("Any", Redis).from_url(tls.url, ssl_ca_certs=str(tls.ca)))


class TestValkey(TieredSomewhere):
    @pytest.fixture(autouse=True)
    def _engine(self, valkey: str) -> None:
        type(self).connect = staticmethod(lambda: cast("Any", Redis).from_url(valkey))


async def run_through(connect: Connect, lose_the_primary: Callable[[], object], key: str) -> None:
    """Write and read while a primary is lost: what is answered is right, what fails says so, and it goes on."""
    clients = [connect(), connect()]
    namespace, failed, answered = uuid4().hex, 0, 0
    writer, remote = (RedisCacheProvider[int](client, int, namespace, timeout=0.5) for client in clients)
    async with writer, remote, TieredCacheProvider(InMemoryCacheProvider[int](), remote, heartbeat=0.2) as reader:
        losing = asyncio.create_task(asyncio.to_thread(lose_the_primary))
        written: set[int] = set()
        number = 0
        while not losing.done() or not cast("Any", reader)._trusted or answered < 20:
            number += 1
            written.add(number)
            try:
                await writer.set(key, number, ttl=60)
                answered = answered + 1 if losing.done() else 0
                value = await reader.get(key)
            except CacheUnavailableError:
                failed, answered = failed + 1, 0
                await asyncio.sleep(0.02)
            else:
                assert value in written | {None}
            assert number < 100_000
        await losing
        assert failed
        await writer.set(key, -1)
        async with asyncio.timeout(5):
            while await reader.get(key) != -1:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await reader.get(key) == -1
        assert await cast("Any", reader)._local.get(key) == -1
    for client in clients:
        await client.aclose()


async def test_a_cluster_may_lose_a_primary(cluster: RedisCluster) -> None:
    key = "key"
    slot_key = RedisCacheProvider[int](to_cluster(cluster)(), int, "x").names.tags.decode()

    def lose() -> None:
        cluster.failover(slot_key)

    try:
        await run_through(to_cluster(cluster), lose, key)
    finally:
        for node in cluster.nodes:
            if not node.running:
                await asyncio.to_thread(node.start)
        await asyncio.to_thread(cluster.wait_until_whole)


async def test_what_failed_at_the_old_primary_is_asked_of_the_new_one(sentinel: RedisSentinel) -> None:
    client = to_sentinel(sentinel)()
    try:
        async with RedisCacheProvider[int](client, int, uuid4().hex, timeout=PATIENCE) as cache:
            await cache.set("key", 1)
            losing = asyncio.create_task(asyncio.to_thread(sentinel.failover))
            while not losing.done():
                with suppress(CacheUnavailableError):
                    await cache.set("key", 2)
                await asyncio.sleep(0.01)
            await losing
            await cache.set("key", 3)
            assert await cache.get("key") == 3
        await client.aclose()
    finally:
        await whole_again(sentinel)


async def test_sentinel_may_promote_a_replica(sentinel: RedisSentinel) -> None:
    try:
        await run_through(to_sentinel(sentinel), sentinel.failover, "key")
    finally:
        await whole_again(sentinel)


async def whole_again(sentinel: RedisSentinel) -> None:
    for server in sentinel.servers:
        if not server.running:
            await asyncio.to_thread(server.start)
    await asyncio.to_thread(sentinel.wait_until_whole)
