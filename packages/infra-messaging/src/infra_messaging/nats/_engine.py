"""An engine of brokers on NATS JetStream."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from infra_messaging._engine import Envelope
from infra_messaging.nats._feed import NatsFeed
from infra_messaging.nats._groups import Group, Groups
from infra_messaging.nats._letters import NatsLetters, Origin
from infra_messaging.nats._link import Link, code, together
from infra_messaging.nats._messages import Messages
from infra_messaging.nats._names import Names, consumer_names, is_consumer
from infra_messaging.nats._wire import written
from infra_protocols import (
    BrokerRefusedError,
    MessagingError,
    SubscriptionConfig,
    ValidationError,
)

_SECOND: Final = 1_000_000_000
_DUPLICATES: Final = 120 * _SECOND
_WEEK: Final = 7 * 24 * 3600 * _SECOND
_AWAY: Final = 30.0
"""For how many seconds at least a member that is a group of its own may have no connection."""
_IN_USE: Final = 10058


class NatsEngine:
    """Three streams: the messages; the records of letters and groups; the tallies."""

    def __init__(self, link: Link, names: Names, max_backlog: int) -> None:
        self._link = link
        self._names = names
        self._max_backlog = max_backlog
        self._messages = Messages(link, names, max_backlog)
        self._groups = Groups(link, names)
        self.letters = NatsLetters(link, names, self._messages, self._groups)

    async def open(self) -> None:
        names = self._names
        try:
            await self._link.open()
            await self._make(
                names.messages,
                [names.all_messages],
                discard="new",
                max_msgs=self._max_backlog,
                duplicate_window=_DUPLICATES,
            )
            await self._make(names.records, [names.all_letters, names.all_groups], max_msgs_per_subject=1)
            await self._make(names.tallies, [names.all_tallies], max_msgs_per_subject=1, max_age=_WEEK)
            await self._messages.open()
        except BaseException:
            await self._link.close()
            raise

    async def close(self) -> None:
        await self._messages.close()
        await self._link.close()

    async def publish(self, envelope: Envelope) -> None:
        await self._messages.store(self._names.message(envelope), envelope.data, written(envelope))

    async def subscribe(self, pattern: str, group: str | None, config: SubscriptionConfig) -> Sequence[NatsFeed]:
        if group is None:
            return await self._feeds(f"own-{uuid4().hex}", pattern, config, own=True)
        joined = Group(pattern, group, config.partitions)
        place = await self._groups.join(joined)
        while True:
            feeds = await self._feeds(joined.name, pattern, config, own=False)
            if await self._groups.is_there(joined, place):
                return feeds
            # It was forgotten meanwhile, maybe before these consumers were made.
            await together(feed.close() for feed in feeds)
            try:
                place = await self._groups.join(joined)
            except ValidationError:
                await self._end(consumer_names(joined.name, joined.partitions))
                raise

    async def forget(self, pattern: str, group: str) -> None:
        forgotten = Group(pattern, group, None)
        while True:  # who joins meanwhile may have made some consumers
            there = await self._messages.groups()
            consumers = [name for each in there or () if is_consumer(name := each["name"], forgotten.name)]
            await self._end(consumers)
            if not await self._groups.drop(forgotten) and there is not None and not consumers:
                return

    async def _end(self, consumers: Iterable[str]) -> None:
        await together(self._link.end(self._names.messages, each) for each in consumers)

    async def _feeds(self, name: str, pattern: str, config: SubscriptionConfig, *, own: bool) -> list[NatsFeed]:
        feeds: list[NatsFeed] = []
        try:
            for number, consumer in enumerate(consumer_names(name, config.partitions)):
                feed = self._feed(Origin(name, consumer), pattern, number, config, own=own)
                feeds.append(feed)
                await feed.open()
        except BaseException:
            for feed in feeds:
                with suppress(MessagingError):
                    await feed.close()
            raise
        return feeds

    def _feed(self, origin: Origin, pattern: str, partition: int, config: SubscriptionConfig, *, own: bool) -> NatsFeed:
        stream, consumer, filter = (
            self._names.messages,
            origin.consumer,
            self._names.filter(pattern, partition, config.partitions or 1),
        )
        about: dict[str, Any] = {
            "ack_policy": "explicit",
            "ack_wait": int(config.lease * _SECOND),
            "deliver_policy": "new",
            "filter_subject": filter,
            "max_deliver": -1,
            "replay_policy": "instant",
        }
        # With one unsettled at a time, for all members, the order holds, and what failed goes before all others.
        about["max_ack_pending"] = 1 if config.partitions is not None else config.prefetch if own else -1
        inbox = self._link.client.new_inbox()
        if own:
            away = int(max(config.lease, _AWAY) * _SECOND)
            about |= {"name": consumer, "deliver_subject": inbox, "inactive_threshold": away}
            verb = f"CONSUMER.CREATE.{stream}.{consumer}.{filter}"
        else:
            about["durable_name"] = consumer
            verb = f"CONSUMER.DURABLE.CREATE.{stream}.{consumer}"

        async def make() -> None:
            await self._link.call(verb, {"stream_name": stream, "config": about})

        ordered = config.partitions is not None
        return NatsFeed(self._link, self._names, self.letters, origin, inbox, make, ordered=ordered, own=own)

    async def _make(self, stream: str, subjects: list[str], **more: Any) -> None:
        """Make the stream; one that is there stays as it is."""
        config = {"name": stream, "subjects": subjects, "storage": "file", "retention": "limits", "discard": "old"}
        try:
            await self._link.call(f"STREAM.CREATE.{stream}", config | more)
        except BrokerRefusedError as error:
            if code(error) != _IN_USE:
                raise
