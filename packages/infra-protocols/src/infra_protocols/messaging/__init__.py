"""
The port of messaging: events inside of one process, and messages between processes.

`topics` has the grammar of topics and patterns, `names` that of keys, ids and groups, and `headers` that of headers;
`events` the bus, `broker` the broker and what a handler is given, `dead_letters` what is left of a message that no
handler could take, and `outbox` what ties messages to the transactions of a database.
"""

from infra_protocols.messaging.broker import (
    Delivery,
    MessageBroker,
    MessageHandler,
    Subscription,
    SubscriptionConfig,
    SubscriptionOptions,
    delivery,
)
from infra_protocols.messaging.dead_letters import DeadLetter, DeadLetterQueue
from infra_protocols.messaging.events import EventBusProtocol, EventSubscription
from infra_protocols.messaging.headers import Header, require_headers
from infra_protocols.messaging.names import require_group, require_key, require_message_id
from infra_protocols.messaging.outbox import Inbox, Outbox, OutboxMessage
from infra_protocols.messaging.topics import require_pattern, require_topic, topic_matches

__all__ = [
    "DeadLetter",
    "DeadLetterQueue",
    "Delivery",
    "EventBusProtocol",
    "EventSubscription",
    "Header",
    "Inbox",
    "MessageBroker",
    "MessageHandler",
    "Outbox",
    "OutboxMessage",
    "Subscription",
    "SubscriptionConfig",
    "SubscriptionOptions",
    "delivery",
    "require_group",
    "require_headers",
    "require_key",
    "require_message_id",
    "require_pattern",
    "require_topic",
    "topic_matches",
]
