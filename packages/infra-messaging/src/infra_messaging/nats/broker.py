"""The broker on NATS."""

import re
from typing import Final

from nats.aio.client import Client

from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs, Messages
from infra_messaging.nats._engine import NatsEngine
from infra_messaging.nats._link import Link
from infra_messaging.nats._names import Names
from infra_protocols import Clock, or_raise, require_match, require_range, require_type

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NatsBroker[TMessage](Broker[TMessage]):
    """
    A `MessageBroker` whose messages are kept by JetStream, in files of the NATS server.

    Messages are kept at least until the last group has settled them; brokers remove those before the first that some
    group has not. Of messages that are published with an `id`, one whose id came within the last two minutes is dropped
    by the server.

    Args:
        client: a client that is connected; it is not closed. While it connects again, what is asked for waits for that
            until `timeout`, and is a `BrokerUnavailableError` then; what had no answer yet is one at once.
        messages: what the messages are: a type, for which JSON is written and read; a `Codec`; or a mapping of topic
            patterns to either, of which the first that matches the topic counts.
        namespace: a part of the name of all that is made at the server: brokers of one namespace see each other's
            messages.
        timeout: how many seconds the server has for each answer.
        max_backlog: how many messages there may be in the namespace, counted from the first that some group has not
            settled. Of what several brokers say the largest counts.
        close_timeout: how many seconds `close` waits for handlers that run, unless told otherwise.
        source: what its messages have as `ce-source`.
        clock: the time of day.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: an argument is out of bounds.

    >>> async def main(url: str) -> None:
    ...     async def greet(name: str) -> str:
    ...         return f"hello {name}"
    ...     async with await nats.connect(url) as client, NatsBroker(client, str, namespace="people") as broker:
    ...         await broker.subscribe("people.*", greet)
    ...         print(await broker.request("people.new", "Ada", timeout=5))
    >>> import asyncio, nats
    >>> asyncio.run(main(url))
    Ok('hello Ada')
    """

    def __init__(
        self,
        client: Client,
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
        link = Link(client, or_raise(require_range(timeout, "timeout", above=0)))
        or_raise(require_range(or_raise(require_type(max_backlog, "max_backlog", int)), "max_backlog", min=1))
        engine = NatsEngine(link, names, max_backlog)
        super().__init__(engine, Codecs(messages), close_timeout=close_timeout, source=source, clock=clock)
