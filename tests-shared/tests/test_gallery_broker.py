"""The suite of brokers is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from infra_conformance import BrokerSuite
from infra_conformance.gallery.memory_brokers import MemoryBrokers
from infra_protocols.clock import Clock


class TestMemoryBroker(BrokerSuite[str]):
    can_lose_member = True

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryBrokers]:
        async with MemoryBrokers(clock) as brokers:
            yield brokers


class TestTheOnlyBroker(TestMemoryBroker):
    shares_engine = False
