"""Typed events inside of one process, and message brokers that lose nothing."""

from infra_messaging.bus import EventBus
from infra_messaging.memory import InMemoryBroker
from infra_messaging.messages import MessagingMessages
from infra_messaging.relay import OutboxRelay

__all__ = ["EventBus", "InMemoryBroker", "MessagingMessages", "OutboxRelay"]
