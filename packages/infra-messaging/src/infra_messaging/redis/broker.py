"""The broker on Redis Streams."""

from typing import Final

from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs, Messages
from infra_messaging.messages import MessagingMessages
from infra_messaging.redis._engine import RedisEngine
from infra_messaging.redis._link import Client
from infra_protocols import Clock, ValidationError, or_raise, require_range, require_type

_WINDOW: Final = 120.0


class RedisStreamBroker[TMessage](Broker[TMessage]):
    """
    A `MessageBroker` on Redis Streams, for any number of processes.

    Each group has a stream of its own, or one for each partition. `publish` writes a message to the streams of all
    groups that there are at that moment, in one step, and what is published in one turn of the event loop travels
    together; an entry that is settled is deleted. So Redis holds what is not settled, the dead letters, and nothing
    else. If one of the groups is full, none of them gets the message. A message with an `id` that was published within
    the last 120 seconds is dropped.

    Redis keeps what it has accepted as well as its own settings have it: with `appendonly yes` and `appendfsync always`
    it does not lose what `publish` has returned for, with `everysec` up to a second of it. It must not evict
    (`maxmemory-policy noeviction`): when it is full, `publish` raises a `BrokerRefusedError` and nothing was written.

    What a member has got and not begun counts as a delivery if it dies within the first third of a `lease` after it got
    it, and not if it dies later; what it gives back does not count.

    It takes a connection to publish, one for all else, and one for each subscription or each of its partitions. In a
    Cluster a namespace lies in one slot.

    Args:
        client: how to get to Redis; it is not closed. It must not decode what it reads.
        messages: the type of the messages, a codec for them, or either by pattern: the first that stands for a topic.
        namespace: what belongs to this broker; those of other namespaces share nothing with it.
        timeout: how many seconds Redis has to answer.
        max_backlog: how many messages may be unsettled in a group.
        close_timeout: how many seconds `close` waits for handlers that run, unless told otherwise.
        source: what its messages have as `ce-source`.
        clock: the time of day.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: an argument is out of bounds, a type is none that `JsonCodec` knows, or the client decodes.

    >>> import asyncio
    >>> from redis.asyncio import Redis
    >>> async def main(url: str) -> None:
    ...     async def greet(name: str) -> str:
    ...         return f"hello {name}"
    ...     async with Redis.from_url(url) as client, RedisStreamBroker(client, str, namespace="people") as broker:
    ...         greeting = await broker.subscribe("people.*", greet, group="greeters")
    ...         print(await broker.request("people.new", "Ada", timeout=10))
    ...         await greeting.unsubscribe(forget=True)
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
        if client.get_encoder().decode_responses:
            message = MessagingMessages.CLIENT_DECODES.format(field="client")
            raise ValidationError(message, field="client", kind=type(client).__name__)
        or_raise(require_range(timeout, "timeout", above=0))
        or_raise(require_range(or_raise(require_type(max_backlog, "max_backlog", int)), "max_backlog", min=1))
        engine = RedisEngine(client, namespace, timeout, max_backlog, _WINDOW)
        super().__init__(engine, Codecs(messages), close_timeout=close_timeout, source=source, clock=clock)
