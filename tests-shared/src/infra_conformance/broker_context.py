"""What a broker promises of what goes with a message: its delivery, its headers, and whose work it is part of."""

from datetime import datetime, timedelta
from typing import Any, Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.context import correlation_id
from infra_protocols.errors import ValidationError
from infra_protocols.messaging import Header, MessageBroker, delivery

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
SPAN: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_SPAN: Final = "00-1bf7651916cd43dd8448eb211c80319c-c8ad6b7169203331-01"
STATE: Final = "vendor=1"


class ContextChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of what handlers are told beside the message.

    Type parameters:
        TMessage: the messages.
    """

    async def arrives(
        self, trial: Trial[Brokers[TMessage]], broker: MessageBroker[TMessage], *publishing: dict[str, Any]
    ) -> list[Seen[TMessage]]:
        """Publish once for each of `publishing`, on the topic, and return what a handler sees of it."""
        consumer = self.consumer(trial)
        subscription = await broker.subscribe(TOPIC, consumer)
        for number, options in enumerate(publishing):
            await broker.publish(TOPIC, self.message(number), **options)
        await self.until("all are handled", lambda: len(consumer.handled) == len(publishing))
        await subscription.unsubscribe()
        return consumer.seen

    @check("broker-34")
    async def test_delivery(self, trial: Trial[Brokers[TMessage]]) -> None:
        """While a handler runs, `delivery` tells it the id, topic, key, headers, group and attempt of its message."""
        broker = await self.broker(trial)
        grouped, alone = self.consumer(trial, "grouped"), self.consumer(trial, "alone")
        await broker.subscribe("orders.*", grouped, group=GROUP)
        await broker.subscribe(TOPIC, alone)
        first = await broker.publish(TOPIC, self.message(1), key="ada", headers={"tenant": "acme"})
        second = await broker.publish(TOPIC, self.message(2), id="my-own/id:2")
        expect("the id that publish returns, of one given", second, "my-own/id:2")
        for consumer, group in ((grouped, GROUP), (alone, None)):
            await self.until_handled(self.some(2, first=1), consumer)
            expect("calls without a delivery", consumer.strays, 0)
            told = [(seen.id, seen.topic, seen.key, seen.group, seen.attempt) for seen in consumer.seen]
            want = [(first, TOPIC, "ada", group, 1), (second, TOPIC, None, group, 1)]
            expect("id, topic, key, group, attempt, of both", told, want)
            headers = [seen.headers.get("tenant") for seen in consumer.seen]
            expect("the header, of both", headers, ["acme", None])
        expect("delivery outside of a handler", delivery.get(), None)

    @check("broker-35")
    async def test_headers(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Headers arrive as they were when the message was published."""
        broker = await self.broker(trial)
        headers = {"empty": "", "long": "x" * 4096, "text": "ä, \U0001f600; =\"'\\", "n-0": "a  b", "0": "0"}
        given = dict(headers)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer)
        await broker.publish(TOPIC, self.message(1), headers=given)
        given.clear()
        await self.until_handled([self.message(1)], consumer)
        seen = consumer.seen[0].headers
        expect("the headers", {name: seen.get(name) for name in headers}, headers)

    @check("broker-36")
    async def test_correlation(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The correlation id of who publishes is that of the handler, and of nobody else's message."""
        broker = await self.broker(trial)
        token = correlation_id.set("of-the-subscriber")
        consumer = self.consumer(trial, act=_set_correlation)
        await broker.subscribe(TOPIC, consumer, **self.prompt())
        correlation_id.reset(token)
        name = Header.CORRELATION_ID.value
        for number, id in enumerate(("req-1", None, "req-2", None)):
            token = correlation_id.set(id)
            await broker.publish(TOPIC, self.message(number))
            correlation_id.reset(token)
        token = correlation_id.set("not-this")
        await broker.publish(TOPIC, self.message(4), headers={name: "req-3"})
        correlation_id.reset(token)
        await self.until_handled(self.some(5), consumer)
        want = ["req-1", None, "req-2", None, "req-3"]
        expect("correlation_id in the handler", [seen.correlation for seen in consumer.seen], want)
        expect("the header", [seen.headers.get(name) for seen in consumer.seen], want)

    @check("broker-37")
    async def test_chain(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What a handler publishes carries on the correlation id and the trace of what it handles, or what it says."""
        broker = await self.broker(trial)

        async def pass_on(seen: Seen[TMessage]) -> None:
            own = {Header.TRACE_PARENT.value: OTHER_SPAN} if "own" in seen.headers else None
            await broker.publish("orders.next", seen.message, headers=own)

        await broker.subscribe(TOPIC, self.consumer(trial, "A", pass_on), group=GROUP)
        after = self.consumer(trial, "B")
        await broker.subscribe("orders.next", after, group=GROUP)
        trace = {Header.TRACE_PARENT.value: SPAN, Header.TRACE_STATE.value: STATE}
        token = correlation_id.set("req-1")
        await broker.publish(TOPIC, self.message(0), headers=trace)
        correlation_id.reset(token)
        await broker.publish(TOPIC, self.message(1), headers={**trace, "own": "1"})
        await broker.publish(TOPIC, self.message(2))
        await self.until_handled(self.some(3), after)
        expect("correlation_id", [seen.correlation for seen in after.seen], ["req-1", None, None])
        told = [tuple(seen.headers.get(name) for name in trace) for seen in after.seen]
        expect("traceparent and tracestate", told, [(SPAN, STATE), (OTHER_SPAN, None), (None, None)])
        expect("whether a header goes on that is no trace", ["own" in seen.headers for seen in after.seen], [False] * 3)

    @check("broker-38")
    async def test_cloud_events(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Each message has the attributes of CloudEvents 1.0; its source and type may be given."""
        broker = await self.broker(trial, source="urn:shop")
        began = trial.now()
        given = {Header.TYPE.value: "com.example.order", Header.SOURCE.value: "urn:else"}
        plain, told = await self.arrives(trial, broker, {}, {"headers": given})
        for seen, source, type in ((plain, "urn:shop", TOPIC), (told, "urn:else", "com.example.order")):
            expect("ce-specversion", seen.headers.get(Header.SPEC_VERSION.value), "1.0")
            expect("ce-id", seen.headers.get(Header.ID.value), seen.id)
            expect("ce-source", seen.headers.get(Header.SOURCE.value), source)
            expect("ce-type", seen.headers.get(Header.TYPE.value), type)
            time = datetime.fromisoformat(seen.headers[Header.TIME.value])
            expect("whether ce-time has an offset", time.tzinfo is not None, True)
            slack = timedelta(seconds=0.001)  # an engine may keep milliseconds
            expect("whether ce-time is when it was published", began - slack <= time <= trial.now() + slack, True)

    @check("broker-39")
    async def test_own_headers(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The headers that are the broker's own say the truth, whatever is given for them; or that is refused."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer)
        given = {Header.ID.value: "not-so", Header.SPEC_VERSION.value: "9"}
        try:
            id = await broker.publish(TOPIC, self.message(1), headers=given)
        except ValidationError:
            return
        await self.until_handled([self.message(1)], consumer)
        headers = consumer.seen[0].headers
        told = (headers.get(Header.ID.value), headers.get(Header.SPEC_VERSION.value))
        expect("ce-id and ce-specversion", told, (id, "1.0"))

    @check("broker-41")
    async def test_keys_and_ids(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Keys and ids arrive as they are, whatever text they are."""
        broker = await self.broker(trial)
        texts = ["a", "A", "a b", "a:b", "a.b", "*", "ä", "\U0001f600", "{a}", "x" * 190]
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer)
        for number, text in enumerate(texts):
            await broker.publish(TOPIC, self.message(number), key=text, id=f"id-{text}")
        await self.until_handled(self.some(len(texts)), consumer)
        told = [(seen.key, seen.id) for seen in consumer.seen]
        expect("key and id", told, [(text, f"id-{text}") for text in texts])

    @check("broker-40", requires="encodes")
    async def test_unencodable(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What is no message of the broker is refused, and not published."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer)
        wrong: Any = object()
        await refused("publish of what cannot be encoded", broker.publish(TOPIC, wrong), ValidationError)
        await self.only_the_newest(broker, TOPIC, consumer)


async def _set_correlation(_: Seen[Any]) -> None:
    # A handler may set what it likes: the next is not to find it.
    correlation_id.set("of-the-handler")
