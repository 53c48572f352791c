"""The broker on RabbitMQ keeps every promise of the port that a server without plugins can keep."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Unpack, override
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest

from infra_conformance import BrokerSuite
from infra_conformance.broker import BrokerOptions, Brokers
from infra_conformance.proxy import Proxy
from infra_messaging._engine import Envelope
from infra_messaging.rabbitmq import RabbitBroker
from infra_messaging.rabbitmq._engine import RabbitEngine
from infra_messaging.rabbitmq._names import Names
from infra_protocols import Clock, MessageBroker

PATIENCE = 30.0
"""More seconds than a busy machine may keep RabbitMQ from answering: what is checked here is not how soon it does."""


class RabbitBrokers(Brokers[str]):
    """Brokers of one namespace, each with a way to RabbitMQ of its own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._namespace = f"test-{uuid4().hex}"
        self._stack = AsyncExitStack()
        self._ways: dict[MessageBroker[str], Proxy] = {}

    @override
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> RabbitBroker[str]:
        parts = urlsplit(self._url)
        way = await self._stack.enter_async_context(Proxy(parts.port or 5672))
        url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{way.port}").geturl()
        broker = RabbitBroker[str](url, str, namespace=self._namespace, timeout=PATIENCE, **options)
        self._ways[broker] = way
        return broker

    @override
    async def lose(self, broker: MessageBroker[str]) -> None:
        way = self._ways[broker]
        way.refuse()
        way.cut()

    @override
    async def cut(self, broker: MessageBroker[str]) -> None:
        self._ways[broker].cut()

    @override
    async def publish_raw(self, topic: str, data: bytes) -> None:
        broker: Any = next(iter(self._ways))
        await broker._engine.publish(Envelope(uuid4().hex, topic, None, {}, data))

    @override
    async def clear(self) -> None:
        await self._stack.aclose()
        await remove(self._url, self._namespace)


async def remove(url: str, namespace: str) -> None:
    """Delete a namespace: its groups, and the rest."""
    names = Names(namespace)
    engine: Any = RabbitEngine(url, names, PATIENCE, 1)
    await engine.open()
    async with engine._records.reading() as records:
        groups = [json.loads(record.body) for record in records]
    for group in groups:
        await engine.forget(group["pattern"], group["name"])
    async with engine._line.lent() as channel:
        for queue in (names.letters, names.groups):
            await channel.queue_delete(queue)
        await channel.exchange_delete(names.exchange)
    await engine.close()


class TestRabbitBroker(BrokerSuite[str]):
    real_time = True
    tick = 0.2
    can_lose_member = True
    can_cut = True
    can_fill = False
    supports_deduplication = False
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, rabbitmq_url: str) -> None:
        type(self).url = rabbitmq_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=3)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RabbitBrokers]:
        async with RabbitBrokers(self.url) as brokers:
            yield brokers
