"""Brokers in memory that share a hub, correct ones and such that have a fault."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, Unpack, override
from uuid import uuid4

from infra_conformance.broker_desk import BrokerOptions, Brokers
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_hub import Envelope, Hub
from infra_conformance.gallery.memory_letters import MemoryLetters
from infra_conformance.gallery.memory_subscription import MemorySubscription
from infra_protocols.clock import Clock
from infra_protocols.messaging import MessageBroker


class MemoryBrokers(Brokers[str]):
    """Brokers of one class, on a hub of one class."""

    def __init__(self, clock: Clock, broker: type[MemoryBroker] = MemoryBroker, hub: type[Hub] = Hub) -> None:
        super().__init__()
        self.hub: Final = hub(clock)
        self.kind: Final = broker

    @override
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> MemoryBroker:
        return self.kind(self.hub, **options)

    @override
    async def lose(self, broker: MessageBroker[str]) -> None:
        lost: Any = broker
        lost.die()

    @override
    async def cut(self, broker: MessageBroker[str]) -> None:
        cut: Any = broker
        cut.cut()

    @override
    async def publish_raw(self, topic: str, data: bytes) -> None:
        self.hub.accept(Envelope(uuid4().hex, topic, None, {}, data), 1_000_000)


type Part = type[MemoryBroker] | type[MemorySubscription] | type[MemoryLetters] | type[Hub]


def fault(part: Part, *caught_by: str) -> Fault:
    """Return the fault of brokers of which one part is wrong."""
    broker, hub = MemoryBroker, Hub
    if issubclass(part, MemorySubscription):
        broker = type(part.__name__, (MemoryBroker,), {"subscription": part})
    elif issubclass(part, MemoryLetters):
        broker = type(part.__name__, (MemoryBroker,), {"queue": part})
    elif issubclass(part, Hub):
        hub = part
    else:
        broker = part

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[MemoryBrokers]:
        async with MemoryBrokers(clock, broker, hub) as brokers:
            yield brokers

    return Fault(make, part.__name__, frozenset(f"broker-{number}" for number in caught_by))
