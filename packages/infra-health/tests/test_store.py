"""The check of a store: what the store accepts, it has to know."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from redis.asyncio import Redis

from infra_conformance import CheckedDependency, HealthCheckSuite, ProxiedDependency
from infra_conformance.gallery.memory_store import MemoryStore
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RedisServer
from infra_health import StoreCheck
from infra_protocols import Clock, HealthStatus, Store, SystemClock


class BreakableStore(MemoryStore):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        await super().set(key, value, ttl)


class Stored(CheckedDependency[Store[str, int]]):
    def __init__(self, clock: Clock) -> None:
        self.store = BreakableStore(clock)
        self.check = StoreCheck[str, int](self.store, 7)

    async def break_down(self) -> None:
        self.store.error = ConnectionError("cannot reach store://ada:s3cret@far")

    async def hang(self) -> None:
        self.store.answers.clear()

    async def mend(self) -> None:
        self.store.error = None
        self.store.answers.set()


class TestStore(HealthCheckSuite[Store[str, int]]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Stored]:
        yield Stored(clock)


class RedisStore:
    """A store as a service may have it."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def get(self, key: str) -> bytes | None:
        return await self.client.get(key)

    async def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self.client.set(key, value, px=None if ttl is None else int(ttl * 1000))

    async def delete(self, key: str) -> bool:
        return bool(await self.client.delete(key))

    async def exists(self, key: str) -> bool:
        return bool(await self.client.exists(key))


class TestRedisStore(HealthCheckSuite[Store[str, bytes]]):
    real_time = True
    tick = 0.1
    clients: ClassVar[Any] = Redis

    @pytest.fixture(autouse=True)
    def _engine(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[ProxiedDependency[Store[str, bytes]]]:
        async with (
            Proxy(self.server.port) as proxy,
            self.clients.from_url(f"redis://:s3cret@127.0.0.1:{proxy.port}/0") as client,
        ):
            yield ProxiedDependency(proxy, StoreCheck[str, bytes](RedisStore(client), b"well", timeout=30))


async def test_a_redis_that_takes_no_writes_is_not_well(redis_server: RedisServer) -> None:
    clients: Any = Redis
    async with clients.from_url(redis_server.url) as client:
        check = StoreCheck[str, bytes](RedisStore(client), b"well", timeout=30)
        before = redis_server.call("DBSIZE")
        redis_server.call("CONFIG", "SET", "maxmemory", "1")
        try:
            assert (await check.check()).cause == "OutOfMemoryError"
        finally:
            redis_server.call("CONFIG", "SET", "maxmemory", "0")
        assert (await check.check()).status is HealthStatus.HEALTHY
        assert redis_server.call("DBSIZE") == before


class Forgets(MemoryStore):
    async def get(self, key: str) -> int | None:
        return None


class Garbles(MemoryStore):
    async def get(self, key: str) -> int | None:
        return (await super().get(key) or 0) + 1


class Keeps(MemoryStore):
    async def delete(self, key: str) -> bool:
        return False


@pytest.mark.parametrize("store", [Forgets, Garbles, Keeps])
async def test_what_it_accepts_it_has_to_know(store: type[MemoryStore]) -> None:
    found = await StoreCheck[str, int](store(SystemClock()), 7).check()
    assert (found.status, found.cause) == (HealthStatus.UNHEALTHY, "HealthAnswerError")


async def test_nothing_is_left_in_it_and_what_is_left_ends() -> None:
    store = MemoryStore(SystemClock())
    assert (await StoreCheck[str, int](store, 7).check()).status is HealthStatus.HEALTHY
    assert store.data == {}
    keeps = Keeps(SystemClock())
    await StoreCheck[str, int](keeps, 7, key=lambda: "mine").check()
    (deadline,) = [deadline for _, deadline in keeps.data.values()]
    assert (list(keeps.data), deadline <= SystemClock().monotonic() + 60) == (["mine"], True)
