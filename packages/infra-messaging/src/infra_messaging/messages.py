"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class MessagingMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only an implementation of messaging needs.

    >>> MessagingMessages.MISSING_EXTRA.format(extra="redis")
    'This takes a library that is not installed: pip install infra-messaging[redis]'
    """

    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-messaging[{extra}]"

    # Brokers
    NO_CODEC: Final[str] = "No pattern of the messages stands for the topic {topic}"
    DELIVERED_TOO_OFTEN: Final[str] = "Delivered {deliveries} times, and never settled"
    ENGINE_CALL_FAILED: Final[str] = "Subscription to {pattern}: {call} failed; it is tried again"
    HANDLER_FAILED: Final[str] = "Subscription to {pattern}: delivery {attempt} of message {id} failed"
    HANDLER_ENDED: Final[str] = "The handler {handler} ended in {error}"
    MESSAGE_DEAD: Final[str] = "Subscription to {pattern}: message {id} is a dead letter"
    REPLY_FAILED: Final[str] = "The reply to the request {id} could not be sent"
    CLOSE_FAILED: Final[str] = "The broker was closed, but for: {call}"

    # Outbox and inbox
    SCHEMA_TOO_NEW: Final[str] = "The tables are of version {found}, and this release knows them up to {known}"
    OUTBOX_UNREADABLE: Final[str] = "What waits with this id is no message that can be published: {reason}"
    SQLITE_NO_FILE: Final[str] = "database must be the path of a file: what is in memory only one connection sees"
    TRANSACTION_ENDED: Final[str] = "The transaction cannot be committed: it failed, or was ended, inside of the block"
    RELAY_FAILED: Final[str] = "The relay of the outbox failed (%s); it is tried again"
    RELAY_HOOK_FAILED: Final[str] = "What the relay of the outbox was to call when it fails has failed itself"

    # NATS
    NATS_BACKLOG_FULL: Final[str] = "{max} messages wait in the namespace {namespace} already"
    NATS_HEADERS_TOO_LARGE: Final[str] = "The headers of the message have {size} bytes, more than {max}"
    NATS_NOT_TRIMMED: Final[str] = "What all groups in the namespace {namespace} have settled is not removed yet"
    NATS_TOO_LARGE: Final[str] = "The message has {size} bytes with its headers, more than {max}"
    NATS_UNREADABLE: Final[str] = "What came on {subject} could not be read"

    # Redis
    CLIENT_DECODES: Final[str] = "{field} must not decode responses: messages are bytes"

    # RabbitMQ
    RABBITMQ_TOO_LARGE: Final[str] = "The headers have {size} bytes, more than {max}"
    RABBITMQ_BACKLOG_FULL: Final[str] = (
        "Too much waits for a group that wants {key}, or its queue has failed: RabbitMQ tells these alike"
    )
