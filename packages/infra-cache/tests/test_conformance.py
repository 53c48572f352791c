"""The memory cache keeps every promise of the port, whatever its policy."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import cachetools
import hypothesis

from infra_cache import InMemoryCacheProvider, S3FIFOCache
from infra_conformance import CacheSuite
from infra_protocols import Clock


class TestInMemoryCache(CacheSuite[int]):
    policy: ClassVar[Callable[..., cachetools.Cache[str, Any]]] = S3FIFOCache

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[InMemoryCacheProvider[int]]:
        async with InMemoryCacheProvider[int](policy=type(self).policy, clock=clock) as cache:
            yield cache


class FewerExamples(TestInMemoryCache):
    """Which policy it is changes nothing that the suite sees: a look at each is enough."""

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=10)


class TestInMemoryCacheLRU(FewerExamples):
    policy = cachetools.LRUCache


class TestInMemoryCacheLFU(FewerExamples):
    policy = cachetools.LFUCache


class TestInMemoryCacheFIFO(FewerExamples):
    policy = cachetools.FIFOCache


class TestInMemoryCacheRR(FewerExamples):
    policy = cachetools.RRCache
