"""What a broker promises of groups: each gets every message, and its members share them."""

from typing import Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import ValidationError

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
ALIKE: Final = ("a", "A", "aa", "a-b", "a_b", "a-", "0", "00", "None", "orders", "x" * 63, "x" * 64)
"""Names of groups that an engine may take for one another."""


class GroupChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of who gets which messages.

    Type parameters:
        TMessage: the messages.
    """

    @check("broker-15", validates="10.5")
    async def test_every_group_gets_all(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Each group gets every message."""
        broker, messages = await self.broker(trial), self.some(50)
        other = await self.beside(trial, broker)
        shipping, billing = self.consumer(trial, "shipping"), self.consumer(trial, "billing")
        subscriptions = [
            await broker.subscribe(TOPIC, shipping, group="shipping"),
            await other.subscribe(TOPIC, billing, group="billing"),
        ]
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, shipping)
        await self.until_handled(messages, billing)
        self.once_each("what shipping was given", messages, shipping)
        self.once_each("what billing was given", messages, billing)
        expect("the group that a delivery names", {seen.group for seen in billing.seen}, {"billing"})
        for subscription in subscriptions:
            await self.nothing_waits(trial, broker, [subscription], TOPIC)

    @check("broker-16", validates="10.5")
    async def test_members_share(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Members of a group share its messages: each is handled by one of them."""
        broker, messages = await self.broker(trial), self.some(self.many(200))
        other = await self.beside(trial, broker)
        consumers = [self.consumer(trial, name) for name in "ABC"]
        subscriptions = [
            await each.subscribe(TOPIC, consumer, group=GROUP, prefetch=5)
            for each, consumer in zip((broker, broker, other), consumers, strict=True)
        ]
        await self.publish_all(other, TOPIC, messages)
        await self.until_handled(messages, *consumers)
        self.once_each("what the members were given", messages, *consumers)
        await self.nothing_waits(trial, broker, subscriptions, TOPIC)

    @check("broker-17", validates="10.5")
    async def test_broadcast(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Subscriptions without a group get every message each."""
        broker, messages = await self.broker(trial), self.some(20)
        other = await self.beside(trial, broker)
        consumers = [self.consumer(trial, name) for name in "ABC"]
        for each, consumer in zip((broker, broker, other), consumers, strict=True):
            await each.subscribe(TOPIC, consumer)
        await self.publish_all(broker, TOPIC, messages)
        for consumer in consumers:
            await self.until_handled(messages, consumer)
            self.once_each(f"what {consumer} was given", messages, consumer)
            expect("the group that a delivery names", {seen.group for seen in consumer.seen}, {None})

    @check("broker-18")
    async def test_group_lasts(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A group keeps what is published while it has no member, for the next."""
        broker, messages = await self.broker(trial), self.some(20)
        first = self.consumer(trial, "the first")
        await (await broker.subscribe(TOPIC, first, group=GROUP)).unsubscribe()
        await self.publish_all(broker, TOPIC, messages)
        other = await self.beside(trial, broker)
        second = self.consumer(trial, "the second")
        await other.subscribe(TOPIC, second, group=GROUP)
        await self.until_handled(messages, second)
        expect("what the second was given", second.messages, messages)
        expect("what the first was given", first.messages, [])

    @check("broker-19")
    async def test_pattern_makes_the_group(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The same name with another pattern is another group."""
        broker, messages = await self.broker(trial), self.some(10)
        consumers = {pattern: self.consumer(trial, pattern) for pattern in (TOPIC, "orders.*", "orders.>")}
        for pattern, consumer in consumers.items():
            await broker.subscribe(pattern, consumer, group=GROUP)
        await self.publish_all(broker, TOPIC, messages)
        for pattern, consumer in consumers.items():
            await self.until_handled(messages, consumer)
            self.once_each(f"what {pattern} was given", messages, consumer)

    @check("broker-20")
    async def test_nothing_old(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Who subscribes anew, in a new group or in none, gets nothing that was published before."""
        broker = await self.broker(trial)
        old = self.consumer(trial, "the old")
        await broker.subscribe(TOPIC, old, group="old")
        await self.publish_all(broker, TOPIC, self.some(10))
        new, alone = self.consumer(trial, "the new"), self.consumer(trial, "who is alone")
        await broker.subscribe(TOPIC, new, group="new")
        await broker.subscribe(TOPIC, alone)
        await self.until_handled(self.some(10), old)
        await self.only_the_newest(broker, TOPIC, new, alone)
        expect("what the new was given", len(new.seen), 1)

    @check("broker-21")
    async def test_twins(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Two subscriptions of one handler are two; to end one leaves the other."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        first = await broker.subscribe(TOPIC, consumer)
        second = await broker.subscribe(TOPIC, consumer)
        await broker.publish(TOPIC, self.message(1))
        await self.until("both were given the message", lambda: len(consumer.handled) == 2)
        await first.unsubscribe()
        expect("active, of both", (first.active, second.active), (False, True))
        await self.only_the_newest(broker, TOPIC, consumer)

    @check("broker-22")
    async def test_unsubscribed(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A subscription that was ended is given nothing more, and its group keeps the rest for the next member."""
        broker, before, after = await self.broker(trial), self.some(5), self.some(5, first=5)
        first, second = self.consumer(trial, "the first"), self.consumer(trial, "the second")
        subscription = await broker.subscribe(TOPIC, first, group=GROUP)
        expect("pattern, group, active", _shown(subscription), (TOPIC, GROUP, True))
        await self.publish_all(broker, TOPIC, before)
        await self.until_handled(before, first)
        await subscription.unsubscribe()
        expect("pattern, group, active, of one that has ended", _shown(subscription), (TOPIC, GROUP, False))
        await self.publish_all(broker, TOPIC, after)
        await broker.subscribe(TOPIC, second, group=GROUP)
        await self.until_handled(after, second)
        await subscription.unsubscribe()
        await self.only_the_newest(broker, TOPIC, second)
        expect("what the first was given", first.messages, before)

    @check("broker-23")
    async def test_forget(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A group that is forgotten keeps nothing, neither what waits nor what is published then."""
        broker = await self.broker(trial)
        first, second = self.consumer(trial, "the first"), self.consumer(trial, "the second")
        await (await broker.subscribe(TOPIC, first, group=GROUP)).unsubscribe()
        await self.publish_all(broker, TOPIC, self.some(3))
        subscription = await broker.subscribe("orders.>", first, group=GROUP)
        await subscription.unsubscribe(forget=True)
        await self.publish_all(broker, TOPIC, self.some(3))
        await broker.subscribe("orders.>", second, group=GROUP)
        await self.only_the_newest(broker, TOPIC, second)
        heir = self.consumer(trial, "the heir")
        await broker.subscribe(TOPIC, heir, group=GROUP)
        await self.until("the other group has kept its own", lambda: len(heir.handled) == 7)

    @check("broker-25")
    async def test_names_alike(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Groups whose names look alike are different groups, also where a pattern and a name look like another two."""
        broker = await self.broker(trial)
        places = [(TOPIC, name) for name in ALIKE] + [("orders.*", "a"), ("*.new", "a"), ("*.*", "a"), (">", "a")]
        consumers = [self.consumer(trial, f"{name!r} of {pattern}") for pattern, name in places]
        for (pattern, name), consumer in zip(places, consumers, strict=True):
            await broker.subscribe(pattern, consumer, group=name)
        messages = self.some(3)
        await self.publish_all(broker, TOPIC, messages)
        for (_, name), consumer in zip(places, consumers, strict=True):
            await self.until_handled(messages, consumer)
            self.once_each(f"what {consumer} was given", messages, consumer)
            expect("the group that a delivery names", {seen.group for seen in consumer.seen}, {name})

    @check("broker-24", requires="supports_partitions")
    async def test_other_partitions(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Who wants other partitions than its group has is refused, and the group is as it was."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP, partitions=4)
        other = await self.beside(trial, broker)
        for partitions in (3, None):
            call = other.subscribe(TOPIC, self.consumer(trial, "the other"), group=GROUP, partitions=partitions)
            refusal = await refused(f"subscribe with partitions={partitions}", call, ValidationError)
            expect("the field that is refused", refusal.field, "partitions")
        await self.only_the_newest(other, TOPIC, consumer)


def _shown(subscription: object) -> tuple[object, ...]:
    return tuple(getattr(subscription, name) for name in ("pattern", "group", "active"))
