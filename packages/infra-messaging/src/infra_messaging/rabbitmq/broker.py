"""The broker on RabbitMQ."""

import re
from typing import Final

from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs, Messages
from infra_messaging.rabbitmq._engine import RabbitEngine
from infra_messaging.rabbitmq._names import Names
from infra_protocols import Clock, or_raise, require_match, require_range, require_text, require_type

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RabbitBroker[TMessage](Broker[TMessage]):
    """
    A `MessageBroker` whose messages are kept by RabbitMQ, in quorum queues.

    It has two connections of its own, one to publish and one for all else, and makes them again when they are lost.
    What a member holds is handed out again when its connection ends: at once when its process dies, and after some
    twenty seconds when the machine does, unless `heartbeat` in the URL says otherwise; `lease` changes that only for
    a subscription that is a group of its own, which stays for so long, and 30 seconds at least, after its connection.
    A handler that runs for longer than the `consumer_timeout` of the server, 30 minutes, has its message handed out
    again.

    Args:
        url: where RabbitMQ is: `amqp://user:password@host:port/vhost`, or `amqps`; see aiormq for its query.
        messages: the type of the messages, a codec for them, or either by pattern: the first that stands for a topic.
        namespace: a part of the name of all that is made at the server: brokers of one namespace see each other's
            messages.
        timeout: how many seconds the server has for each answer.
        max_backlog: how many messages may wait for a group, or for each of its partitions, to be held by a member; what
            is held is not counted, and the server may take some more. What the first member said stays.
        close_timeout: how many seconds `close` waits for handlers that run, unless told otherwise.
        source: what its messages have as `ce-source`.
        clock: the time of day.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: an argument is out of bounds.

    >>> async def main(url: str) -> None:
    ...     async with RabbitBroker(url, str) as broker:
    ...         await broker.publish("people.new", "Ada")
    """

    def __init__(
        self,
        url: str,
        messages: Messages[TMessage],
        *,
        namespace: str = "messaging",
        timeout: float = 5.0,
        max_backlog: int = 1_000_000,
        close_timeout: float = 10.0,
        source: str = "infra-messaging",
        clock: Clock | None = None,
    ) -> None:
        names = Names(or_raise(require_match(namespace, "namespace", _NAMESPACE)))
        or_raise(require_range(timeout, "timeout", above=0))
        or_raise(require_range(or_raise(require_type(max_backlog, "max_backlog", int)), "max_backlog", min=1))
        engine = RabbitEngine(or_raise(require_text(url, "url")), names, timeout, max_backlog)
        super().__init__(engine, Codecs(messages), close_timeout=close_timeout, source=source, clock=clock)
