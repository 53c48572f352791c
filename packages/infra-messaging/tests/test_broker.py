"""What is the same on every engine: headers, replies, dead letters, and the ways to end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from infra_conformance.loop import LoopClock, VirtualLoop
from infra_messaging import InMemoryBroker
from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs
from infra_messaging._engine import Envelope
from infra_messaging._memory import MemoryEngine
from infra_protocols import (
    BrokerClosedError,
    DeadLetter,
    HandlerCancelledError,
    Header,
    MessageBroker,
    RequestFailedError,
    RequestTimeoutError,
    ValidationError,
    correlation_id,
    delivery,
)

TOPIC = "orders.new"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@asynccontextmanager
async def opened(clock: LoopClock, **options: Any) -> AsyncGenerator[InMemoryBroker[str]]:
    """An open broker of which nothing is left in the end."""
    before = asyncio.all_tasks()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with InMemoryBroker[str](clock=clock, **options) as broker:
        yield broker
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert not loop.pending_timers()


class Heard:
    """A handler that notes what goes with each message."""

    def __init__(self, then: Callable[[str], Awaitable[str | None]] | None = None) -> None:
        self.messages: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.correlations: list[str | None] = []
        self._then = then

    async def __call__(self, message: str) -> str | None:
        current = delivery.get()
        assert current is not None
        self.messages.append(message)
        self.headers.append(dict(current.headers))
        self.correlations.append(correlation_id.get())
        return None if self._then is None else await self._then(message)


async def fail(message: str) -> None:
    raise ValueError(message)


async def test_each_message_is_an_event_of_cloudevents(clock: LoopClock) -> None:
    heard = Heard()
    async with opened(clock, source="shop") as broker:
        await broker.subscribe(TOPIC, heard)
        sent_at = clock.now()
        id = await broker.publish(TOPIC, "one")
        await asyncio.sleep(5)
        given = {"ce-type": "order", "ce-source": "other", "ce-id": "forged", "ce-time": "never", "ce-specversion": "0"}
        await broker.publish(TOPIC, "two", headers=given, id="m-2")
        await asyncio.sleep(1)
    first, second = heard.headers
    assert first == {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": "shop",
        "ce-type": TOPIC,
        "ce-time": sent_at.isoformat().replace("+00:00", "Z"),
    }
    assert (second["ce-type"], second["ce-source"], second["ce-id"], second["ce-specversion"]) == (
        "order",
        "other",
        "m-2",
        "1.0",
    )
    assert second["ce-time"] > first["ce-time"]


async def test_the_time_is_that_of_publishing_however_late_it_is_asked_for(clock: LoopClock) -> None:
    heard = Heard()
    async with opened(clock) as broker:
        await (await broker.subscribe(TOPIC, heard, group="g")).unsubscribe()
        sent_at = clock.now()
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(3600)
        await broker.subscribe(TOPIC, heard, group="g")
        await asyncio.sleep(1)
    assert heard.headers[0]["ce-time"] == sent_at.isoformat().replace("+00:00", "Z")


async def test_brokers_that_were_made_before_their_process_was_forked_have_ids_of_their_own(clock: LoopClock) -> None:
    ids: list[str] = []
    made: Any = InMemoryBroker[str](clock=clock)
    for _ in range(2):  # as a child has it: all is as it was when the broker was made
        broker = InMemoryBroker[str](clock=clock)
        broker.__dict__["_sealing"]._prefix = made._sealing._prefix
        async with broker:
            ids.append(await broker.publish(TOPIC, "one"))
    assert len(set(ids)) == 2


async def test_headers_are_as_they_were_when_they_were_given(clock: LoopClock) -> None:
    heard = Heard()
    given = {"tenant": "acme"}
    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, heard)
        await broker.publish(TOPIC, "one", headers=given)
        given["tenant"] = "other"
        await asyncio.sleep(1)
    assert heard.headers[0]["tenant"] == "acme"


async def test_the_correlation_id_goes_along_and_is_no_other_message_s(clock: LoopClock) -> None:
    heard = Heard()
    async with opened(clock) as broker:
        correlation_id.set("who subscribes")
        await broker.subscribe(TOPIC, heard)
        for current in (None, "a", None, "b"):
            correlation_id.set(current)
            await broker.publish(TOPIC, "one")
        await broker.publish(TOPIC, "one", headers={Header.CORRELATION_ID.value: "given"})
        await asyncio.sleep(1)
    assert heard.correlations == [None, "a", None, "b", "given"]
    assert [each.get("correlation-id") for each in heard.headers] == [None, "a", None, "b", "given"]


async def test_a_correlation_id_that_no_header_can_hold_is_refused(clock: LoopClock) -> None:
    async with opened(clock) as broker:
        for wrong in ("a\nb", "x" * 5000):
            correlation_id.set(wrong)
            with pytest.raises(ValidationError) as refused:
                await broker.publish(TOPIC, "one")
            assert refused.value.field == "headers.correlation-id"


async def test_a_trace_goes_on_through_handlers_unless_another_is_given(clock: LoopClock) -> None:
    heard = Heard()
    async with opened(clock) as broker:

        async def pass_on(message: str) -> str:
            await broker.publish("next", "same")
            await broker.publish("next", "own", headers={"traceparent": "own"})
            return "reply"

        await broker.subscribe(TOPIC, pass_on)
        await broker.subscribe("next", heard)
        await broker.publish(TOPIC, "one", headers={"traceparent": PARENT, "tracestate": "a=b", "tenant": "acme"})
        await asyncio.sleep(1)
        await broker.publish("next", "outside")
        await asyncio.sleep(1)
    traces = [(each.get("traceparent"), each.get("tracestate")) for each in heard.headers]
    assert traces == [(PARENT, "a=b"), ("own", None), (None, None)]
    assert all("tenant" not in each for each in heard.headers)


async def test_what_a_handler_leaves_in_the_context_of_its_subscription_others_do_not_see(clock: LoopClock) -> None:
    mark: ContextVar[str] = ContextVar("mark", default="none")
    seen: list[str] = []

    async def leave(message: str) -> None:
        seen.append(mark.get())
        mark.set("left")

    async with opened(clock) as broker:
        mark.set("subscribed")
        await broker.subscribe(TOPIC, leave, group="a", partitions=2)
        await broker.subscribe(TOPIC, leave, group="b")
        for key in ("a", "d"):  # in two partitions
            await broker.publish(TOPIC, "one", key=key)
        await asyncio.sleep(1)
        assert mark.get() == "subscribed"
    assert sorted(seen) == ["left", "subscribed", "subscribed", "subscribed"]


async def test_replies_are_for_who_asked_and_not_for_who_hears_everything(clock: LoopClock) -> None:
    async def greet(message: str) -> str | None:
        return f"hello {message}"

    all_of_it, one_word = Heard(), Heard()
    async with opened(clock, max_backlog=3) as broker:
        await broker.subscribe(TOPIC, greet, group="g")
        await broker.subscribe(">", all_of_it)
        await broker.subscribe("*.*", one_word)
        for _ in range(10):
            assert (await broker.request(TOPIC, "Ada", timeout=1)).unwrap() == "hello Ada"
            await asyncio.sleep(1)  # what is passed over makes room as well
    assert all_of_it.messages == one_word.messages == ["Ada"] * 10


async def test_many_requests_get_each_its_own_reply(clock: LoopClock) -> None:
    async def echo(message: str) -> str:
        await asyncio.sleep(len(message) % 3)
        return message

    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, echo, concurrency=50)
        texts = ["x" * number for number in range(100)]
        replies = await asyncio.gather(*(broker.request(TOPIC, text, timeout=1000) for text in texts))
        assert [reply.unwrap() for reply in replies] == texts


async def test_nothing_is_kept_of_requests_that_ended_without_a_reply(clock: LoopClock) -> None:
    async with opened(clock) as broker:
        result = await broker.request(TOPIC, "nobody is there", timeout=5)
        assert isinstance(result.unwrap_err(), RequestTimeoutError)
        asking = asyncio.create_task(broker.request(TOPIC, "who leaves", timeout=5))
        await asyncio.sleep(1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        inner: Any = broker
        assert inner._requests._waiting == {}


async def test_who_waits_for_a_reply_is_told_that_the_broker_was_closed(clock: LoopClock) -> None:
    async with opened(clock) as broker:
        asking = asyncio.create_task(broker.request(TOPIC, "one", timeout=1000))
        await asyncio.sleep(1)
        await broker.close()
        with pytest.raises(BrokerClosedError):
            await asking


async def test_a_handler_that_waits_for_a_reply_gets_it_while_the_broker_closes(clock: LoopClock) -> None:
    got: list[str] = []
    async with opened(clock) as broker:

        async def ask(message: str) -> None:
            got.append((await broker.request("next", message, timeout=100)).unwrap())

        async def answer(message: str) -> str:
            await asyncio.sleep(2)
            return f"re: {message}"

        await broker.subscribe(TOPIC, ask)
        await broker.subscribe("next", answer)
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        await broker.close(100)
    assert got == ["re: one"]


async def test_a_reply_that_cannot_be_read_is_a_failure(clock: LoopClock) -> None:
    engine = MemoryEngine(100)
    async with Broker[str](engine, Codecs(str), clock=clock) as broker:

        async def answer(message: str) -> None:
            current = delivery.get()
            assert current is not None
            headers = {"reply-for": current.id}
            engine.publish(Envelope("r", current.headers["reply-to"], None, headers, b"{"))

        await broker.subscribe(TOPIC, answer)
        error = (await broker.request(TOPIC, "one", timeout=5)).unwrap_err()
        assert isinstance(error, RequestFailedError)
        assert error.parameters == {"error": "DecodeError"}


async def test_a_reply_has_the_type_of_its_request_s_topic(clock: LoopClock) -> None:
    async with Broker[Any](MemoryEngine(100), Codecs({"numbers": int, "texts": str}), clock=clock) as broker:

        async def twice(message: Any) -> Any:
            return message * 2

        await broker.subscribe("numbers", twice)
        await broker.subscribe("texts", twice)
        assert (await broker.request("numbers", 2, timeout=5)).unwrap() == 4
        assert (await broker.request("texts", "a", timeout=5)).unwrap() == "aa"


async def test_a_reply_that_cannot_be_encoded_is_the_handler_s_failure(clock: LoopClock) -> None:
    async with Broker[Any](MemoryEngine(100), Codecs(str), clock=clock) as broker:

        async def wrong(message: Any) -> Any:
            return object()

        await broker.subscribe(TOPIC, wrong, max_deliveries=2)
        error = (await broker.request(TOPIC, "one", timeout=500)).unwrap_err()
        assert error.parameters == {"error": "ValidationError"}


async def test_the_reason_of_a_dead_letter_tells_no_secret_and_has_a_bound(
    clock: LoopClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "infra_messaging")  # what is raised here, no report can hold

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    errors = [
        ValueError("postgresql://ada:s3cr3t@db/x and password=hunter2"),
        ValueError("x" * 1_000_000),
        Unspeakable(),
        ValueError("half \ud800"),
    ]

    async def raise_it(message: str) -> None:
        raise errors[int(message)]

    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, raise_it, max_deliveries=1)
        for number in range(len(errors)):
            await broker.publish(TOPIC, f"{number}")
        await asyncio.sleep(1)
        secret, long, unspeakable, half = [letter.reason for letter in await broker.dead_letters.peek()]
    assert "s3cr3t" not in secret
    assert "hunter2" not in secret
    assert len(long) < 1000
    assert unspeakable == ""
    half.encode()


async def test_a_handler_that_cancels_itself_for_good_is_a_dead_letter_that_says_so(clock: LoopClock) -> None:
    async def cancelled(message: str) -> None:
        raise asyncio.CancelledError

    async with opened(clock) as broker:
        subscription = await broker.subscribe(TOPIC, cancelled, max_deliveries=2, retry_delay=0)
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        (letter,) = await broker.dead_letters.peek()
        assert (letter.error, letter.attempts) == (HandlerCancelledError.__name__, 2)
        assert "cancelled" in letter.reason
        assert subscription.active


async def test_what_is_no_coroutine_function_fails_and_says_so(clock: LoopClock) -> None:
    def handler(message: str) -> Any:
        return None

    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, handler, max_deliveries=1)
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        assert [letter.error for letter in await broker.dead_letters.peek()] == ["TypeError"]
        wrong: Any = 7
        with pytest.raises(ValidationError) as refused:
            await broker.subscribe(TOPIC, wrong)
        assert refused.value.field == "handler"


async def test_a_handler_can_end_its_own_subscription(clock: LoopClock) -> None:
    handled: list[str] = []
    async with opened(clock) as broker:

        async def only_one(message: str) -> None:
            await subscription.unsubscribe(forget=True)
            await asyncio.sleep(1)
            handled.append(message)

        subscription = await broker.subscribe(TOPIC, only_one, group="g")
        await broker.publish(TOPIC, "one")
        await broker.publish(TOPIC, "two")
        await asyncio.sleep(100)
        assert handled == ["one"]
        assert not subscription.active
        other = Heard()
        await broker.subscribe(TOPIC, other, group="g")
        await asyncio.sleep(1)
        assert other.messages == []  # forgotten


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_a_handler_can_close_the_broker(clock: LoopClock, in_a_task: bool) -> None:
    handled: list[str] = []
    async with opened(clock) as broker:

        async def last(message: str) -> None:
            if in_a_task:
                await asyncio.create_task(broker.close())
            else:
                await broker.close()
            await asyncio.sleep(1)
            handled.append(message)

        await broker.subscribe(TOPIC, last, group="g")
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(0.5)
        start = clock.monotonic()
        await broker.close(1000)
        assert clock.monotonic() - start <= 1
    assert handled == ["one"]


async def test_a_handler_that_closes_the_broker_and_does_not_end_is_cancelled(clock: LoopClock) -> None:
    ended: list[float] = []
    async with opened(clock) as broker:

        async def never(message: str) -> None:
            await broker.close(5)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(clock.monotonic())

        await broker.subscribe(TOPIC, never)
        start = clock.monotonic()
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(100)
        assert ended == [start + 5]


async def test_the_shorter_of_two_closes_counts(clock: LoopClock) -> None:
    async def hang(message: str) -> None:
        await asyncio.Event().wait()

    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, hang)
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        start = clock.monotonic()
        await asyncio.gather(broker.close(1000), broker.close(3), broker.close(2000))
        assert clock.monotonic() - start == 3


async def test_a_close_that_is_cancelled_waits_no_longer(clock: LoopClock) -> None:
    async def hang(message: str) -> None:
        await asyncio.Event().wait()

    async with opened(clock) as broker:
        subscription = await broker.subscribe(TOPIC, hang, group="g")
        other = await broker.subscribe(TOPIC, hang, group="other")
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        start = clock.monotonic()
        for ending in (subscription.unsubscribe(), broker.close(1000)):
            task = asyncio.create_task(ending)
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert clock.monotonic() - start == 2
        assert not other.active


async def test_what_a_handler_finishes_though_it_was_cancelled_is_settled(clock: LoopClock) -> None:
    handled: list[str] = []
    engine = MemoryEngine(100)
    async with Broker[str](engine, Codecs(str), clock=clock) as broker:

        async def stubborn(message: str) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(5)
            handled.append(message)

        await broker.subscribe(TOPIC, stubborn, group="g")
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
        await broker.close(1)
    assert handled == ["one"]
    heir = Heard()
    async with Broker[str](engine, Codecs(str), clock=clock) as broker:
        await broker.subscribe(TOPIC, heir, group="g")
        await asyncio.sleep(1)
    assert heir.messages == []


async def test_letters_made_by_hand_are_checked_and_go_to_the_groups_of_their_name(clock: LoopClock) -> None:
    heard = Heard()
    async with opened(clock) as broker:
        await broker.subscribe("orders.*", heard, group="g")
        now = clock.now()
        letter = DeadLetter[str]("l", "m", TOPIC, None, {"a": "b"}, "one", "g", 1, "KeyError", "no", now, now)
        assert await broker.dead_letters.create(letter) == letter
        assert await broker.dead_letters.replay("l")
        await asyncio.sleep(1)
        assert (heard.messages, heard.headers) == (["one"], [{"a": "b"}])
        assert await broker.dead_letters.get_all() == []
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("id", {"id": " "}),
            ("id", {"message_id": "\ud800"}),
            ("topic", {"topic": "a..b"}),
            ("key", {"key": 7}),
            ("key", {"key": "k\ud800"}),
            ("headers", {"headers": {"A": "b"}}),
            ("group", {"group": "a.b"}),
        ]
        for field, about in wrong:
            with pytest.raises(ValidationError) as refused:
                await broker.dead_letters.create(replace(letter, **about))
            assert refused.value.field == field
        assert await broker.dead_letters.get_all() == []


async def test_an_undecodable_letter_can_be_kept_again(clock: LoopClock) -> None:
    engine = MemoryEngine(100)
    async with Broker[str](engine, Codecs(str), clock=clock) as broker:
        await broker.subscribe(TOPIC, Heard(), group="g")
        engine.publish(Envelope("m", TOPIC, None, {}, b"{"))
        await asyncio.sleep(1)
        (letter,) = await broker.dead_letters.get_all()
        assert (letter.message, letter.data, letter.error, letter.attempts) == (None, b"{", "DecodeError", 1)
        assert await broker.dead_letters.update(letter) == letter
        assert await broker.dead_letters.get_all() == [letter]
        mended = replace(letter, message="one")
        assert (await broker.dead_letters.update(mended)).data == b'"one"'


async def test_failures_are_told_in_the_log(clock: LoopClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "infra_messaging")
    async with opened(clock) as broker:
        await broker.subscribe(TOPIC, fail, max_deliveries=2)
        id = await broker.publish(TOPIC, "one")
        await asyncio.sleep(1)
    assert [(record.levelname, id in record.getMessage()) for record in caplog.records] == [
        ("INFO", True),
        ("WARNING", True),
    ]


def test_the_arguments_of_a_broker_are_checked() -> None:
    broker: MessageBroker[str] = InMemoryBroker[str]()
    assert isinstance(broker, MessageBroker)
    for field, wrong in [("close_timeout", -1), ("source", " "), ("source", "a\nb")]:
        options: Any = {field: wrong}
        with pytest.raises(ValidationError) as refused:
            InMemoryBroker[str](**options)
        assert refused.value.field == field
