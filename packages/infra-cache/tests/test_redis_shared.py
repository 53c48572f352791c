"""Caches over one Redis, as many processes have them, keep what they promise each other."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, cast, override
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest
from redis.asyncio import Redis

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from infra_conformance import SharedCaches, SharedCacheSuite
from infra_conformance.proxy import Proxy
from infra_protocols import CacheProvider, Clock


class SharedRedis(SharedCaches[int]):
    """Caches over one Redis, each with a client of its own, in namespaces that nobody else uses."""

    def __init__(self, url: str, clock: Clock, **options: Any) -> None:
        self.stack = AsyncExitStack()
        self._url = url
        self._clock = clock
        self._options = options
        self._prefix = uuid4().hex
        self._namespaces: set[str] = set()

    async def far(self, namespace: str, url: str = "") -> RedisCacheProvider[int]:
        name = f"{self._prefix}{namespace}"
        cache = RedisCacheProvider.from_url(
            url or self._url, int, name, clock=self._clock, **{"timeout": 30.0, **self._options}
        )
        await self.stack.enter_async_context(cache)
        if namespace not in self._namespaces:
            self._namespaces.add(namespace)
            self.stack.push_async_callback((await self.far(namespace)).clear)
        return cache

    @override
    async def cache(self, namespace: str = "shared") -> CacheProvider[int]:
        return await self.far(namespace)

    @override
    async def forget_tags(self, namespace: str = "shared") -> None:
        cache = await self.far(namespace)
        async with cast("Any", Redis).from_url(self._url) as client:
            await client.delete(cache.names.tags)


class ProxiedRedis(SharedRedis):
    """Each cache has a way to Redis of its own, which can be cut."""

    def __init__(self, url: str, clock: Clock, **options: Any) -> None:
        super().__init__(url, clock, **options)
        self._proxies: dict[int, Proxy] = {}

    @override
    async def cache(self, namespace: str = "shared") -> CacheProvider[int]:
        parts = urlsplit(self._url)
        proxy = await self.stack.enter_async_context(Proxy(parts.port or 6379))
        cache = await self.far(namespace, parts._replace(netloc=f"127.0.0.1:{proxy.port}").geturl())
        self._proxies[id(cache)] = proxy
        return cache

    @override
    async def cut_off(self, cache: CacheProvider[int]) -> None:
        proxy = self._proxies[id(cache)]
        proxy.refuse()
        proxy.cut()


class TieredRedis(SharedRedis):
    @override
    async def cache(self, namespace: str = "shared") -> CacheProvider[int]:
        tier = TieredCacheProvider(InMemoryCacheProvider[int](clock=self._clock), await self.far(namespace))
        return await self.stack.enter_async_context(tier)


class TestRedis(SharedCacheSuite[int]):
    real_time = True
    tick = 0.2
    can_forget_tags = True
    subject: ClassVar[Callable[[str, Clock], SharedRedis]] = SharedRedis
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, redis_url: str) -> None:
        type(self).url = redis_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SharedRedis]:
        subject = type(self).subject(self.url, clock)
        async with subject.stack:
            yield subject


def one_loader(url: str, clock: Clock) -> SharedRedis:
    return ProxiedRedis(url, clock, one_loader=True, lease=1.5)


class TestRedisOneLoader(TestRedis):
    supports_one_loader = True
    can_cut_off = True
    lease = 1.5
    subject = one_loader

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3)


class TestTiered(TestRedis):
    lag = 0.1
    subject = TieredRedis

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3)
