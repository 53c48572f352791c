"""An engine of brokers on RabbitMQ."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

from infra_messaging._engine import Envelope
from infra_messaging.rabbitmq._feed import RabbitFeed, Rejoining
from infra_messaging.rabbitmq._groups import Group, Groups
from infra_messaging.rabbitmq._letters import RabbitLetters
from infra_messaging.rabbitmq._line import Line
from infra_messaging.rabbitmq._names import Names, binding_keys, routing_key
from infra_messaging.rabbitmq._publisher import Publisher
from infra_messaging.rabbitmq._queue import Queue
from infra_messaging.rabbitmq._records import NO_LIMIT, Records
from infra_messaging.rabbitmq._wire import headers_of, require_fitting
from infra_protocols import MessagingError, SubscriptionConfig

_AWAY: Final = 30.0
"""For how many seconds at least a member that is a group of its own may have no connection."""
_PARTITION: Final = 32
"""How many messages of a partition are held at most: so many the server puts back in order, whatever happens."""


class RabbitEngine:
    """A topic exchange, a queue for each group or partition, and two queues of records."""

    def __init__(self, url: str, names: Names, timeout: float, max_backlog: int) -> None:
        self._names = names
        self._max_backlog = max_backlog
        self._line = Line(url, timeout)
        self._publisher = Publisher(Line(url, timeout))
        self._letters = Records(self._line, self._publisher, names.letters)
        self._records = Records(self._line, self._publisher, names.groups)
        self._groups = Groups(self._records)
        self.letters = RabbitLetters(self._line, names, self._letters, self._groups)

    async def open(self) -> None:
        self._line.open()
        try:
            await self._publisher.open()
            async with self._line.lent() as channel:
                await channel.exchange_declare(self._names.exchange, exchange_type="topic", durable=True)
                await self._letters.make(channel)
                await self._records.make(channel)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._publisher.close()
        await self._line.close()

    async def publish(self, envelope: Envelope) -> None:
        key = routing_key(envelope.key, envelope.id, envelope.topic)
        headers = headers_of(envelope)
        require_fitting(headers, self._publisher.frame_max)
        await self._publisher.publish(self._names.exchange, key, headers, envelope.data)

    async def subscribe(self, pattern: str, group: str | None, config: SubscriptionConfig) -> Sequence[RabbitFeed]:
        feeds: list[RabbitFeed] = []
        try:
            if group is None:
                await self._open_own(feeds, pattern, config)
            else:
                wanted = Group(pattern, group, config.partitions, self._max_backlog)
                async with self._groups.joining(wanted) as joined:
                    await self._open_joined(feeds, joined, config)
        except BaseException:
            for feed in feeds:
                with suppress(MessagingError):
                    await feed.close()
            raise
        return feeds

    async def _open_own(self, feeds: list[RabbitFeed], pattern: str, config: SubscriptionConfig) -> None:
        id = uuid4().hex
        about = {"x-expires": int(max(config.lease, _AWAY) * 1000)}
        for number in range(config.partitions or 1):
            queue = self._queue(self._names.own_queue(f"{id}.{number}"), pattern, config, number, about)
            feeds.append(self._feed(queue, config, None))
            await feeds[-1].open(self._max_backlog)

    async def _open_joined(self, feeds: list[RabbitFeed], group: Group, config: SubscriptionConfig) -> None:
        about: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": NO_LIMIT}
        if group.partitions is not None:
            about["x-single-active-consumer"] = True
        for number, name in enumerate(group.queues(self._names)):
            queue = self._queue(name, group.pattern, config, number, about)
            feeds.append(self._feed(queue, config, partial(self._groups.rejoining, group)))
            await feeds[-1].open(group.max_backlog)

    def _queue(self, name: str, pattern: str, config: SubscriptionConfig, number: int, about: dict[str, Any]) -> Queue:
        return Queue(name, self._names.exchange, binding_keys(pattern, config.partitions, number), about)

    def _feed(self, queue: Queue, config: SubscriptionConfig, rejoining: Rejoining | None) -> RabbitFeed:
        is_ordered = config.partitions is not None
        prefetch = max(1, config.prefetch // (config.partitions or 1))
        prefetch = min(prefetch, _PARTITION if is_ordered else 65_535)
        return RabbitFeed(self._line, self._publisher, self.letters, queue, prefetch, rejoining, ordered=is_ordered)

    async def forget(self, pattern: str, group: str) -> None:
        async with self._groups.forgetting(pattern, group) as known:
            if known is not None:
                async with self._line.lent() as channel:
                    for queue in known.queues(self._names):
                        await channel.queue_delete(queue)
