"""The cache in Redis keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from uuid import uuid4

import hypothesis
import pytest

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from infra_conformance import CacheSuite, StoreSuite
from infra_protocols import Clock

PATIENCE = 30.0
"""More seconds than a busy machine may keep Redis from answering: what is checked here is not how soon it does."""


class TestRedisCache(CacheSuite[int]):
    real_time = True
    tick = 0.2
    engine_error = ConnectionError
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _engine(self, redis_url: str) -> None:
        type(self).url = redis_url

    url: ClassVar[str]

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RedisCacheProvider[int]]:
        name = uuid4().hex
        async with RedisCacheProvider.from_url(
            self.url, int, name, clock=clock, timeout=PATIENCE, **self.options
        ) as cache:
            yield cache
            await cache.clear()


class TestRedisCacheOneLoader(TestRedisCache):
    options: ClassVar[dict[str, Any]] = {"one_loader": True}


class TestRedisCacheWithoutTags(StoreSuite[str, int]):
    """All that a cache without tags has of the port is what a store has; `test_redis_loading` sees to the rest."""

    real_time = True
    tick = 0.2
    engine_error = ConnectionError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, redis_url: str) -> None:
        type(self).url = redis_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RedisCacheProvider[int]]:
        async with RedisCacheProvider.from_url(
            self.url, int, uuid4().hex, clock=clock, timeout=PATIENCE, tags=False
        ) as cache:
            yield cache
            await cache.clear()


class TestTieredCache(TestRedisCache):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[TieredCacheProvider[int]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        local = InMemoryCacheProvider[int](clock=clock)
        async with (
            RedisCacheProvider.from_url(self.url, int, uuid4().hex, clock=clock, timeout=PATIENCE) as remote,
            TieredCacheProvider(local, remote, clock=clock) as cache,
        ):
            yield cache
            await cache.clear()
