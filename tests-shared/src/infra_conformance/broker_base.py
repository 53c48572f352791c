"""What is checked of message brokers, and what all those checks work with."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, Unpack

from infra_conformance.broker_desk import Act, BrokerOptions, Brokers, Consumer
from infra_conformance.history import recorded
from infra_conformance.messages import ConformanceMessages
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.messaging import DeadLetterQueue, MessageBroker, Subscription, SubscriptionOptions

PATIENCE: Final = 20.0
"""How many seconds is waited for what must happen, where time is real."""
VIRTUAL_PATIENCE: Final = 300.0
"""How many ticks where it is virtual."""


class BrokerChecks[TMessage](Suite[Brokers[TMessage]]):
    """
    The base of the checks of message brokers.

    Type parameters:
        TMessage: the messages.
    """

    shares_engine: ClassVar[bool] = True
    """Whether several brokers can be made that see each other's messages."""
    supports_partitions: ClassVar[bool] = True
    """Whether a group keeps the order of each key, with `partitions`."""
    supports_deduplication: ClassVar[bool] = True
    """Whether the second of two messages with one id is dropped."""
    encodes: ClassVar[bool] = True
    """Whether messages become bytes; then the subject has `publish_raw`."""
    can_lose_member: ClassVar[bool] = False
    """Whether the subject has `lose`."""
    can_cut: ClassVar[bool] = False
    """Whether the subject has `cut`."""
    can_fill: ClassVar[bool] = True
    """Whether `max_backlog` is kept to the message."""

    def message(self, number: int) -> TMessage:
        """Return a message, for each number another; they are compared with `==`."""
        text: Any = f"message {number}"
        return text

    # -- What the checks are made of.

    def many(self, count: int) -> int:
        """Return how many are many, which is less where time is real."""
        return max(count // 10, min(count, 20)) if self.real_time else count

    def some(self, count: int, first: int = 0) -> list[TMessage]:
        """Return `count` messages."""
        return [self.message(number) for number in range(first, first + count)]

    def prompt(self, **more: Unpack[SubscriptionOptions]) -> SubscriptionOptions:
        """Return what has messages delivered again without much waiting, and `more`."""
        return {"retry_delay": 0.05 * self.tick, "retry_delay_max": 0.1 * self.tick, **more}

    async def broker(
        self, trial: Trial[Brokers[TMessage]], by: str = "", **options: Unpack[BrokerOptions]
    ) -> MessageBroker[TMessage]:
        """Return a new broker, open, with its calls recorded."""
        broker = await trial.raw.make(**options)
        await broker.open()
        return recorded(broker, trial.history, by)

    async def beside(
        self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage], by: str = ""
    ) -> MessageBroker[TMessage]:
        """Return another broker on the same engine, or `broker` itself where there can be no other."""
        return await self.broker(trial, by) if self.shares_engine else broker

    def unwrapped(self, broker: MessageBroker[TMessage]) -> MessageBroker[TMessage]:
        """Return the broker itself."""
        stand_in: Any = broker
        return getattr(stand_in, "_subject", broker)

    def letters(self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage]) -> DeadLetterQueue[TMessage]:
        """Return the dead letters of `broker`, with the calls recorded."""
        return recorded(broker.dead_letters, trial.history)

    def consumer(
        self, trial: Trial[Brokers[TMessage]], name: str = "H", act: Act[TMessage] | None = None
    ) -> Consumer[TMessage]:
        """Return a handler under watch."""
        return Consumer(name, trial.history, act)

    async def publish_all(
        self,
        broker: MessageBroker[TMessage],
        topic: str,
        messages: Sequence[TMessage],
        key: Callable[[TMessage], str] | None = None,
    ) -> None:
        """Publish messages one after the other."""
        for message in messages:
            await broker.publish(topic, message, key=None if key is None else key(message))

    @property
    def patience(self) -> float:
        """For how many seconds it is waited for what must happen."""
        return PATIENCE if self.real_time else VIRTUAL_PATIENCE * self.tick

    async def until(self, what: str, so: Callable[[], object]) -> None:
        """
        Wait until `so` returns what is true.

        Raises:
            Broken: it did not, for long.
        """

        async def ask() -> object:
            return so()

        await self.until_told(what, ask)

    async def happens(self, what: str, event: asyncio.Event) -> None:
        """Wait until `event` is set, and go on in that very turn of the event loop."""
        try:
            async with asyncio.timeout(self.patience):
                await event.wait()
        except TimeoutError:
            raise Broken(ConformanceMessages.NEVER_SO.format(what=what, seconds=self.patience)) from None

    async def until_told(self, what: str, so: Callable[[], Awaitable[object]]) -> None:
        """Wait until `so`, awaited, returns what is true."""
        loop = asyncio.get_running_loop()
        late, pause = loop.time() + self.patience, 0.001
        while not await so():
            if loop.time() > late:
                raise Broken(ConformanceMessages.NEVER_SO.format(what=what, seconds=self.patience))
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.02 if self.real_time else self.tick)

    async def until_handled(self, messages: Iterable[TMessage], *consumers: Consumer[TMessage]) -> None:
        """Wait until each of `messages` was handled by one of `consumers`."""
        left = set(map(repr, messages))
        count, looked = len(left), [0] * len(consumers)

        def done() -> bool:
            for index, consumer in enumerate(consumers):
                left.difference_update(map(repr, consumer.handled[looked[index] :]))
                looked[index] = len(consumer.handled)
            return not left

        names = ", ".join(map(repr, consumers))
        await self.until(f"all of {count} messages are handled by {names}", done)

    def once_each(self, what: str, messages: Sequence[TMessage], *consumers: Consumer[TMessage]) -> None:
        """See that the consumers, together, were given each of `messages` once, and nothing else."""
        got = Counter(repr(message) for consumer in consumers for message in consumer.messages)
        wanted = Counter(map(repr, messages))
        if got != wanted:
            missing, extra = list((wanted - got).elements()), list((got - wanted).elements())
            text = ConformanceMessages.BROKER_NOT_ONCE.format(
                what=what, missing=len(missing), least=_few(missing), extra=len(extra), most=_few(extra)
            )
            raise Broken(text)

    async def nothing_waits(
        self,
        trial: Trial[Brokers[TMessage]],
        broker: MessageBroker[TMessage],
        subscriptions: Iterable[Subscription],
        topic: str,
        partitions: int | None = None,
    ) -> None:
        """See that nothing is left for the group of `subscriptions`, by the eyes of a new member; it stays."""
        members = list(subscriptions)
        for member in members:
            await member.unsubscribe()
        last = self.consumer(trial, "the last member")
        await broker.subscribe(members[0].pattern, last, group=members[0].group, partitions=partitions)
        await self.only_the_newest(broker, topic, last)

    async def only_the_newest(
        self, broker: MessageBroker[TMessage], topic: str, *consumers: Consumer[TMessage]
    ) -> None:
        """See that what is published now is all that `consumers` are given from now on."""
        before = [len(consumer.seen) for consumer in consumers]
        sentinel = self.message(999_999)
        await broker.publish(topic, sentinel)
        for consumer, count in zip(consumers, before, strict=True):
            await self.until(f"{consumer} has what was published last", lambda: sentinel in consumer.handled)  # noqa: B023
            expect(f"what {consumer} was given at last", consumer.messages[count:], [sentinel])


def _few(shown: list[str]) -> str:
    return ", ".join(shown[:3] + ["..."] * (len(shown) > 3))
