"""What a broker promises of the order of keys, where groups have partitions."""

import asyncio
from itertools import pairwise
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Consumer, Seen, Sorry
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.messaging import MessageBroker

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
KEYS: Final = tuple(f"key-{number}" for number in range(10))


class OrderChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of order.

    Type parameters:
        TMessage: the messages.
    """

    async def publish_keyed(self, broker: MessageBroker[TMessage], count: int, first: int = 0) -> list[TMessage]:
        """Publish `count` messages, one key after the other, and return them."""
        messages = self.some(count, first)
        for number, message in enumerate(messages, first):
            await broker.publish(TOPIC, message, key=KEYS[number % len(KEYS)])
        return messages

    async def found(self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage], partitions: int) -> None:
        """Make the group, so that it has something waiting when its members come."""
        founder = self.consumer(trial, "the founder")
        await (await broker.subscribe(TOPIC, founder, group=GROUP, partitions=partitions)).unsubscribe()

    def in_order(self, messages: list[TMessage], *consumers: Consumer[TMessage]) -> None:
        """See that the messages of each key were handled in order, one after the other, by whoever it was."""
        place = {repr(message): number for number, message in enumerate(messages)}
        everything = sorted((seen for each in consumers for seen in each.seen), key=lambda seen: seen.first)
        for key in KEYS:
            seen = [each for each in everything if each.key == key]
            for before, after in pairwise(seen):
                first, then = place[repr(before.message)], place[repr(after.message)]
                over = before.last is not None and before.last < after.first
                settled = before.error is None
                if not over or first > then or (first < then and not settled) or (first == then and settled):
                    text = ConformanceMessages.BROKER_OUT_OF_ORDER.format(
                        key=key, first=repr(before.message), then=repr(after.message)
                    )
                    raise Broken(text)

    @check("broker-66", requires="supports_partitions")
    async def test_order_of_keys(self, trial: Trial[Brokers[TMessage]]) -> None:
        """With partitions, the messages of each key are handled in order, one after the other."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial, act=_dawdle)
        await self.found(trial, broker, 4)
        messages = await self.publish_keyed(broker, self.many(500))
        member = await broker.subscribe(TOPIC, consumer, group=GROUP, partitions=4)
        await self.until_handled(messages, consumer)
        self.in_order(messages, consumer)
        self.once_each("what was handled", messages, consumer)
        await self.nothing_waits(trial, broker, [member], TOPIC, partitions=4)

    @check("broker-67", requires="supports_partitions")
    async def test_order_despite_failures(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Order is kept whatever fails in between, with several members."""
        broker = await self.broker(trial)
        brokers = [broker, await self.beside(trial, broker), await self.beside(trial, broker)]
        fails = trial.draw(st.lists(st.integers(0, 2), min_size=60, max_size=60))

        async def fail(seen: Seen[TMessage]) -> None:
            await asyncio.sleep(0)
            if seen.attempt <= fails[int(seen.headers["number"])]:
                raise Sorry

        consumers = [self.consumer(trial, name, fail) for name in "ABC"]
        members = [
            await each.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(partitions=3))
            for each, consumer in zip(brokers, consumers, strict=True)
        ]
        messages = self.some(len(fails))
        for number, message in enumerate(messages):
            await brokers[number % 3].publish(TOPIC, message, key=KEYS[number % 7], headers={"number": str(number)})
        await self.until_handled(messages, *consumers)
        self.in_order(messages, *consumers)
        await self.nothing_waits(trial, broker, members, TOPIC, partitions=3)

    @check("broker-68", requires="supports_partitions")
    async def test_failing_blocks_its_key(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A message that fails holds up those behind it in its partition, and no other partition."""
        broker, bad = await self.broker(trial), self.message(0)

        async def fail(seen: Seen[TMessage]) -> None:
            if seen.message == bad:
                raise Sorry

        consumer = self.consumer(trial, act=fail)
        long = 50 * self.patience
        member = await broker.subscribe(
            TOPIC, consumer, group=GROUP, partitions=8, max_deliveries=1000, retry_delay=long, retry_delay_max=long
        )
        await broker.publish(TOPIC, bad, key="bad")
        await self.until("the bad one has failed", lambda: consumer.seen)
        behind, others = self.some(5, first=1), self.some(40, first=6)
        await self.publish_all(broker, TOPIC, behind, key=lambda _: "bad")
        for number, message in enumerate(others):
            await broker.publish(TOPIC, message, key=f"good-{number}")
        # Some of the others share the partition of the bad one: about an eighth, and never half of them.
        await self.until("the others are handled", lambda: len(consumer.handled) >= 20)
        expect("what was handled of those behind", [each for each in consumer.messages if each in behind], [])
        await member.unsubscribe()
        well = self.consumer(trial, "the well")
        await broker.subscribe(TOPIC, well, group=GROUP, partitions=8)
        await self.until_handled([bad, *behind], well)
        got = [each for each in well.messages if each == bad or each in behind]
        expect("what was held up, in order", got, [bad, *behind])

    @check("broker-69", requires="supports_partitions")
    async def test_dead_letter_frees_the_key(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A message that becomes a dead letter holds up its key no more."""
        broker, messages = await self.broker(trial), self.some(6)

        async def fail(seen: Seen[TMessage]) -> None:
            if seen.message in messages[:2]:
                raise Sorry

        consumer = self.consumer(trial, act=fail)
        await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(partitions=2, max_deliveries=2))
        await self.publish_all(broker, TOPIC, messages, key=lambda _: "ada")
        await self.until_handled(messages[2:], consumer)
        first, second = messages[:2]
        expect("what was handled, in order", consumer.messages, [first, first, second, second, *messages[2:]])
        letters = [letter.message for letter in await self.letters(trial, broker).peek()]
        expect("the dead letters", letters, messages[:2])

    @check("broker-70", requires="supports_partitions")
    async def test_taken_over(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The partitions of a member that leaves go to the others, and order is kept."""
        broker = await self.broker(trial)
        other = await self.beside(trial, broker)
        first, second = self.consumer(trial, "the first", _dawdle), self.consumer(trial, "the second", _dawdle)
        await self.found(trial, broker, 4)
        messages = await self.publish_keyed(broker, self.many(200))
        member = await broker.subscribe(TOPIC, first, group=GROUP, partitions=4)
        await other.subscribe(TOPIC, second, group=GROUP, partitions=4)
        await self.until("some are handled", lambda: len(first.handled) + len(second.handled) >= 10)
        await member.unsubscribe()
        messages += await self.publish_keyed(other, 50, first=len(messages))
        await self.until_handled(messages, first, second)
        self.in_order(messages, first, second)
        self.once_each("what was handled", messages, first, second)
        await self.nothing_waits_of_partitions(trial, other, 4)

    async def nothing_waits_of_partitions(
        self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage], partitions: int
    ) -> None:
        """See that who joins the group now is given nothing old."""
        last = self.consumer(trial, "the last")
        member = await broker.subscribe(TOPIC, last, group=GROUP, partitions=partitions)
        await member.unsubscribe()
        expect("what the last was given", last.messages, [])

    @check("broker-71", requires="supports_partitions can_lose_member shares_engine")
    async def test_taken_over_from_the_lost(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The partitions of a member that is lost go to the others after the lease, and order is kept."""
        broker, other = await self.broker(trial, "A"), await self.broker(trial, "B")
        lease = 3 * self.tick
        stuck = asyncio.Event()

        async def get_stuck(seen: Seen[TMessage]) -> None:
            if int(seen.headers["number"]) >= 10:
                await stuck.wait()

        first, second = self.consumer(trial, "the lost", get_stuck), self.consumer(trial, "the heir")
        await broker.subscribe(TOPIC, first, group=GROUP, partitions=4, lease=lease)
        messages = self.some(50)
        for number, message in enumerate(messages):
            await broker.publish(TOPIC, message, key=KEYS[number % 10], headers={"number": str(number)})
        await self.until("it is stuck", lambda: first.running and len(first.handled) == 10)
        await other.subscribe(TOPIC, second, group=GROUP, partitions=4, lease=lease)
        trial.history.note("A is lost")
        await trial.raw.lose(self.unwrapped(broker))
        await self.until_handled(messages[10:], second)
        self.in_order(messages, second)
        late = [each for each in second.messages if each in messages[10:]]
        expect("how many the heir has handled of those that were not", len(late), 40)

    @check("broker-72", requires="supports_partitions")
    async def test_partitions_run_at_once(self, trial: Trial[Brokers[TMessage]]) -> None:
        """One handler runs for each partition at a time; messages without a key are spread over all of them."""
        broker, messages = await self.broker(trial), self.some(40)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        consumer = self.consumer(trial, act=wait)
        await broker.subscribe(TOPIC, consumer, group=GROUP, partitions=3)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("a handler runs in each", lambda: consumer.running == 3)
        gate.set()
        await self.until_handled(messages, consumer)
        expect("how many ran at once", consumer.most, 3)
        self.once_each("what was handled", messages, consumer)

    @check("broker-100", requires="supports_partitions")
    async def test_one_at_a_time(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Where others wait for a partition behind the member that has it, each message is handled as it comes."""
        broker = await self.broker(trial)
        consumers = [self.consumer(trial, name) for name in "ABC"]
        for consumer in consumers:
            await broker.subscribe(TOPIC, consumer, group=GROUP, partitions=1)
        for message in self.some(6):
            await broker.publish(TOPIC, message, key=KEYS[0])
            await self.until_handled([message], *consumers)


async def _dawdle(seen: Seen[Any]) -> None:
    await asyncio.sleep(sum(seen.id.encode()) % 3 * 0.001)
