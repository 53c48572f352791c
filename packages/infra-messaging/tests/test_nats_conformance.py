"""The broker on NATS JetStream keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, ClassVar, Unpack, cast, override
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import nats
import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from infra_conformance import BrokerSuite
from infra_conformance.broker import BrokerOptions, Brokers
from infra_conformance.proxy import Proxy
from infra_messaging._engine import Envelope
from infra_messaging.nats import NatsBroker
from infra_messaging.nats._names import Names
from infra_protocols import Clock, MessageBroker

PATIENCE = 30.0
"""More seconds than a busy machine may keep NATS from answering: what is checked here is not how soon it does."""


class NatsBrokers(Brokers[str]):
    """Brokers of one namespace, each with a client and a way to NATS of its own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._namespace = f"test-{uuid4().hex}"
        self._stack = AsyncExitStack()
        self._ways: dict[MessageBroker[str], tuple[Proxy, Client]] = {}

    @override
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> NatsBroker[str]:
        way = await self._stack.enter_async_context(Proxy(urlsplit(self._url).port or 4222))
        client = await cast("Any", nats).connect(
            f"nats://127.0.0.1:{way.port}", error_cb=_ignored, reconnect_time_wait=1
        )
        self._stack.push_async_callback(client.close)
        broker = NatsBroker[str](client, str, namespace=self._namespace, timeout=PATIENCE, **options)
        self._ways[broker] = way, client
        return broker

    @override
    async def lose(self, broker: MessageBroker[str]) -> None:
        way, client = self._ways[broker]
        way.refuse()
        way.cut()
        await client.close()

    @override
    async def publish_raw(self, topic: str, data: bytes) -> None:
        async with await cast("Any", nats).connect(self._url) as client:
            subject = Names(self._namespace).message(Envelope("", topic, None, {}, data))
            await client.jetstream().publish(subject, data)

    @override
    async def clear(self) -> None:
        await self._stack.aclose()
        async with await cast("Any", nats).connect(self._url) as client:
            for kind in ("messages", "records", "tallies"):
                with suppress(NotFoundError):
                    await client.jsm().delete_stream(f"{self._namespace}_{kind}")


async def _ignored(error: Exception) -> None:
    """That connections are lost is what the tests are about."""


class TestNatsBroker(BrokerSuite[str]):
    real_time = True
    tick = 0.2
    can_lose_member = True
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, nats_url: str) -> None:
        type(self).url = nats_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[NatsBrokers]:
        async with NatsBrokers(self.url) as brokers:
            yield brokers
