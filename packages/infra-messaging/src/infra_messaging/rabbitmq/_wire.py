"""
Envelopes as messages of AMQP: headers as headers, what a broker needs besides under names that begin with a capital, as
no header of a caller does.
"""

from collections.abc import Mapping
from typing import Any, Final, override
from uuid import uuid4

from aiormq.abc import DeliveredMessage
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from infra_messaging._engine import Envelope
from infra_messaging.messages import MessagingMessages
from infra_messaging.rabbitmq._line import refused
from infra_messaging.rabbitmq._names import topic_of
from infra_protocols import Header

ROUTING_KEY: Final = "Infra-Routing-Key"
"""In what is replayed, which goes to a queue by its name: the routing key that it once had."""
ATTEMPTS: Final = "Infra-Attempts"
"""In what was given back: how often it had been handled by then."""
_ID: Final = "Infra-Id"
_KEY: Final = "Infra-Key"
_CE_ID: Final = Header.ID.value
_CORRELATION: Final = Header.CORRELATION_ID.value
_PERSISTENT: Final = 2
_GAIN: Final = 1024
"""How many bytes headers may gain when their message is put into a queue once more: a routing key, some numbers."""

type Content = list[ContentHeader | ContentBody]


def headers_of(envelope: Envelope) -> dict[str, Any]:
    """Return the headers of `envelope` for AMQP."""
    headers: dict[str, Any] = dict(envelope.headers)
    if envelope.key is not None:
        headers[_KEY] = envelope.key
    if headers.get(_CE_ID) != envelope.id:
        headers[_ID] = envelope.id
    return headers


def require_fitting(headers: dict[str, str], frame_max: int) -> None:
    """
    Refuse what would not fit into the one frame that headers have, now or when the message is put back or replayed.

    The server would end the connection, and all that is under way with it.
    """
    most = frame_max - _GAIN
    if 4 * sum(len(name) + len(value) + 2 for name, value in headers.items()) + 100 <= most:
        return  # whatever the characters are
    size = len(frame.marshal(ContentHeader(properties=properties(headers)), 0))
    if size > most:
        raise refused(MessagingMessages.RABBITMQ_TOO_LARGE.format(size=size, max=most))


def properties(headers: dict[str, Any], lifetime: int | None = None) -> Basic.Properties:
    """
    Return `headers`, and what tells this message from others of its id: one that is published twice, or replayed.

    After `lifetime` milliseconds the server drops it, if all before it in its queue have gone.
    """
    expiration = None if lifetime is None else str(lifetime)
    return Basic.Properties(headers=headers, delivery_mode=_PERSISTENT, message_id=uuid4().hex, expiration=expiration)


def content(headers: dict[str, Any], body: bytes, most: int, lifetime: int | None = None) -> Content:
    """Return the frames of a message, but for the first: no frame has more than `most` bytes."""
    header = ContentHeader(body_size=len(body), properties=properties(headers, lifetime))
    return [header, *(ContentBody(body[at : at + most]) for at in range(0, len(body), most))]


class Incoming(Envelope):
    """An envelope whose headers are picked out when somebody asks for them."""

    __slots__ = ("_raw",)

    def __init__(self, message: DeliveredMessage) -> None:
        raw: Mapping[str, Any] = message.header.properties.headers or {}
        self._raw = raw
        self.id = _text(raw.get(_ID) or raw.get(_CE_ID) or message.header.properties.message_id or "")
        self.topic = topic_of(_text(raw.get(ROUTING_KEY) or message.routing_key))
        key = raw.get(_KEY)
        self.key = None if key is None else _text(key)
        correlation = raw.get(_CORRELATION)
        self.correlation_id = None if correlation is None else _text(correlation)
        self._headers = None
        self.data = message.body
        self.named = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = {
                name: value for name, value in self._raw.items() if isinstance(value, str) and not name[:1].isupper()
            }
        return self._headers


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
