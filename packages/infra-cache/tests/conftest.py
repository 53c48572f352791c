import gc
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Self, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def turn(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def footprint() -> Callable[[object], int]:
    """Returns the bytes of all that an object holds, however deep; code is left out."""

    def measure(root: object) -> int:
        seen: set[int] = set()
        ahead, size = [root], 0
        while ahead:
            found = ahead.pop()
            if id(found) in seen or isinstance(found, _CODE):
                continue
            seen.add(id(found))
            size += sys.getsizeof(found)
            ahead.extend(gc.get_referents(found))
        return size

    return measure


_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)


class Redises:
    """Makes caches in one namespace of one Redis, each with a client of its own, as if each were a process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.namespace = f"test:{uuid4().hex}"
        self._stack = AsyncExitStack()

    async def cache(self, type: type[Any] = int, namespace: str | None = None, **options: Any) -> Any:
        name = self.namespace if namespace is None else namespace
        patient = {"timeout": 30.0, **options}  # a busy machine may keep Redis from answering for a while
        return await self._stack.enter_async_context(RedisCacheProvider.from_url(self.url, type, name, **patient))

    async def tiered(self, **options: Any) -> Any:
        local = InMemoryCacheProvider[Any]()
        tier = TieredCacheProvider(local, await self.cache(), **options)
        return await self._stack.enter_async_context(tier)

    @property
    def client(self) -> Redis:
        """A client to look with."""
        return self._client

    async def __aenter__(self) -> Self:
        self._client: Redis = cast("Any", Redis).from_url(self.url)
        self._stack.push_async_callback(self._client.aclose)
        await self.cache()
        return self

    async def __aexit__(self, *about: object) -> None:
        await (await self.cache()).clear()
        await (await self.cache(tags=False)).clear()
        await self._stack.aclose()


@pytest.fixture
async def redises(redis_url: str) -> AsyncGenerator[Redises]:
    async with Redises(redis_url) as made:
        yield made
