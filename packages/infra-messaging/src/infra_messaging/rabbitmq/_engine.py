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
        if group is None:
            id = uuid4().hex
            names = [self._names.own_queue(f"{id}.{number}") for number in range(config.partitions or 1)]
            about: dict[str, Any] = {"x-expires": int(max(config.lease, _AWAY) * 1000)}
            return await self._feeds(pattern, config, names, about, self._max_backlog, None)
        wanted = Group(pattern, group, config.partitions, self._max_backlog)
        about = {"x-queue-type": "quorum", "x-delivery-limit": NO_LIMIT}
        if config.partitions is not None:
            about["x-single-active-consumer"] = True
        async with self._groups.joining(wanted) as joined:
            rejoining = partial(self._groups.rejoining, wanted)
            names = joined.queues(self._names)
            return await self._feeds(pattern, config, names, about, joined.max_backlog, rejoining)

    async def _feeds(
        self,
        pattern: str,
        config: SubscriptionConfig,
        names: Sequence[str],
        about: dict[str, Any],
        max_backlog: int,
        rejoining: Rejoining | None,
    ) -> Sequence[RabbitFeed]:
        partitions = config.partitions
        prefetch = max(1, config.prefetch // (partitions or 1))
        prefetch = min(prefetch, 65_535) if partitions is None else min(prefetch, _PARTITION)
        feeds: list[RabbitFeed] = []
        try:
            for number, name in enumerate(names):
                queue = Queue(name, self._names.exchange, binding_keys(pattern, partitions, number), about)
                feed = RabbitFeed(
                    self._line,
                    self._publisher,
                    self.letters,
                    queue,
                    prefetch,
                    rejoining,
                    ordered=partitions is not None,
                )
                feeds.append(feed)
                await feed.open(max_backlog)
        except BaseException:
            for feed in feeds:
                with suppress(MessagingError):
                    await feed.close()
            raise
        return feeds

    async def forget(self, pattern: str, group: str) -> None:
        async with self._groups.forgetting(pattern, group) as known:
            if known is not None:
                async with self._line.lent() as channel:
                    for queue in known.queues(self._names):
                        await channel.queue_delete(queue)
