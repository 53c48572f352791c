"""The broker on Redis Streams keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Unpack, cast, override
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest
from redis.asyncio import Redis

from infra_conformance import BrokerSuite
from infra_conformance.broker import BrokerOptions, Brokers
from infra_conformance.proxy import Proxy
from infra_messaging._engine import Envelope
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import Clock, MessageBroker

PATIENCE = 30.0
"""More seconds than a busy machine may keep Redis from answering: what is checked here is not how soon it does."""


class RedisBrokers(Brokers[str]):
    """Brokers of one namespace, each with a client and a way to Redis of its own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._namespace = uuid4().hex
        self._stack = AsyncExitStack()
        self._ways: dict[MessageBroker[str], Proxy] = {}

    @override
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> RedisStreamBroker[str]:
        parts = urlsplit(self._url)
        way = await self._stack.enter_async_context(Proxy(parts.port or 6379))
        url = parts._replace(netloc=f"127.0.0.1:{way.port}").geturl()
        client = await self._stack.enter_async_context(cast("Any", Redis).from_url(url))
        broker = RedisStreamBroker[str](client, str, namespace=self._namespace, timeout=PATIENCE, **options)
        self._ways[broker] = way
        return broker

    @override
    async def lose(self, broker: MessageBroker[str]) -> None:
        way = self._ways[broker]
        way.refuse()
        way.cut()

    @override
    async def publish_raw(self, topic: str, data: bytes) -> None:
        broker: Any = next(iter(self._ways))
        await broker._engine.publish(Envelope(uuid4().hex, topic, None, {}, data))

    @override
    async def clear(self) -> None:
        await self._stack.aclose()
        async with cast("Any", Redis).from_url(self._url) as client:
            keys = [key async for key in client.scan_iter(f"{{{self._namespace}}}:*", count=10_000)]
            if keys:
                await client.unlink(*keys)


class TestRedisStreamBroker(BrokerSuite[str]):
    real_time = True
    tick = 0.2
    can_lose_member = True
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, redis_url: str) -> None:
        type(self).url = redis_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RedisBrokers]:
        async with RedisBrokers(self.url) as brokers:
            yield brokers
