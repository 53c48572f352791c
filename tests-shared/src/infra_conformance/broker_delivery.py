"""What a broker promises of each message: it is handled until a handler has returned, and then no more."""

import asyncio
import inspect
from itertools import pairwise
from typing import Any, Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen, Sorry, failing
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import BrokerUnavailableError
from infra_protocols.messaging import MessageBroker

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
METHODS: Final = ("open", "close", "publish", "subscribe", "request")


class DeliveryChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of what becomes of messages, one by one.

    Type parameters:
        TMessage: the messages.
    """

    @check("broker-01", validates="10.5")
    async def test_it_is_a_broker(self, trial: Trial[Brokers[TMessage]]) -> None:
        """It has the methods of a MessageBroker, as coroutine functions."""
        broker: Any = self.unwrapped(await self.broker(trial))
        expect("isinstance(subject, MessageBroker)", isinstance(broker, MessageBroker), True)
        for name in METHODS:
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(getattr(broker, name)), True)

    @check("broker-02", validates="10.5")
    async def test_all_arrive(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Each message arrives once, as it was published, with its headers, and then waits no more."""
        broker, messages = await self.broker(trial), self.some(self.many(100))
        consumer = self.consumer(trial)
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP)
        ids = [
            await broker.publish(TOPIC, message, headers={"number": str(number)})
            for number, message in enumerate(messages)
        ]
        await self.until_handled(messages, consumer)
        self.once_each("what arrived", messages, consumer)
        expect("how many ids there are", len(set(ids)), len(messages))
        sent = {id: (message, str(number)) for number, (id, message) in enumerate(zip(ids, messages, strict=True))}
        for seen in consumer.seen:
            expect("the message and its header, by its id", (seen.message, seen.headers["number"]), sent[seen.id])
        await self.nothing_waits(trial, broker, [subscription], TOPIC)

    @check("broker-03", validates="10.5")
    async def test_many_publishers(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Of what twenty publish at once nothing gets lost, and nothing comes twice."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=10)
        messages = self.some(self.many(10_000))
        await asyncio.gather(*(self.publish_all(broker, TOPIC, messages[first::20]) for first in range(20)))
        await self.until_handled(messages, consumer)
        self.once_each("what arrived", messages, consumer)

    @check("broker-04", validates="10.5")
    async def test_many_members(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Fifty members of a group, at five brokers, handle each of many messages once between them."""
        broker = await self.broker(trial)
        brokers = [broker, *[await self.beside(trial, broker) for _ in range(4)]]
        consumers = [self.consumer(trial, f"H{number}") for number in range(50)]
        for number, consumer in enumerate(consumers):
            await brokers[number % 5].subscribe("orders.*", consumer, group=GROUP, prefetch=10)
        messages = self.some(self.many(5000))
        await asyncio.gather(
            *(self.publish_all(brokers[part % 5], f"orders.{part}", messages[part::10]) for part in range(10))
        )
        await self.until_handled(messages, *consumers)
        self.once_each("what arrived", messages, *consumers)

    @check("broker-05")
    async def test_order_of_one_member(self, trial: Trial[Brokers[TMessage]]) -> None:
        """One member that handles one message at a time begins them in the order in which they were published."""
        broker, messages = await self.broker(trial), self.some(self.many(1000))
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        expect("what arrived, in order", consumer.messages, messages)
        expect("how many ran at once", consumer.most, 1)

    @check("broker-06")
    async def test_resend(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A message whose handler raises is delivered again, each time with one more attempt, until it returns."""
        broker, messages = await self.broker(trial), self.some(self.many(100))
        consumer = self.consumer(trial, act=failing(2))
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(concurrency=5))
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        for message in messages:
            tries = consumer.tries(message)
            expect("the attempts of a message", [seen.attempt for seen in tries], [1, 2, 3])
            expect("how many ids it had", len({seen.id for seen in tries}), 1)
        await self.nothing_waits(trial, broker, [subscription], TOPIC)
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @check("broker-07")
    async def test_backoff(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The wait before a delivery is anything up to a bound, which doubles up to a bound of its own."""
        broker, messages = await self.broker(trial), self.some(60)
        consumer = self.consumer(trial, act=failing(4))
        await broker.subscribe(
            TOPIC, consumer, group=GROUP, concurrency=60, retry_delay=self.tick, retry_delay_max=3 * self.tick
        )
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        for number, bound in enumerate((1.0, 2.0, 3.0, 3.0)):
            waits: list[float] = []
            for message in messages:
                before, after = list(pairwise(consumer.tries(message)))[number]
                waits.append((after.began - (before.ended or before.began)) / self.tick)
            name = f"wait number {number + 1}, of up to {bound:g} ticks"
            self.is_spread(name, waits, bound)

    def is_spread(self, what: str, waits: list[float], bound: float) -> None:
        """See that waits look like full jitter; where time is real, they may be longer."""
        mean = sum(waits) / len(waits)
        slack = self.slack / self.tick
        # The mean of so many is less than half of its distance from these bounds in all but one of 10^10 runs.
        fits = 0.25 * bound <= mean and max(waits) - min(waits) > 0.3 * bound
        if not self.real_time:
            fits = fits and mean <= 0.75 * bound and max(waits) <= bound + slack
        if not fits:
            text = ConformanceMessages.BROKER_WAITS.format(what=what, least=min(waits), most=max(waits), mean=mean)
            raise Broken(text)

    @check("broker-08", requires="can_lose_member shares_engine")
    async def test_not_settled_before(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What a member was handling when it was lost goes to another after the lease, and is not settled before."""
        broker, message = await self.broker(trial, "A"), self.message(1)
        lease = 3 * self.tick

        async def hang(_: Seen[TMessage]) -> None:
            await asyncio.Event().wait()

        lost = self.consumer(trial, "the lost", hang)
        await broker.subscribe(TOPIC, lost, group=GROUP, lease=lease)
        await broker.publish(TOPIC, message)
        await self.until("the message is being handled", lambda: lost.seen)
        other = await self.broker(trial, "B")
        heir = self.consumer(trial, "the heir")
        subscription = await other.subscribe(TOPIC, heir, group=GROUP, lease=lease)
        trial.history.note("A is lost")
        await trial.raw.lose(self.unwrapped(broker))
        await self.until_handled([message], heir)
        expect("whether it counts as a further attempt", heir.seen[0].attempt >= 2, True)
        await self.nothing_waits(trial, other, [subscription], TOPIC)

    @check("broker-09", requires="shares_engine")
    async def test_lease_is_renewed(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What is handled for longer than the lease, by a member that lives, goes to no other."""
        broker, message = await self.broker(trial, "A"), self.message(1)
        lease = max(2 * self.tick, 2.0) if self.real_time else 2 * self.tick

        async def take_long(_: Seen[TMessage]) -> None:
            await asyncio.sleep(3 * lease)

        slow = self.consumer(trial, "the slow", take_long)
        await broker.subscribe(TOPIC, slow, group=GROUP, lease=lease)
        await broker.publish(TOPIC, message)
        await self.until("the message is being handled", lambda: slow.seen)
        idle = self.consumer(trial, "the idle")
        await (await self.broker(trial, "B")).subscribe(TOPIC, idle, group=GROUP, lease=lease)
        await self.until_handled([message], slow, idle)
        self.once_each("what was handled", [message], slow, idle)

    @check("broker-10")
    async def test_continue_after_errors(self, trial: Trial[Brokers[TMessage]]) -> None:
        """However many members fail on what they take, and leave, the next has it all."""
        broker, messages = await self.broker(trial), self.some(50)
        first = await broker.subscribe(TOPIC, self.consumer(trial), group=GROUP)
        await first.unsubscribe()
        await self.publish_all(broker, TOPIC, messages)
        for number in range(3):
            consumer = self.consumer(trial, f"H{number}", failing(1_000_000))
            member = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(max_deliveries=1_000_000))
            await self.until("it has failed often", lambda: len(consumer.seen) >= self.many(100))  # noqa: B023
            await member.unsubscribe()
        last = self.consumer(trial, "the last")
        await broker.subscribe(TOPIC, last, group=GROUP, **self.prompt(max_deliveries=1_000_000))
        await self.until_handled(messages, last)
        self.once_each("what the last was given", messages, last)
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @check("broker-11")
    async def test_failures_hold_up_nobody(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Messages that wait to be delivered again hold up no others, also where one is handled at a time."""
        broker, bad, good = await self.broker(trial), self.some(8), self.some(20, first=8)

        async def fail(seen: Seen[TMessage]) -> None:
            if seen.message in bad:
                raise Sorry

        consumer = self.consumer(trial, act=fail)
        subscription = await broker.subscribe(
            TOPIC,
            consumer,
            group=GROUP,
            max_deliveries=1_000_000,
            retry_delay=self.patience,
            retry_delay_max=self.patience,
        )
        await self.publish_all(broker, TOPIC, [*bad, *good])
        await self.until_handled(good, consumer)
        await subscription.unsubscribe(forget=True)

    @check("broker-12")
    async def test_handler_cancels_itself(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A handler that ends in CancelledError, though nobody has cancelled it, has failed like any other."""
        broker, messages = await self.broker(trial), self.some(2)
        consumer = self.consumer(trial, act=failing(1, asyncio.CancelledError))
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt())
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        for message in messages:
            expect("the attempts", [seen.attempt for seen in consumer.tries(message)], [1, 2])
        await self.nothing_waits(trial, broker, [subscription], TOPIC)

    @check("broker-101")
    async def test_handler_cancels_its_task(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A handler that cancels the task it runs in has failed, and others are called all the same."""
        broker, messages = await self.broker(trial), self.some(4)

        async def cancel(seen: Seen[TMessage]) -> None:
            if seen.message == messages[0] and seen.attempt == 1:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)

        consumer = self.consumer(trial, act=cancel)
        subscription = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt())
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, consumer)
        expect("the attempts", [seen.attempt for seen in consumer.tries(messages[0])], [1, 2])
        await self.nothing_waits(trial, broker, [subscription], TOPIC)

    @check("broker-13")
    async def test_coming_and_going(self, trial: Trial[Brokers[TMessage]]) -> None:
        """While many messages are published, some of them fail, and members come and go, each is handled once."""
        broker = await self.broker(trial)
        brokers = [broker, await self.beside(trial, broker), await self.beside(trial, broker)]
        messages = self.some(self.many(3000))
        consumers = [self.consumer(trial, f"H{number}", _fail_at_times) for number in range(9)]
        options = self.prompt(prefetch=20, concurrency=4)
        await brokers[0].subscribe(TOPIC, consumers[0], group=GROUP, **options)

        async def come_and_go(number: int) -> None:
            for round in range(4):
                consumer = consumers[1 + 2 * round + number]
                member = await brokers[1 + number].subscribe(TOPIC, consumer, group=GROUP, **options)
                most = len(messages) // 20
                await self.until("it has some, or all is done", lambda: len(consumer.seen) > most or done())  # noqa: B023
                await member.unsubscribe()

        def done() -> bool:
            return sum(len(each.handled) for each in consumers) >= len(messages)

        await asyncio.gather(
            *(self.publish_all(brokers[part % 3], TOPIC, messages[part::6]) for part in range(6)),
            *(come_and_go(number) for number in range(2)),
        )
        await self.until_handled(messages, *consumers)
        handled = [message for each in consumers for message in each.handled]
        expect("how many were handled", len(handled), len(messages))
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @check("broker-14", requires="can_cut")
    async def test_connects_again(self, trial: Trial[Brokers[TMessage]]) -> None:
        """After its connection broke, a broker connects again: its subscriptions go on, and nothing is lost."""
        broker, messages = await self.broker(trial), self.some(30)
        grouped, alone = self.consumer(trial, "grouped"), self.consumer(trial, "alone")
        options = self.prompt(lease=max(3 * self.tick, 2.0) if self.real_time else 3 * self.tick)
        await broker.subscribe(TOPIC, grouped, group=GROUP, **options)
        await broker.subscribe(TOPIC, alone, **options)
        await self.publish_all(broker, TOPIC, messages[:5])
        trial.history.note("the connection breaks")
        await trial.raw.cut(self.unwrapped(broker))
        for number, message in enumerate(messages[5:]):
            # It may take its time to find out; then it has to say so, and may be asked again.
            while not await self.accepts(broker, message, f"id-{number}"):  # noqa: ASYNC110 # nobody tells when
                await asyncio.sleep(0.1 * self.tick)
        for consumer in (grouped, alone):
            await self.until_handled(messages, consumer)

    async def accepts(self, broker: MessageBroker[TMessage], message: TMessage, id: str) -> bool:
        """Publish, and say whether the engine has answered."""
        try:
            await broker.publish(TOPIC, message, id=id)
        except BrokerUnavailableError:
            return False
        return True


async def _fail_at_times(seen: Seen[Any]) -> None:
    await asyncio.sleep(0)
    if seen.attempt == 1 and sum(seen.id.encode()) % 7 == 0:
        raise Sorry
