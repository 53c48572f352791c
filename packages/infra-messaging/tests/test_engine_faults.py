"""What the broker keeps of its promises when its engine does not keep its own."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from infra_conformance.loop import LoopClock, VirtualLoop
from infra_messaging._broker import Broker
from infra_messaging._codecs import Codecs
from infra_messaging._engine import Envelope, Feed, Received
from infra_messaging._memory import MemoryEngine
from infra_protocols import (
    BrokerClosedError,
    BrokerUnavailableError,
    DeadLetter,
    MessagingError,
    SubscriptionConfig,
    correlation_id,
)

TOPIC = "orders.new"
FEED = ("receive", "settle", "give_back", "renew", "bury", "close_feed")
ENGINE = ("open", "close", "publish", "subscribe", "forget")


def _nothing(_: Iterable[Received]) -> None: ...


class Down(BrokerUnavailableError):
    def __init__(self) -> None:
        super().__init__("down")


class Scripted(MemoryEngine):
    """An engine that notes each call, and fails those it is told to."""

    def __init__(self) -> None:
        super().__init__(1_000)
        self.calls: list[tuple[str, float, Any]] = []
        self.faults: dict[str, Callable[[int], BaseException | None]] = {}
        self.delay: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.handed_attempt: int | None = None
        self.take_back: Callable[[Iterable[Received]], None] = _nothing
        self.on_receive: Callable[[Sequence[Received]], None] | None = None
        self.on_renew: Callable[[Sequence[Received]], None] | None = None

    def fail(self, name: str, *numbers: int, error: Callable[[], BaseException] = Down) -> None:
        """Have the calls of `name` with these numbers fail, or all."""
        self.faults[name] = lambda number: error() if not numbers or number in numbers else None

    def heal(self) -> None:
        self.faults.clear()

    def of(self, *names: str) -> list[tuple[str, float, Any]]:
        return [call for call in self.calls if call[0] in names]

    async def call(self, name: str, about: Any, then: Callable[[], Awaitable[Any]]) -> Any:
        self.counts[name] += 1
        self.calls.append((name, asyncio.get_running_loop().time(), about))
        await asyncio.sleep(self.delay.get(name, 0))
        if name in self.faults and (error := self.faults[name](self.counts[name])) is not None:
            raise error
        return await then()

    async def open(self) -> None:
        await self.call("open", None, super().open)

    async def close(self) -> None:
        await self.call("close", None, super().close)

    def publish(self, envelope: Envelope) -> Awaitable[None]:
        publish = super().publish

        async def store() -> None:
            if (storing := publish(envelope)) is not None:
                await storing

        return self.call("publish", envelope, store)

    async def subscribe(self, pattern: str, group: str | None, config: SubscriptionConfig) -> Sequence[Any]:
        subscribe = super().subscribe
        feeds = await self.call("subscribe", (pattern, group), lambda: subscribe(pattern, group, config))
        return [ScriptedFeed(self, feed) for feed in feeds]

    async def forget(self, pattern: str, group: str) -> None:
        forget = super().forget
        await self.call("forget", (pattern, group), lambda: forget(pattern, group))


class ScriptedFeed:
    def __init__(self, engine: Scripted, feed: Feed) -> None:
        self._engine = engine
        self._feed = feed

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        self._feed.attach(drop)
        self._engine.take_back = lambda lost: drop(list(lost))

    async def receive(self, most: int) -> Sequence[Received]:
        received: Sequence[Received] = await self._engine.call("receive", most, lambda: self._feed.receive(most))
        for each in received:
            each.attempt = self._engine.handed_attempt or each.attempt
        if self._engine.on_receive is not None:
            self._engine.on_receive(received)
        return received

    async def settle(self, received: Sequence[Received]) -> None:
        ids = [each.id for each in received]
        await self._engine.call("settle", ids, lambda: self._feed.settle(received))

    async def give_back(self, received: Sequence[Received]) -> None:
        about = [(each.id, each.attempt) for each in received]
        await self._engine.call("give_back", about, lambda: self._feed.give_back(received))

    async def renew(self, received: Sequence[Received]) -> None:
        if self._engine.on_renew is not None:
            self._engine.on_renew(received)
        await self._engine.call("renew", [each.id for each in received], lambda: self._feed.renew(received))

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        await self._engine.call("bury", letter, lambda: self._feed.bury(received, letter))

    async def close(self) -> None:
        await self._engine.call("close_feed", None, self._feed.close)


class Taker:
    """A handler that notes what it is given, and fails on it, or waits, if told to."""

    def __init__(self, act: Callable[[str], Awaitable[str | None]] | None = None) -> None:
        self.got: list[str] = []
        self._act = act

    async def __call__(self, message: str) -> str | None:
        self.got.append(message)
        return None if self._act is None else await self._act(message)


async def fail(message: str) -> None:
    raise ValueError(message)


async def hang(message: str) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def engine(clock: LoopClock, caplog: pytest.LogCaptureFixture) -> Scripted:
    caplog.set_level(logging.CRITICAL)
    return Scripted()


@asynccontextmanager
async def opened(engine: Scripted, **options: Any) -> AsyncGenerator[Broker[str]]:
    """An open broker of which nothing is left in the end."""
    before = asyncio.all_tasks()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    broker = Broker[str](engine, Codecs(str), clock=LoopClock(loop), **options)
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert not loop.pending_timers()


async def until(so: Callable[[], object]) -> None:
    for _ in range(1_000_000):
        if so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(so)


ERRORS = [Down, RuntimeError, asyncio.CancelledError]


@pytest.mark.parametrize("error", ERRORS)
async def test_a_receive_that_fails_is_tried_again(engine: Scripted, error: type[BaseException]) -> None:
    engine.fail("receive", *range(2, 12), error=error)
    async with opened(engine) as broker:
        taker = Taker()
        subscription = await broker.subscribe(TOPIC, taker, group="g")
        await broker.publish(TOPIC, "one")
        await until(lambda: taker.got)
        await until(lambda: engine.counts["receive"] > 11)
        await broker.publish(TOPIC, "two")
        await until(lambda: len(taker.got) == 2)
        assert subscription.active
    waits = [later[1] - earlier[1] for earlier, later in pairwise(engine.of("receive")[1:12])]
    assert max(waits[:2]) <= 0.2
    assert max(waits) > 0.2  # it backs off
    assert max(waits) <= 10


async def test_an_outage_is_told_once(engine: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "infra_messaging")
    engine.fail("receive", *range(2, 12), *range(14, 16))
    async with opened(engine) as broker:
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g")
        await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["receive"] > 11)
        assert [record.exc_info is not None for record in caplog.records] == [True]
        await broker.publish(TOPIC, "two")
        await broker.publish(TOPIC, "three")
        await until(lambda: engine.counts["receive"] > 15 or len(taker.got) == 3)
        await broker.publish(TOPIC, "four")
        await until(lambda: engine.counts["receive"] > 15)
    assert len(caplog.records) == 2


@pytest.mark.parametrize("error", ERRORS)
async def test_a_settle_that_fails_is_tried_again_and_the_handler_is_not_called_again(
    engine: Scripted, error: type[BaseException]
) -> None:
    engine.fail("settle", *range(1, 8), error=error)
    async with opened(engine) as broker:
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g", lease=0.3)
        id = await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["settle"] == 8)
        assert taker.got == ["one"]
        assert [about for _, _, about in engine.of("settle")] == [[id]] * 8
        assert engine.counts["renew"] > 0  # what is not settled yet must not go to another
        await asyncio.sleep(10)
        assert engine.of("renew")[-1][-1] == []  # what is settled is held no more


async def test_what_is_handled_in_one_turn_is_settled_together(engine: Scripted) -> None:
    async with opened(engine) as broker:
        taker = Taker()
        await (await broker.subscribe(TOPIC, taker, group="g")).unsubscribe()
        ids = [await broker.publish(TOPIC, f"{number}") for number in range(50)]
        await broker.subscribe(TOPIC, taker, group="g", concurrency=3)
        await until(lambda: len(taker.got) == 50)
    assert [about for _, _, about in engine.of("settle")] == [ids]


async def test_nothing_is_settled_before_the_handler_has_returned(engine: Scripted) -> None:
    gate = asyncio.Event()

    async def wait(message: str) -> None:
        await gate.wait()

    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(wait), group="g", concurrency=2)
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(100)
        assert engine.of("settle") == []
        gate.set()
        await until(lambda: engine.counts["settle"] == 1)


async def test_all_that_is_held_is_renewed_every_third_of_a_lease(engine: Scripted) -> None:
    async with opened(engine, close_timeout=0) as broker:

        async def act(message: str) -> None:
            if message == "fails":
                raise ValueError
            if message == "done later":
                await asyncio.sleep(1)  # when the first are being settled, which fails
            elif message != "done":
                await hang(message)

        taker = Taker(act)
        engine.fail("settle")
        await broker.subscribe(
            TOPIC, taker, group="g", concurrency=3, lease=30, retry_delay=1e6, retry_delay_max=1e6, prefetch=10
        )
        start = asyncio.get_running_loop().time()
        messages = ["fails", "done", "done later", "runs", "runs", "runs", "waits"]
        ids = [await broker.publish(TOPIC, message) for message in messages]
        await asyncio.sleep(95)
        renewals = engine.of("renew")
        assert [round(when - start, 3) for _, when, _ in renewals] == [
            10.0,
            20.0,
            30.0,
            40.0,
            50.0,
            60.0,
            70.0,
            80.0,
            90.0,
        ]
        assert all(sorted(about) == sorted(ids) for _, _, about in renewals)


async def test_a_renewal_that_fails_is_tried_again_before_the_lease_is_over(engine: Scripted) -> None:
    engine.fail("renew", 1, 2)
    async with opened(engine, close_timeout=0) as broker:
        await broker.subscribe(TOPIC, Taker(hang), group="g", lease=30)
        start = asyncio.get_running_loop().time()
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(26)
        assert [round(when - start, 3) for _, when, _ in engine.of("renew")] == [10.0, 12.5, 15.0, 25.0]


@pytest.mark.parametrize("error", ERRORS)
async def test_a_dead_letter_is_written_whatever_it_takes_and_nothing_is_settled_apart(
    engine: Scripted, error: type[BaseException]
) -> None:
    engine.fail("bury", 1, 2, 3, error=error)
    async with opened(engine) as broker:
        taker = Taker(fail)
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=2, retry_delay=0)
        await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["bury"] == 4)
        assert taker.got == ["one", "one"]
        assert engine.of("settle") == []
        letters = [about for _, _, about in engine.of("bury")]
        assert len({letter.id for letter in letters}) == 1
        (found,) = await broker.dead_letters.peek()
        assert (found.id, found.message, found.attempts, found.data) == (letters[0].id, "one", 2, b'"one"')


async def test_whoever_asked_is_told_after_the_dead_letter_is_there(engine: Scripted) -> None:
    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(fail), group="g", max_deliveries=1)
        result = await broker.request(TOPIC, "one", timeout=10)
        assert type(result.unwrap_err()).__name__ == "RequestFailedError"
        order = [
            name for name, _, about in engine.calls if name == "bury" or (name == "publish" and about.topic != TOPIC)
        ]
        assert order == ["bury", "publish"]


async def test_that_nobody_could_be_told_changes_nothing(engine: Scripted) -> None:
    engine.fail("publish", *range(2, 7))
    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(fail), group="g", max_deliveries=1)
        result = await broker.request(TOPIC, "one", timeout=10)
        assert type(result.unwrap_err()).__name__ == "RequestTimeoutError"
        assert len(await broker.dead_letters.peek()) == 1


@pytest.mark.parametrize("reply_to", ["no topic", "a..b"])
async def test_who_asks_for_a_reply_to_what_is_no_topic_gets_none(engine: Scripted, reply_to: str) -> None:
    async def greet(message: str) -> str:
        return "hello"

    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(greet), group="g", max_deliveries=1)
        await broker.publish(TOPIC, "one", headers={"reply-to": reply_to})
        await until(lambda: engine.counts["settle"])
        assert [about.topic for _, _, about in engine.of("publish")] == [TOPIC]
        assert await broker.dead_letters.peek() == []


async def test_what_was_delivered_too_often_already_is_a_dead_letter_without_another_delivery(engine: Scripted) -> None:
    engine.handed_attempt = 4
    async with opened(engine) as broker:
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=3)
        await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["bury"])
        (letter,) = await broker.dead_letters.peek()
        assert taker.got == []
        assert (letter.attempts, letter.error) == (3, MessagingError.__name__)


async def test_the_last_delivery_that_is_allowed_is_made(engine: Scripted) -> None:
    engine.handed_attempt = 3
    async with opened(engine) as broker:
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=3)
        await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["settle"])
        assert taker.got == ["one"]


async def test_what_is_given_back_tells_how_often_it_was_handled(engine: Scripted) -> None:
    gate = asyncio.Event()

    async def act(message: str) -> None:
        if message == "fails":
            raise ValueError
        await gate.wait()

    async with opened(engine, close_timeout=1) as broker:
        taker = Taker(act)
        await broker.subscribe(TOPIC, taker, group="g", retry_delay=1e6, retry_delay_max=1e6)
        fails, runs, waits = [await broker.publish(TOPIC, message) for message in ("fails", "runs", "waits")]
        await until(lambda: len(taker.got) == 2)
    given = [pair for _, _, about in engine.of("give_back") for pair in about]
    assert sorted(given) == sorted([(fails, 1), (waits, 0), (runs, 1)])
    assert [name for name, _, _ in engine.of("close_feed", "close", "give_back")][-2:] == ["close_feed", "close"]


async def test_a_part_gives_back_in_its_order_at_the_end(engine: Scripted) -> None:
    async with opened(engine, close_timeout=5) as broker:
        taker = Taker(hang)
        await broker.subscribe(TOPIC, taker, group="g", partitions=1)
        ids = [await broker.publish(TOPIC, message, key="k") for message in "abc"]
        await until(lambda: taker.got)
    assert taker.got == ["a"]
    assert [about for _, _, about in engine.of("give_back")] == [[(ids[0], 1), (ids[1], 0), (ids[2], 0)]]


async def test_closing_ends_in_time_though_the_engine_answers_nothing(engine: Scripted) -> None:
    async with opened(engine, close_timeout=5) as broker:
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g")
        await broker.subscribe(TOPIC, Taker(hang), group="other", concurrency=2, prefetch=5)
        for name in (*FEED, "close", "publish"):
            engine.fail(name)
        engine.faults.pop("receive")
        engine.faults.pop("publish")
        for number in range(10):
            await broker.publish(TOPIC, f"{number}")
        await until(lambda: len(taker.got) == 10)
        start = asyncio.get_running_loop().time()
        await broker.close()
        assert asyncio.get_running_loop().time() - start <= 5.1


async def test_to_unsubscribe_tells_that_the_engine_does_not_answer_and_ends_all_the_same(engine: Scripted) -> None:
    async with opened(engine) as broker:
        taker = Taker()
        subscription = await broker.subscribe(TOPIC, taker, group="g")
        engine.fail("close_feed")
        with pytest.raises(BrokerUnavailableError):
            await subscription.unsubscribe()
        await broker.publish(TOPIC, "one")
        await asyncio.sleep(10)
        assert (taker.got, subscription.active) == ([], False)
        engine.heal()
        await subscription.unsubscribe()
        await subscription.unsubscribe()
        assert engine.counts["close_feed"] == 2


async def test_to_forget_can_be_tried_again(engine: Scripted) -> None:
    async with opened(engine) as broker:
        subscription = await broker.subscribe(TOPIC, Taker(), group="g")
        engine.fail("forget")
        with pytest.raises(BrokerUnavailableError):
            await subscription.unsubscribe(forget=True)
        engine.heal()
        await subscription.unsubscribe(forget=True)
        await subscription.unsubscribe(forget=True)
        assert engine.counts["forget"] == 2


async def test_who_is_refused_at_first_subscribes_later(engine: Scripted) -> None:
    engine.fail("subscribe", 1)
    async with opened(engine) as broker:
        with pytest.raises(BrokerUnavailableError):
            await broker.subscribe(TOPIC, Taker(), group="g")
        taker = Taker()
        await broker.subscribe(TOPIC, taker, group="g")
        await broker.publish(TOPIC, "one")
        await until(lambda: taker.got)


async def test_the_first_request_that_fails_leaves_the_next_its_chance(engine: Scripted) -> None:
    engine.fail("subscribe", 2)

    async def greet(message: str) -> str:
        return f"hello {message}"

    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(greet), group="g")
        with pytest.raises(BrokerUnavailableError):
            await broker.request(TOPIC, "Ada", timeout=10)
        replies = await asyncio.gather(*(broker.request(TOPIC, f"{number}", timeout=10) for number in range(5)))
        assert [reply.unwrap() for reply in replies] == [f"hello {number}" for number in range(5)]
        assert engine.counts["subscribe"] == 3  # one for all replies


async def test_a_broker_that_could_not_be_opened_can_be_opened_later(engine: Scripted) -> None:
    engine.fail("open", 1)
    broker = Broker[str](engine, Codecs(str))
    with pytest.raises(BrokerUnavailableError):
        await broker.open()
    with pytest.raises(BrokerClosedError):
        await broker.publish(TOPIC, "one")
    await asyncio.gather(broker.open(), broker.open())
    await broker.open()
    assert engine.counts["open"] == 2
    await broker.close()
    with pytest.raises(BrokerClosedError):
        await broker.open()


async def test_a_broker_that_is_closed_while_it_opens_is_closed(engine: Scripted) -> None:
    engine.delay["open"] = 1
    broker = Broker[str](engine, Codecs(str))
    opening = asyncio.create_task(broker.open())
    await asyncio.sleep(0)
    await broker.close()
    await asyncio.gather(opening, return_exceptions=True)
    with pytest.raises(BrokerClosedError):
        await broker.publish(TOPIC, "one")
    assert engine.counts["close"] == engine.counts["open"]


async def test_who_subscribes_while_the_broker_closes_is_refused_and_leaves_nothing(engine: Scripted) -> None:
    async with opened(engine) as broker:
        engine.delay["subscribe"] = 1
        joining = asyncio.create_task(broker.subscribe(TOPIC, Taker(), group="g"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(broker.close())
        with pytest.raises(BrokerClosedError):
            await joining
        await closing
        names = [name for name, _, _ in engine.of("subscribe", "close_feed", "close")]
        assert names == ["subscribe", "close_feed", "close"]


@pytest.mark.parametrize("name", [*FEED, *ENGINE])
@pytest.mark.parametrize("partitions", [None, 2])
async def test_whichever_call_fails_once_nothing_is_lost(engine: Scripted, name: str, partitions: int | None) -> None:
    number = 1
    while not (number > 1 and engine.counts[name] < number - 1):
        engine = Scripted()
        engine.fail(name, number)
        await _life(engine, partitions)
        assert number > 1 or engine.counts[name]
        number += 1


async def _life(engine: Scripted, partitions: int | None) -> None:
    """All that a broker does, each call made again by its caller if it fails."""

    async def act(message: str) -> str | None:
        if message == "bad":
            raise ValueError
        await asyncio.sleep(1)
        return f"re: {message}"

    def member(broker: Broker[str], handler: Taker) -> Awaitable[Any]:
        options: Any = {"retry_delay": 0.01, "max_deliveries": 2, "lease": 1.5, "prefetch": 6, "partitions": partitions}
        return broker.subscribe(TOPIC, handler, group="g", **options)

    async with _patient(engine) as broker:
        first, second = Taker(act), Taker(act)
        subscription = await again(lambda: member(broker, first))
        messages = ["a", "bad", "b", "c", "d"]
        for message in messages:
            await again(lambda: broker.publish(TOPIC, message, key=message))  # noqa: B023
        await until(lambda: len(set(first.got)) >= 2)
        await again(subscription.unsubscribe)
        subscription = await again(lambda: member(broker, second))
        await until(lambda: set(first.got) | set(second.got) >= set(messages))
        await until(lambda: engine.of("bury"))
        await asyncio.sleep(20)
        assert [letter.message for letter in await broker.dead_letters.peek()] == ["bad"]
        reply = await again(lambda: broker.request(TOPIC, "ask", timeout=60))
        assert reply.unwrap() == "re: ask"
        await again(lambda: subscription.unsubscribe(forget=True))


@asynccontextmanager
async def _patient(engine: Scripted) -> AsyncGenerator[Broker[str]]:
    before = asyncio.all_tasks()
    broker = Broker[str](engine, Codecs(str), close_timeout=60)
    await again(broker.open)
    yield broker
    await broker.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def again[T](call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except BrokerUnavailableError:
            await asyncio.sleep(0.1)


async def test_what_was_not_begun_counts_for_nothing_when_it_is_renewed(engine: Scripted) -> None:
    renewed: list[list[tuple[str, int]]] = []
    async with opened(engine, close_timeout=0) as broker:
        engine.on_renew = lambda received: renewed.append([(each.id, each.attempt) for each in received])
        await broker.subscribe(TOPIC, Taker(hang), group="g", lease=30)
        ids = [await broker.publish(TOPIC, message) for message in ("runs", "waits", "waits too")]
        await asyncio.sleep(11)
    assert renewed == [[(ids[0], 1), (ids[1], 0), (ids[2], 0)]]


async def test_what_is_anothers_by_now_is_not_handled(engine: Scripted) -> None:
    gate = asyncio.Event()

    async def act(message: str) -> None:
        if message == "fails":
            raise ValueError
        await gate.wait()

    async with opened(engine) as broker:
        taker = Taker(act)
        options: Any = {"retry_delay": 1e6, "retry_delay_max": 1e6, "prefetch": 4}
        await broker.subscribe(TOPIC, taker, group="g", lease=30, **options)
        engine.on_renew = lambda received: engine.take_back(each for each in received if each.id != ids[3])
        ids = [await broker.publish(TOPIC, message) for message in ("fails", "runs", "waits", "stays", "later")]
        await asyncio.sleep(11)
        assert taker.got == ["fails", "runs"]
        engine.on_renew = None
        gate.set()
        await until(lambda: taker.got[2:] == ["stays", "later"])
        assert [id for _, _, about in engine.of("settle") for id in about] == [ids[1], ids[3], ids[4]]
        more = [await broker.publish(TOPIC, f"more {number}") for number in range(4)]  # there is room for as many
        await until(lambda: len(taker.got) == 4 + len(more))


@pytest.mark.parametrize("deliveries", [1, 5])
async def test_what_is_anothers_by_now_is_not_tried_again_nor_buried(engine: Scripted, deliveries: int) -> None:
    async def act(message: str) -> None:
        if message == "fails":
            engine.take_back(held[0])
            raise ValueError

    held: list[Sequence[Received]] = []
    async with opened(engine) as broker:
        taker = Taker(act)
        engine.on_receive = held.append
        await broker.subscribe(TOPIC, taker, group="g", partitions=1, max_deliveries=deliveries, prefetch=1)
        await broker.publish(TOPIC, "fails", key="k")
        await broker.publish(TOPIC, "next", key="k")
        await until(lambda: "next" in taker.got)
        assert taker.got == ["fails", "next"]
        assert engine.of("bury") == []


async def test_what_waits_in_a_partition_is_not_begun_while_another_may_have_it(engine: Scripted) -> None:
    async def act(message: str) -> None:
        await asyncio.sleep(20)

    async with opened(engine) as broker:
        taker = Taker(act)
        await broker.subscribe(TOPIC, taker, group="g", lease=30, partitions=1)
        engine.fail("renew")
        for message in ("one", "two", "three"):
            await broker.publish(TOPIC, message, key="k")
        await asyncio.sleep(100)
        assert taker.got == ["one", "two"]  # the second began before the lease was over
        engine.heal()
        await until(lambda: taker.got == ["one", "two", "three"])


@pytest.mark.parametrize("raises", [False, True])
async def test_a_handler_that_cancels_its_task_harms_no_message_but_its_own(engine: Scripted, raises: bool) -> None:
    async def act(message: str) -> None:
        if message == "one":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if raises:
                raise ValueError  # before it is there

    async with opened(engine) as broker:
        taker = Taker(act)
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=1)
        for message in ("one", "two", "three"):
            await broker.publish(TOPIC, message)
        await until(lambda: len(taker.got) == 3)
        await asyncio.sleep(1)
        letters = await broker.dead_letters.peek()
        assert [(letter.message, letter.error) for letter in letters] == ([("one", "ValueError")] if raises else [])


async def test_a_handler_that_the_end_has_cancelled_has_not_failed(engine: Scripted) -> None:
    async with opened(engine) as broker:
        taker = Taker(hang)
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=1)
        id = await broker.publish(TOPIC, "one")
        await until(lambda: taker.got)
        await broker.close(0)
        assert engine.of("bury") == []
        assert [about for _, _, about in engine.of("give_back")] == [[(id, 1)]]


async def test_what_is_no_exception_is_a_failure_too(engine: Scripted) -> None:
    class Odd(BaseException):
        pass

    async def act(message: str) -> None:
        if message == "one":
            raise Odd

    async with opened(engine) as broker:
        taker = Taker(act)
        await broker.subscribe(TOPIC, taker, group="g", max_deliveries=1)
        for message in ("one", "two"):
            await broker.publish(TOPIC, message)
        await until(lambda: taker.got == ["one", "two"])
        (letter,) = await broker.dead_letters.peek()
        assert letter.error == "MessagingError"
        assert "Odd" in letter.reason


@pytest.mark.parametrize("failures", [1, 5])
async def test_a_reply_that_is_not_taken_is_sent_again_and_the_handler_not_called(
    engine: Scripted, failures: int
) -> None:
    async def answer(message: str) -> str:
        return message.upper()

    engine.fail("publish", *range(2, 2 + failures))
    async with opened(engine) as broker:
        taker = Taker(answer)
        await broker.subscribe(TOPIC, taker, group="g")
        assert (await broker.request(TOPIC, "one", timeout=5)).is_ok() is (failures == 1)
        assert taker.got == ["one"]
        assert engine.counts["settle"] > 0
        assert (await broker.request(TOPIC, "two", timeout=5)).unwrap() == "TWO"


async def test_a_letter_is_not_given_back_when_the_end_comes_before_its_reply(engine: Scripted) -> None:
    async with opened(engine, close_timeout=0) as broker:
        await broker.subscribe(TOPIC, Taker(fail), group="g", max_deliveries=1)
        asking = asyncio.create_task(broker.request(TOPIC, "one", timeout=1e6))
        engine.delay["publish"] = 100
        await until(lambda: engine.counts["bury"] == 1)
        await broker.close()
        with pytest.raises(BrokerClosedError):
            await asking
        assert engine.of("give_back") == []


async def test_what_was_delivered_too_often_is_answered_as_the_message_that_it_is(engine: Scripted) -> None:
    async with opened(engine) as broker:
        await broker.subscribe(TOPIC, Taker(), group="g", max_deliveries=1)
        token = correlation_id.set("of the first")
        await broker.publish(TOPIC, "one")
        await until(lambda: engine.counts["settle"] == 1)
        correlation_id.set("of the second")
        engine.handed_attempt = 2
        assert (await broker.request(TOPIC, "two", timeout=5)).is_err()
        correlation_id.reset(token)
        replies = [about for _, _, about in engine.of("publish") if about.topic.startswith("_reply.")]
        assert [reply.correlation_id for reply in replies] == ["of the second"]


async def test_nothing_is_published_once_the_engine_is_being_closed(engine: Scripted) -> None:
    async with opened(engine) as broker:
        engine.delay["close"] = 10
        closing = asyncio.create_task(broker.close())
        await until(lambda: engine.counts["close"] == 1)
        with pytest.raises(BrokerClosedError):
            await broker.publish(TOPIC, "one")
        await closing


async def test_a_request_that_comes_too_late_for_replies_is_refused_at_once(engine: Scripted) -> None:
    engine.delay["subscribe"] = 10
    async with opened(engine) as broker:
        asking = [asyncio.create_task(broker.request(TOPIC, "one", timeout=1000)) for _ in range(2)]
        await until(lambda: engine.counts["subscribe"] == 1)
        start = asyncio.get_running_loop().time()
        await broker.close()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(each) for each in outcomes] == [BrokerClosedError, BrokerClosedError]
        assert asyncio.get_running_loop().time() - start < 100


async def test_errors_of_an_engine_tell_what_was_being_done(engine: Scripted) -> None:
    async with opened(engine) as broker:
        engine.fail("publish")
        engine.fail("subscribe")
        for operation, call in {
            "broker.publish": broker.publish(TOPIC, "one"),
            "broker.subscribe": broker.subscribe(TOPIC, Taker(), group="g"),
            "broker.request": broker.request(TOPIC, "one", timeout=5),
        }.items():
            with pytest.raises(Down) as caught:
                await call
            assert caught.value.operation == operation
