"""What a broker promises of calls that are cancelled, wherever they are: no message is lost, and none is stuck."""

import asyncio
from typing import Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Consumer, Seen
from infra_conformance.broker_letters import LetterChecks
from infra_conformance.proof import swept
from infra_conformance.trial import Trial, expect, expect_one_of, refused
from infra_protocols.errors import BrokerClosedError
from infra_protocols.messaging import MessageBroker
from infra_result import Ok

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"


class CancelChecks[TMessage](LetterChecks[TMessage], BrokerChecks[TMessage]):
    """
    The checks of calls that are cancelled at each point where they wait.

    Type parameters:
        TMessage: the messages.
    """

    @swept("broker-91")
    async def test_interrupted_publish(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A publish that is interrupted has published its message or has not, and takes no other with it."""
        broker, others = await self.broker(trial), self.some(3, first=1)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        beside = [asyncio.ensure_future(broker.publish(TOPIC, message)) for message in others]
        outcome = await trial.interrupt(broker.publish(TOPIC, self.message(0)))
        await asyncio.gather(*beside)
        await self.until_handled(others, consumer)
        await self.only_the_newest(broker, TOPIC, consumer)
        for message in others:
            expect("how often another message arrived", consumer.messages.count(message), 1)
        wanted = [1] if outcome.finished else [0, 1]
        expect_one_of("how often the message arrived", consumer.messages.count(self.message(0)), wanted)

    @swept("broker-92")
    async def test_interrupted_subscribe(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A subscribe that is interrupted leaves no member: who subscribes then gets everything."""
        broker, messages = await self.broker(trial), self.some(5)
        lost, found = self.consumer(trial, "the interrupted"), self.consumer(trial, "the next")
        outcome = await trial.interrupt(broker.subscribe(TOPIC, lost, group=GROUP, lease=3 * self.tick))
        if outcome.finished:
            await outcome.value.unsubscribe()
        await broker.subscribe(TOPIC, found, group=GROUP, lease=3 * self.tick)
        await self.publish_all(broker, TOPIC, messages)
        await self.until_handled(messages, found)
        self.once_each("what the next was given", messages, found)
        expect("what the interrupted was given", lost.messages, [])

    @swept("broker-93")
    async def test_interrupted_unsubscribe(self, trial: Trial[Brokers[TMessage]]) -> None:
        """An unsubscribe that is interrupted ends the subscription; what ran or waited there the next one has."""
        broker, messages = await self.broker(trial, close_timeout=0.5 * self.tick), self.some(6)
        consumer = self.consumer(trial, act=self.hang_at_third)
        member = await broker.subscribe(TOPIC, consumer, group=GROUP, lease=3 * self.tick)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("the third is being handled", lambda: len(consumer.seen) == 3)
        await trial.interrupt(member.unsubscribe())
        await trial.elapse(0.1 * self.tick)
        expect("active, and how many handlers run", (member.active, consumer.running), (False, 0))
        await self.rest_is_handled(trial, broker, consumer, messages)

    @swept("broker-94", requires="shares_engine")
    async def test_interrupted_close(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A close that is interrupted does no less than one whose time is over."""
        broker, messages = await self.broker(trial), self.some(6)
        other = await self.broker(trial)
        consumer = self.consumer(trial, act=self.hang_at_third)
        await broker.subscribe(TOPIC, consumer, group=GROUP, lease=3 * self.tick)
        await self.publish_all(broker, TOPIC, messages)
        await self.until("the third is being handled", lambda: len(consumer.seen) == 3)
        await trial.interrupt(broker.close(0.5 * self.tick))
        await trial.elapse(0.1 * self.tick)
        expect("how many handlers run", consumer.running, 0)
        await refused("publish afterwards", broker.publish(TOPIC, self.message(9)), BrokerClosedError)
        await self.rest_is_handled(trial, other, consumer, messages)

    async def hang_at_third(self, seen: Seen[TMessage]) -> None:
        """Return, but for the third message."""
        if seen.message == self.message(2):
            await asyncio.Event().wait()

    async def rest_is_handled(
        self,
        trial: Trial[Brokers[TMessage]],
        broker: MessageBroker[TMessage],
        consumer: Consumer[TMessage],
        messages: list[TMessage],
    ) -> None:
        """See that the next member has what `consumer` has not handled, which then is given nothing more."""
        count = len(consumer.seen)
        heir = self.consumer(trial, "the heir")
        await broker.subscribe(TOPIC, heir, group=GROUP, lease=3 * self.tick)
        await self.until_handled(messages[2:], heir)
        await self.only_the_newest(broker, TOPIC, heir)
        expect("what was given to who has left", consumer.messages[count:], [])

    @swept("broker-95")
    async def test_interrupted_request(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A request that is interrupted leaves nothing that would disturb the next."""
        broker = await self.broker(trial)

        async def echo(seen: Seen[TMessage]) -> TMessage:
            return seen.message

        consumer = self.consumer(trial, act=echo)
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        await trial.interrupt(broker.request(TOPIC, self.message(1), timeout=self.patience))
        answer = await broker.request(TOPIC, self.message(2), timeout=self.patience)
        expect("the reply to the next", answer, Ok(self.message(2)))
        expect_one_of("how often the first was handled", consumer.messages.count(self.message(1)), [0, 1])
        expect("dead letters", await self.letters(trial, broker).peek(), [])

    @swept("broker-96")
    async def test_interrupted_replay(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A replay that is interrupted loses nothing: the letter is there, or its message is delivered."""
        broker, message = await self.broker(trial), self.message(1)
        (letter,), _ = await self.dead(trial, broker, [message])
        letters, consumer = self.letters(trial, broker), self.consumer(trial)
        outcome = await trial.interrupt(letters.replay(letter.id))
        left = [each.message for each in await letters.peek()]
        await broker.subscribe(TOPIC, consumer, group=GROUP)
        if outcome.finished:
            expect("what is left after a replay", (outcome.value, left), (True, list[TMessage]()))
        if not left:
            await self.until_handled([message], consumer)
