"""The broker in memory keeps the promises of its port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Unpack, override
from uuid import uuid4

from infra_conformance import BrokerSuite
from infra_conformance.broker import BrokerOptions, Brokers
from infra_messaging import InMemoryBroker
from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs
from infra_messaging._engine import Envelope
from infra_messaging._memory import MemoryEngine
from infra_protocols import Clock


class MemoryBrokers(Brokers[str]):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    @override
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> InMemoryBroker[str]:
        return InMemoryBroker(clock=self._clock, **options)


class SharedBrokers(Brokers[str]):
    """Brokers that encode, on one engine: what is the same for all engines, with nothing that is slow."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._engine: MemoryEngine | None = None

    @override
    async def make_broker(
        self,
        *,
        max_backlog: int = 1_000_000,
        **options: Any,
    ) -> Broker[str]:
        self._engine = self._engine or MemoryEngine(max_backlog)
        return Broker(self._engine, Codecs(str), clock=self._clock, **options)

    @override
    async def publish_raw(self, topic: str, data: bytes) -> None:
        assert self._engine is not None
        self._engine.publish(Envelope(uuid4().hex, topic, None, {}, data))


class TestInMemoryBroker(BrokerSuite[str]):
    shares_engine: ClassVar[bool] = False
    encodes: ClassVar[bool] = False

    @override
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Brokers[str]]:
        async with MemoryBrokers(clock) as brokers:
            yield brokers


class TestBrokerOfBytes(BrokerSuite[str]):
    @override
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Brokers[str]]:
        async with SharedBrokers(clock) as brokers:
            yield brokers
