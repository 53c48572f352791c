"""What a broker promises of its end: what runs finishes, what waits is given back, and nothing runs afterwards."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import BrokerClosedError
from infra_protocols.messaging import MessageBroker, Subscription

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"


class ClosingChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of opening and closing.

    Type parameters:
        TMessage: the messages.
    """

    @check("broker-58")
    async def test_not_open(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A broker that is not open yet, or is closed, refuses what needs its engine; closed it stays."""
        broker = await trial.raw.make()
        for _ in range(2):
            await self.refuses_all(trial, broker)
            await broker.open()
            await broker.open()
            consumer = self.consumer(trial)
            subscription = await broker.subscribe(TOPIC, consumer, group=GROUP)
            await self.only_the_newest(broker, TOPIC, consumer)
            await broker.close()
            await broker.close()
            await self.refuses_all(trial, broker)
            await refused("unsubscribe and forget", subscription.unsubscribe(forget=True), BrokerClosedError)
            await refused("open of a closed broker", broker.open(), BrokerClosedError)
            broker = await trial.raw.make()

    async def refuses_all(self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage]) -> None:
        """See that nothing can be done with `broker`."""
        await refused("publish", broker.publish(TOPIC, self.message(1)), BrokerClosedError)
        await refused("subscribe", broker.subscribe(TOPIC, self.consumer(trial)), BrokerClosedError)
        await refused("request", broker.request(TOPIC, self.message(1), timeout=self.tick), BrokerClosedError)

    @check("broker-59")
    async def test_running_finishes(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A close waits for the handlers that run; what they have handled is settled."""
        broker = await self.broker(trial)
        other = await self.beside(trial, broker)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        consumer = self.consumer(trial, act=wait)
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=3)
        await self.publish_all(broker, TOPIC, self.some(3))
        await self.until("three run", lambda: consumer.running == 3)
        closing = asyncio.ensure_future(self.end(broker, subscription))
        await trial.elapse(0.1 * self.tick)
        expect("whether close has ended while handlers run", closing.done(), False)
        gate.set()
        await closing
        expect("what was handled", sorted(map(repr, consumer.handled)), sorted(map(repr, self.some(3))))
        await self.left_is(trial, other, [])

    async def end(
        self, broker: MessageBroker[TMessage], subscription: Subscription, timeout: float | None = None
    ) -> None:
        """Close the broker; where there is but one, end the subscription in its stead."""
        if self.shares_engine:
            await (broker.close() if timeout is None else broker.close(timeout))
        else:
            await subscription.unsubscribe()

    async def left_is(
        self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage], messages: list[TMessage]
    ) -> None:
        """See that `messages` are what was left for the next member, at once and in whatever order, and no more."""
        heir = self.consumer(trial, "the heir")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await broker.subscribe(TOPIC, heir, group=GROUP)
        await self.until_handled(messages, heir)
        expect("whether the next has what was given back long before a lease ends", loop.time() < began + 30, True)
        self.once_each("what was left", messages, heir)
        await self.only_the_newest(broker, TOPIC, heir)

    @check("broker-60")
    async def test_waiting_is_given_back(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What waits in a broker that is closed is given back, and handled by another member at once."""
        broker, messages = await self.broker(trial), self.some(20)
        other = await self.beside(trial, broker)
        gate = asyncio.Event()

        async def wait(_: Seen[TMessage]) -> None:
            await gate.wait()

        consumer = self.consumer(trial, act=wait)
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, lease=60)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("one runs", lambda: consumer.running)
        closing = asyncio.ensure_future(self.end(broker, subscription))
        gate.set()
        await closing
        expect("what the first has handled, in order", consumer.handled, messages[: len(consumer.handled)])
        expect("what the first began and did not finish", len(consumer.seen) - len(consumer.handled), 0)
        await self.left_is(trial, other, messages[len(consumer.handled) :])

    @check("broker-61", requires="shares_engine")
    async def test_late_handlers(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Handlers that still run when the time of a close is over are cancelled, and their messages come again."""
        broker, messages = await self.broker(trial), self.some(3)
        other = await self.broker(trial)

        async def hang(_: Seen[TMessage]) -> None:
            await asyncio.Event().wait()

        consumer = self.consumer(trial, act=hang)
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=3, lease=60)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("three run", lambda: consumer.running == 3)
        await self.end(broker, subscription, 0.2 * self.tick)
        expect("how many run after the close", consumer.running, 0)
        cancelled = [isinstance(seen.error, asyncio.CancelledError) for seen in consumer.seen]
        expect("whether they were cancelled", cancelled, [True] * 3)
        await self.left_is(trial, other, messages)

    @check("broker-62", requires="shares_engine")
    async def test_closed_takes_nothing(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A broker that is closed takes nothing more, though its group gets more."""
        broker, other = await self.broker(trial), await self.broker(trial)
        first, alone, second = (self.consumer(trial, name) for name in ("the first", "who is alone", "the second"))
        await broker.subscribe(TOPIC, first, group=GROUP)
        await broker.subscribe(TOPIC, alone)
        await self.publish_all(broker, TOPIC, self.some(5))
        await self.until_handled(self.some(5), first)
        await self.until_handled(self.some(5), alone)
        await broker.close()
        await self.publish_all(other, TOPIC, self.some(5, first=5))
        await other.subscribe(TOPIC, second, group=GROUP)
        await self.until_handled(self.some(5, first=5), second)
        await self.only_the_newest(other, TOPIC, second)
        expect("what the first was given", first.messages, self.some(5))
        expect("what was given to who is alone", alone.messages, self.some(5))

    @check("broker-63", requires="shares_engine")
    async def test_closed_together(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Ten members that come and go at once leave the group as it should be: all that follows is kept."""
        brokers = [await self.broker(trial) for _ in range(10)]

        async def come_and_go(broker: MessageBroker[TMessage]) -> None:
            await broker.subscribe(TOPIC, self.consumer(trial), group=GROUP)
            await asyncio.gather(broker.close(), broker.close())

        await asyncio.gather(*map(come_and_go, brokers))
        broker = await self.broker(trial)
        messages = self.some(50)
        await self.publish_all(broker, TOPIC, messages)
        await broker.close()
        await self.left_is(trial, await self.broker(trial), messages)

    @check("broker-64", requires="shares_engine")
    async def test_close_while_publishing(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What publish has accepted is kept, also when the broker is closed just then; the rest is refused."""
        broker, other = await self.broker(trial), await self.broker(trial)
        await (await other.subscribe(TOPIC, self.consumer(trial, "nobody"), group=GROUP)).unsubscribe()
        half = asyncio.Event()
        accepted: list[TMessage] = []
        refusals: list[TMessage] = []

        async def publish(messages: list[TMessage]) -> None:
            for message in messages:
                try:
                    await broker.publish(TOPIC, message)
                    accepted.append(message)
                    if len(accepted) == len(messages) // 2:
                        half.set()
                except BrokerClosedError:
                    refusals.append(message)

        messages = self.some(self.many(1000))
        publishing = [asyncio.ensure_future(publish(messages[first::20])) for first in range(20)]
        await self.happens("half are accepted", half)
        await broker.close()
        await asyncio.gather(*publishing)
        expect("how many were accepted or refused", len(accepted) + len(refusals), len(messages))
        heir = self.consumer(trial, "the heir")
        await other.subscribe(TOPIC, heir, group=GROUP)
        await self.until_handled(accepted, heir)

    @check("broker-65")
    async def test_time_to_close(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A close waits for handlers as long as it is told to, or as the broker was, and no longer than need be."""
        for told, made in ((2.0, 50.0), (None, 3.0), (0.0, 50.0)):
            broker = await self.broker(trial, close_timeout=made * self.tick)

            async def hang(_: Seen[TMessage]) -> None:
                await asyncio.Event().wait()

            consumer = self.consumer(trial, act=hang)
            await broker.subscribe(TOPIC, consumer)
            await broker.publish(TOPIC, self.message(1))
            await self.until("the handler runs", lambda: consumer.running)  # noqa: B023
            loop = asyncio.get_running_loop()
            began = loop.time()
            await broker.close(None if told is None else told * self.tick)
            took = loop.time() - began
            want = (made if told is None else told) * self.tick
            in_time = took >= want - self.slack and took <= want + (20 if self.real_time else self.slack)
            expect(f"whether close({told}) takes its time, and no more", in_time, True)
            expect("how many handlers run", consumer.running, 0)
        broker = await self.broker(trial, close_timeout=1000 * self.tick)
        await broker.subscribe(TOPIC, self.consumer(trial))
        await self.ends_soon(broker.close())

    async def ends_soon(self, call: Awaitable[None]) -> None:
        """See that `call` ends long before `patience` does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await call
        expect("whether a close with nothing to wait for ends soon", loop.time() - began < self.patience / 2, True)
