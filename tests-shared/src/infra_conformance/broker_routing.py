"""What a broker promises of topics: a message goes where its topic says, and what is malformed goes nowhere."""

import math
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import ValidationError
from infra_protocols.messaging import topic_matches

WORDS: Final = ("a", "b", "ab", "A", "a-b", "_", "0")
ALIKE: Final = ("a", "ab", "A", "a.b", "a.bc", "a.B", "ab.c", "a.b.c", "a.b.c.d", "b.a", "a-b.c", "a_b.c", "a.0")
PATTERNS: Final = ("a", "a.b", "a.b.c", "*", ">", "a.*", "a.>", "*.b", "*.*", "*.>", "a.*.c", "a.b.>", "*.b.*", "ab.*")
MALFORMED: Final = ("", " ", ".", "a.", ".a", "a..b", "a b", "a.b\n", "ä", "a/b", "a:b", "a#", "a" * 201)
"""Neither topics nor patterns."""
NOT_TOPICS: Final = ("*", ">", "a.*", "a.>")
NOT_PATTERNS: Final = ("a*", "*a", "a.>.b", ">.a", "a>", "**", "a.#")


def topics() -> st.SearchStrategy[str]:
    """Return a strategy of topics that are easily taken for one another."""
    return st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(".".join)


def patterns() -> st.SearchStrategy[str]:
    """Return a strategy of patterns of the same words."""
    words = st.lists(st.sampled_from([*WORDS, "*", "*"]), max_size=3)
    return st.tuples(words, st.sampled_from([">", "*", *WORDS])).map(lambda parts: ".".join([*parts[0], parts[1]]))


class RoutingChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of topics and patterns.

    Type parameters:
        TMessage: the messages.
    """

    # **Feature: infrastructure-generics-review-2025, Property 14: Message Broker Topic Routing**
    # **Validates: Requirements 10.5**
    @check("broker-28", validates="10.5")
    async def test_topic_routing(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A message goes to every subscription whose pattern stands for its topic, and to no other."""
        await self.routes(
            trial,
            trial.draw(st.lists(patterns(), min_size=1, max_size=4)),
            trial.draw(st.lists(topics(), min_size=1, max_size=6)),
        )

    @check("broker-29", validates="10.5")
    async def test_neighbours(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Topics that look alike are not taken for one another, by any kind of pattern."""
        await self.routes(trial, list(PATTERNS), list(ALIKE))

    async def routes(self, trial: Trial[Brokers[TMessage]], patterns: list[str], topics: list[str]) -> None:
        """See that what is published on `topics` goes where `topic_matches` says."""
        broker = await self.broker(trial)
        consumers = [self.consumer(trial, f"{number}: {pattern}") for number, pattern in enumerate(patterns)]
        for pattern, consumer in zip(patterns, consumers, strict=True):
            await broker.subscribe(pattern, consumer)
        # After the last message for each pattern it has all that it will ever have: the order of one member is kept.
        published = topics + [pattern.replace("*", "x").replace(">", "x.y") for pattern in patterns]
        for number, topic in enumerate(published):
            await broker.publish(topic, self.message(number))
        for pattern, consumer in zip(patterns, consumers, strict=True):
            wanted = [number for number, topic in enumerate(published) if topic_matches(pattern, topic)]
            await self.until_handled([self.message(wanted[-1])], consumer)
            got = [(seen.topic, seen.message) for seen in consumer.seen]
            want = [(published[number], self.message(number)) for number in wanted]
            expect(f"what {pattern!r} was given", got, want)

    @check("broker-30", validates="10.5")
    async def test_malformed_topics(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What is no topic is refused by publish and request, what is no pattern by subscribe, naming the field."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(">", consumer)
        for topic in (*MALFORMED, *NOT_TOPICS, *NOT_PATTERNS, None, 7):
            wrong: Any = topic
            await self.refuses("topic", broker.publish(wrong, self.message(1)))
            await self.refuses("topic", broker.request(wrong, self.message(1), timeout=self.tick))
        for pattern in (*MALFORMED, *NOT_PATTERNS, None, 7):
            wrong = pattern
            await self.refuses("pattern", broker.subscribe(wrong, self.consumer(trial)))
        await self.only_the_newest(broker, "a", consumer)

    @check("broker-31")
    async def test_malformed_messages(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A malformed key, id or header is refused, naming the field, and nothing is published."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(">", consumer)
        message: TMessage = self.message(1)
        wrong: Any
        for wrong in ("", " ", 7):
            await self.refuses("key", broker.publish("a", message, key=wrong))
            await self.refuses("key", broker.request("a", message, timeout=self.tick, key=wrong))
            await self.refuses("id", broker.publish("a", message, id=wrong))
        for wrong in ("", "Name", "na me", "näme", "name\n", "x" * 65, 7):
            await self.refuses("headers", broker.publish("a", message, headers={wrong: "value"}))
        for wrong in ("a\nb", "a\x00", "\ud800", " a", "a ", "x" * 4097, 7):
            await self.refuses("headers.name", broker.publish("a", message, headers={"name": wrong}))
        for wrong in ("name", 7, [("name", "value")]):
            await self.refuses("headers", broker.publish("a", message, headers=wrong))
        await self.only_the_newest(broker, "a", consumer)

    @check("broker-32")
    async def test_malformed_options(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A malformed group, option or timeout is refused, naming the field, and nobody is subscribed."""
        broker = await self.broker(trial)
        consumer, wrong = self.consumer(trial), self.consumer(trial, "the refused")
        await broker.subscribe(">", consumer)
        options: list[tuple[str, Any]] = [
            *[("group", value) for value in ("", " ", 7)],
            *[("partitions", value) for value in (0, -1, 65, 1.5)],
            *[("concurrency", value) for value in (0, -1, 1.5)],
            *[("prefetch", value) for value in (0, -1, "1")],
            *[("max_deliveries", value) for value in (0, -1, math.inf)],
            *[("lease", value) for value in (0, -1, math.nan, math.inf)],
            *[("retry_delay", value) for value in (-1, math.nan)],
            *[("retry_delay_max", value) for value in (-1, math.nan, 0.01)],
        ]
        for field, value in options:
            await self.refuses(field, broker.subscribe(">", wrong, **{field: value}))
        await self.refuses("concurrency", broker.subscribe(">", wrong, partitions=2, concurrency=2))
        for timeout in (0, -1, math.nan):
            await self.refuses("timeout", broker.request("a", self.message(1), timeout=timeout))
        for seconds in (-1, math.nan):
            await self.refuses("timeout", broker.close(seconds))
        await self.only_the_newest(broker, "a", consumer)
        expect("what the refused was given", wrong.messages, [])

    async def refuses(self, field: str, call: Any) -> None:
        """See that `call` is refused because of `field`."""
        refusal = await refused(f"a call with a malformed {field}", call, ValidationError)
        expect("the field that is refused", refusal.field, field)
