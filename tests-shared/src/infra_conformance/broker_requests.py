"""What a broker promises of requests: each has its own reply, or is told why not, in time."""

import asyncio
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen, failing
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect, refused
from infra_protocols.errors import BrokerClosedError, MessagingError, RequestFailedError, RequestTimeoutError
from infra_result import Ok, Result

TOPIC: Final = "prices.ask"
GROUP: Final = "prices"


class RequestChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of requests and replies.

    Type parameters:
        TMessage: the messages.
    """

    async def echo(self, seen: Seen[TMessage]) -> TMessage:
        """Reply with the message itself."""
        return seen.message

    def is_err(self, what: str, answer: Result[TMessage, MessagingError], error: type[MessagingError]) -> None:
        """See that `answer` is an `Err` with an `error`."""
        if answer.is_ok():
            raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=error.__name__))
        refusal = answer.unwrap_err()
        if not isinstance(refusal, error):
            message = ConformanceMessages.WRONG_REFUSAL.format(
                what=what, expected=error.__name__, kind=type(refusal).__name__, text=refusal
            )
            raise Broken(message)

    @check("broker-83")
    async def test_reply(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What a handler returns is what the request returns, be the handler at this broker or at another."""
        broker = await self.broker(trial)
        other = await self.beside(trial, broker)

        async def price(seen: Seen[TMessage]) -> TMessage:
            return self.message(100 + int(seen.headers["number"]))

        consumer = self.consumer(trial, act=price)
        member = await other.subscribe(TOPIC, consumer, group=GROUP)
        for number, each in enumerate((broker, other)):
            answer = await each.request(
                TOPIC, self.message(number), timeout=self.patience, key="ada", headers={"number": str(number)}
            )
            expect("the reply", answer, Ok(self.message(100 + number)))
        expect("the key of the requests", [seen.key for seen in consumer.seen], ["ada", "ada"])
        await self.nothing_waits(trial, broker, [member], TOPIC)

    @check("broker-84")
    async def test_no_reply(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A request that nobody takes, or that a handler returns None to, ends when its time is over."""
        broker = await self.broker(trial)
        seconds = 3 * self.tick
        await self.lasts(broker.request("nobody.there", self.message(0), timeout=seconds), seconds)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        await self.lasts(broker.request(TOPIC, self.message(1), timeout=seconds), seconds)
        expect("what was handled", consumer.handled, [self.message(1)])

    async def lasts(self, request: Any, seconds: float) -> None:
        """See that a request ends without a reply after so many seconds; where time is real, it may take longer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.is_err("a request to which nobody replies", await request, RequestTimeoutError)
        took = loop.time() - began
        in_time = took >= seconds - self.slack and (self.real_time or took <= seconds + self.slack)
        expect("whether it took its time, and no more", in_time, True)

    @check("broker-85")
    async def test_failed(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A request that becomes a dead letter has failed, and its sender is told so before its time is over."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial, act=failing(1_000_000))
        await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(max_deliveries=2))
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await broker.request(TOPIC, self.message(1), timeout=10 * self.patience)
        self.is_err("a request that cannot be handled", answer, RequestFailedError)
        expect("whether it was told early", loop.time() - began < 5 * self.patience, True)
        expect("how often it was delivered", len(consumer.seen), 2)
        letters = [letter.message for letter in await self.letters(trial, broker).peek()]
        expect("the dead letters", letters, [self.message(1)])

    @check("broker-86")
    async def test_reply_after_failure(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A request whose handler fails at first is delivered again, and replied to then."""
        broker = await self.broker(trial)

        async def fail_first(seen: Seen[TMessage]) -> TMessage:
            await failing(1)(seen)
            return seen.message

        consumer = self.consumer(trial, act=fail_first)
        await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt())
        answer = await broker.request(TOPIC, self.message(1), timeout=self.patience)
        expect("the reply", answer, Ok(self.message(1)))
        expect("how often it was delivered", len(consumer.seen), 2)

    @check("broker-87")
    async def test_own_replies(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Of many requests at once, from several brokers, each has its own reply, in whatever order these come."""
        broker = await self.broker(trial)
        brokers = [broker, await self.beside(trial, broker)]
        turns = trial.draw(st.lists(st.integers(0, 5), min_size=20, max_size=20))

        async def dawdle(seen: Seen[TMessage]) -> TMessage:
            await asyncio.sleep(turns[int(seen.headers["number"])] * 0.01 * self.tick)
            return seen.message

        await broker.subscribe(TOPIC, self.consumer(trial, act=dawdle), group=GROUP, concurrency=20)
        answers = await asyncio.gather(
            *(
                brokers[number % 2].request(
                    TOPIC, self.message(number), timeout=self.patience, headers={"number": str(number)}
                )
                for number in range(len(turns))
            )
        )
        expect("the replies", answers, [Ok(message) for message in self.some(len(turns))])

    @check("broker-88")
    async def test_late_reply(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A reply that comes too late is nobody's: not that of the next request, and no dead letter."""
        broker = await self.broker(trial)
        first, second = asyncio.Event(), asyncio.Event()

        async def wait(seen: Seen[TMessage]) -> TMessage:
            await (first if seen.message == self.message(1) else second).wait()
            return seen.message

        consumer = self.consumer(trial, act=wait)
        await broker.subscribe(TOPIC, consumer, group=GROUP, concurrency=2)
        answer = await broker.request(TOPIC, self.message(1), timeout=self.tick)
        self.is_err("a request whose reply is late", answer, RequestTimeoutError)
        asking = asyncio.ensure_future(broker.request(TOPIC, self.message(2), timeout=10 * self.patience))
        await self.until("both are being handled", lambda: consumer.running == 2)
        first.set()
        await self.until_handled([self.message(1)], consumer)
        await trial.elapse(0.1 * self.tick)
        second.set()
        expect("the reply to the next", await asking, Ok(self.message(2)))
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @check("broker-99")
    async def test_first_reply(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Of several replies to a request the first is its own, and the others are nobody's."""
        broker = await self.broker(trial)
        gate = asyncio.Event()

        async def reply_late(_: Seen[TMessage]) -> TMessage:
            await gate.wait()
            return self.message(9)

        early, late = self.consumer(trial, "the early", self.echo), self.consumer(trial, "the late", reply_late)
        await broker.subscribe(TOPIC, early, group="early")
        await broker.subscribe(TOPIC, late, group="late")
        answer = await broker.request(TOPIC, self.message(1), timeout=self.patience)
        expect("the reply", answer, Ok(self.message(1)))
        gate.set()
        await self.until_handled([self.message(1)], late)
        answer = await broker.request("prices.next", self.message(2), timeout=self.tick)
        self.is_err("a request that nobody takes", answer, RequestTimeoutError)
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @check("broker-89")
    async def test_close_while_waiting(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A broker that is closed ends the requests that wait, with a BrokerClosedError."""
        broker = await self.broker(trial)

        async def hang(_: Seen[TMessage]) -> TMessage:
            await asyncio.Event().wait()
            raise AssertionError

        consumer = self.consumer(trial, act=hang)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        asking = asyncio.ensure_future(broker.request(TOPIC, self.message(1), timeout=10 * self.patience))
        await self.until("the request is being handled", lambda: consumer.running)
        await broker.close(0)
        await self.until("the request has ended", asking.done)
        await refused("a request when its broker was closed", asking, BrokerClosedError)

    @check("broker-90")
    async def test_no_request(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What a handler returns for a message that is no request is thrown away."""
        broker = await self.broker(trial)
        consumer, everything = self.consumer(trial, act=self.echo), self.consumer(trial, "everything")
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        await broker.subscribe(">", everything)
        await self.publish_all(broker, TOPIC, self.some(3))
        for each in (consumer, everything):
            await self.until_handled(self.some(3), each)
        await self.only_the_newest(broker, TOPIC, everything)
        expect("what was published", everything.messages, [*self.some(3), self.message(999_999)])
