"""Brokers in memory that share a hub."""

from typing import Any, Final, Unpack, override
from uuid import uuid4

from infra_conformance.broker_desk import BrokerOptions, Brokers
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_hub import Envelope, Hub
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
    async def publish_raw(self, topic: str, data: bytes) -> None:
        self.hub.accept(Envelope(uuid4().hex, topic, None, {}, data), 1_000_000)
