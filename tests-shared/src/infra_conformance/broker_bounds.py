"""What a broker promises of bounds: how many messages are handled, held and kept at once, and ids that come twice."""

import asyncio
from typing import Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen, Sorry, failing
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import BacklogFullError

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"


class BoundChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of bounds.

    Type parameters:
        TMessage: the messages.
    """

    @check("broker-76")
    async def test_concurrency(self, trial: Trial[Brokers[TMessage]]) -> None:
        """So many handlers run at once as `concurrency` says, and no more."""
        broker, messages = await self.broker(trial), self.some(20)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        consumer = self.consumer(trial, act=wait)
        await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=3)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("three run", lambda: consumer.running == 3)
        await trial.elapse(0.2 * self.tick)
        gate.set()
        await self.until_handled(messages, consumer)
        expect("how many ran at once", consumer.most, 3)
        self.once_each("what was handled", messages, consumer)

    @check("broker-77")
    async def test_prefetch(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A slow member holds no more than `prefetch` messages; the others have the rest."""
        broker, messages = await self.broker(trial), self.some(20)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        slow, quick = self.consumer(trial, "the slow", wait), self.consumer(trial, "the quick")
        await broker.subscribe(TOPIC, slow, group=GROUP, prefetch=3)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("the slow one runs", lambda: slow.running)
        other = await self.beside(trial, broker)
        await other.subscribe(TOPIC, quick, group=GROUP, prefetch=3)
        await self.until("the quick one has all but three", lambda: len(quick.handled) >= 17)
        expect("how many the slow one was given", len(slow.seen), 1)
        gate.set()
        await self.until_handled(messages, slow, quick)
        self.once_each("what was handled", messages, slow, quick)

    @check("broker-78")
    async def test_prefetch_of_failing(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Messages that wait to be delivered again count as held."""
        broker, bad, good = await self.broker(trial), self.some(2), self.some(18, first=2)

        async def fail(seen: Seen[TMessage]) -> None:
            if seen.message in bad:
                raise Sorry

        full, other = self.consumer(trial, "the full", fail), self.consumer(trial, "the other")
        long = 50 * self.patience
        member = await broker.subscribe(
            TOPIC, full, group=GROUP, prefetch=2, max_deliveries=1000, retry_delay=long, retry_delay_max=long
        )
        await self.publish_all(broker, TOPIC, bad)
        await self.until("both have failed", lambda: len({repr(seen.message) for seen in full.seen}) == 2)
        await self.publish_all(broker, TOPIC, good)
        beside = await self.beside(trial, broker)
        await beside.subscribe(TOPIC, other, group=GROUP)
        await self.until_handled(good, other)
        await member.unsubscribe()
        await self.until_handled(bad, other)
        expect("whether the full one was given no others", [each for each in full.messages if each not in bad], [])

    @check("broker-79")
    async def test_failing_within_prefetch(self, trial: Trial[Brokers[TMessage]]) -> None:
        """More messages than `prefetch` may fail, and all are handled in the end."""
        broker, messages = await self.broker(trial), self.some(40)
        consumer = self.consumer(trial, act=failing(2))
        member = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(prefetch=3, concurrency=2))
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        expect("whether no more ran at once than may", consumer.most <= 2, True)
        await self.nothing_waits(trial, broker, [member], TOPIC)

    @check("broker-80", requires="can_fill")
    async def test_backlog(self, trial: Trial[Brokers[TMessage]]) -> None:
        """While too much waits for a group, publish refuses; what was taken is kept, and what was not comes never."""
        broker, messages = await self.broker(trial, max_backlog=5), self.some(5)
        await (await broker.subscribe(TOPIC, self.consumer(trial, "nobody"), group=GROUP)).unsubscribe()
        await self.publish_all(broker, TOPIC, messages)
        for number in (6, 7):
            await refused("publish to a full group", broker.publish(TOPIC, self.message(number)), BacklogFullError)
        await broker.publish("orders.old", self.message(8))
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        await self.until_handled(messages, consumer)

        async def has_room() -> bool:
            try:
                await broker.publish(TOPIC, self.message(9))
            except BacklogFullError:
                return False
            return True

        await self.until_told("there is room again", has_room)
        await self.until_handled([self.message(9)], consumer)
        self.once_each("what was handled", [*messages, self.message(9)], consumer)

    @check("broker-81", requires="can_fill")
    async def test_backlog_counts_unsettled(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What members hold and have not settled counts too, however many of them there are."""
        broker = await self.broker(trial, max_backlog=5)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        consumer = self.consumer(trial, act=wait)
        await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=5)
        await self.publish_all(broker, TOPIC, self.some(5))
        await self.until("five run", lambda: consumer.running == 5)
        await refused("publish to a full group", broker.publish(TOPIC, self.message(6)), BacklogFullError)
        gate.set()
        await self.until_handled(self.some(5), consumer)

    @check("broker-98", requires="can_fill")
    async def test_backpressure(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Who publishes faster than it is handled is held back: no more is unsettled than may be, and all is kept."""
        broker = await self.broker(trial, max_backlog=20)
        other = await self.beside(trial, broker)
        messages, accepted, most = self.some(self.many(500)), 0, 0

        async def dawdle(_: Seen[TMessage]) -> None:
            await asyncio.sleep(0.001)

        consumers = [self.consumer(trial, name, dawdle) for name in "AB"]
        for each, consumer in zip((broker, other), consumers, strict=True):
            await each.subscribe(TOPIC, consumer, group=GROUP, prefetch=5, concurrency=2)
        refusals = 0
        for message in messages:
            while True:
                try:
                    await broker.publish(TOPIC, message)
                except BacklogFullError:
                    refusals += 1
                    await asyncio.sleep(0.001)
                    continue
                break
            accepted += 1
            most = max(most, accepted - sum(len(consumer.handled) for consumer in consumers))
        await self.until_handled(messages, *consumers)
        self.once_each("what was handled", messages, *consumers)
        expect("whether it was never too much", most <= 20, True)
        if not self.real_time:
            expect("whether anything was refused", refusals > 0, True)

    @check("broker-82", requires="supports_deduplication")
    async def test_deduplication(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Of two messages with one id the second is dropped; messages that are only alike are not."""
        broker = await self.broker(trial)
        other = await self.beside(trial, broker)
        consumer = self.consumer(trial)
        await broker.subscribe("orders.*", consumer, group=GROUP)
        ids = ["a", "A", "a ", "aa", "ab", "ä", "a/b", "a.b"]
        ids = [id for id in ids if id == id.strip()]
        for id in ids:
            expect("the id that publish returns", await broker.publish(TOPIC, self.message(1), id=id), id)
        for id in ids:
            expect("the id that publish returns, again", await other.publish(TOPIC, self.message(1), id=id), id)
        for _ in range(3):
            await broker.publish(TOPIC, self.message(1))
        await self.until("all have arrived", lambda: len(consumer.handled) >= len(ids) + 3)
        await self.only_the_newest(broker, TOPIC, consumer)
        expect("the ids that arrived", [seen.id for seen in consumer.seen if seen.id in ids], ids)
        expect("how many arrived", len(consumer.seen), len(ids) + 4)
