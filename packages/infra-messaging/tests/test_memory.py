"""What is particular to the broker in memory."""

import asyncio
import gc
import weakref
from collections import Counter
from typing import Any

import pytest

from infra_conformance.loop import LoopClock
from infra_messaging import InMemoryBroker
from infra_messaging._engine import Envelope
from infra_messaging._memory import MemoryEngine
from infra_protocols import BacklogFullError, SubscriptionConfig, ValidationError, delivery


class Thing:
    pass


async def done(queue: "asyncio.Queue[Any]", count: int) -> list[Any]:
    async with asyncio.timeout(1000):
        return [await queue.get() for _ in range(count)]


async def test_a_message_is_the_very_object(clock: LoopClock) -> None:
    queue: asyncio.Queue[Thing] = asyncio.Queue()
    async with InMemoryBroker[Thing](clock=clock) as broker:
        await broker.subscribe("t", queue.put)
        thing = Thing()
        await broker.publish("t", thing)
        assert await queue.get() is thing


async def test_a_message_that_was_handled_is_kept_nowhere(clock: LoopClock) -> None:
    async def take(thing: Thing) -> None:
        await asyncio.sleep(1)

    async with InMemoryBroker[Thing](clock=clock) as broker:
        await broker.subscribe("t", take)
        thing = Thing()
        there = weakref.ref(thing)
        await broker.publish("t", thing, headers={"a": "b"})
        del thing
        await asyncio.sleep(10)
        gc.collect()
        assert there() is None


async def test_a_message_that_led_to_another_is_not_kept_by_it(clock: LoopClock) -> None:
    kept: list[Any] = []
    async with InMemoryBroker[Thing](clock=clock) as broker:

        async def pass_on(thing: Thing) -> None:
            kept.append(weakref.ref(thing))
            if len(kept) < 100:
                await broker.publish("t", Thing())

        subscription = await broker.subscribe("t", pass_on)
        await broker.publish("t", Thing(), headers={"traceparent": "00-1-2-03", "tracestate": "a=b"})
        await asyncio.sleep(1)
        await subscription.unsubscribe()
        gc.collect()
        assert [each() for each in kept] == [None] * 100


async def test_members_that_wait_share_what_comes_at_once(clock: LoopClock) -> None:
    taken: Counter[int] = Counter()

    def member(number: int) -> Any:
        async def take(message: int) -> None:
            taken[number] += 1
            await asyncio.sleep(1)

        return take

    async with InMemoryBroker[int](clock=clock) as broker:
        for number in range(4):
            await broker.subscribe("t", member(number), group="g")
        await asyncio.sleep(1)
        for message in range(80):
            await broker.publish("t", message)
        await asyncio.sleep(200)
        assert taken.total() == 80
        assert min(taken[number] for number in range(4)) >= 10, taken


async def test_who_publishes_without_a_pause_does_not_keep_others_from_their_turn(clock: LoopClock) -> None:
    taken: list[int] = []

    async def take(message: int) -> None:
        taken.append(message)

    async with InMemoryBroker[int](clock=clock, max_backlog=1000) as broker:
        await broker.subscribe("t", take, group="g")
        for message in range(10_000):
            await broker.publish("t", message)
        await asyncio.sleep(1)
        assert taken == list(range(10_000))


async def test_handlers_that_never_wait_do_not_keep_others_from_their_turn(clock: LoopClock) -> None:
    async with InMemoryBroker[int](clock=clock) as broker:

        async def circle(message: int) -> None:
            await broker.publish("t", message)

        subscription = await broker.subscribe("t", circle)
        await broker.publish("t", 1)
        for _ in range(100):
            await asyncio.sleep(0)
        await subscription.unsubscribe()


async def test_the_second_of_two_with_one_id_is_dropped_for_so_many_ids(clock: LoopClock) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    async with InMemoryBroker[int](clock=clock) as broker:
        await broker.subscribe("t", queue.put)
        for message in range(2):
            assert await broker.publish("t", message, id="again") == "again"
        for message in range(10_000):
            await broker.publish("t", message, id=f"{message}")
        assert await done(queue, 10_001) == [0, *range(10_000)]
        await broker.publish("t", 7, id="again")
        assert await done(queue, 1) == [7]
        assert queue.empty()


async def test_what_one_group_had_no_room_for_it_gets_when_it_is_published_again(clock: LoopClock) -> None:
    full: list[int] = []
    free: list[int] = []
    gate = asyncio.Event()

    async def wait(message: int) -> None:
        await gate.wait()
        full.append(message)

    async def take(message: int) -> None:
        free.append(message)

    async with InMemoryBroker[int](clock=clock, max_backlog=2) as broker:
        await broker.subscribe("t", wait, group="full")
        await broker.subscribe("t", take, group="free")
        for message in range(2):
            await broker.publish("t", message, id=f"{message}")
        await asyncio.sleep(1)
        with pytest.raises(BacklogFullError, match="full"):
            await broker.publish("t", 2, id="2")
        gate.set()
        await asyncio.sleep(1)
        await broker.publish("t", 2, id="2")
        await asyncio.sleep(1)
        assert full == [0, 1, 2]
        assert set(free) == {0, 1, 2}


async def test_what_is_dead_or_forgotten_makes_room(clock: LoopClock) -> None:
    async def fail(message: int) -> None:
        raise ValueError

    async with InMemoryBroker[int](clock=clock, max_backlog=1) as broker:
        subscription = await broker.subscribe("t", fail, group="g", max_deliveries=1)
        for message in range(3):
            await broker.publish("t", message)
            await asyncio.sleep(1)
        (letter, *_) = await broker.dead_letters.peek()
        assert await broker.dead_letters.replay(letter.id)
        await asyncio.sleep(1)
        assert len(await broker.dead_letters.peek()) == 3
        await subscription.unsubscribe(forget=True)
        await broker.publish("t", 1)
        assert not await broker.dead_letters.replay(letter.id)


async def test_many_topics_take_no_more_room(clock: LoopClock) -> None:
    async with InMemoryBroker[int](clock=clock) as broker:
        for number in range(25_000):
            await broker.publish(f"t.{number}", number)
        inner: Any = broker
        assert len(inner._engine._routes) <= 10_000
        assert len(inner._topics) <= 10_000


def test_a_broker_belongs_to_no_loop_before_it_is_opened() -> None:
    broker = InMemoryBroker[int]()

    async def refuse() -> None:
        with pytest.raises(Exception, match="not open"):
            await broker.publish("t", 1)

    async def use() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with broker:
            await broker.subscribe("t", queue.put)
            await broker.publish("t", 1)
            assert await queue.get() == 1

    asyncio.run(refuse())
    asyncio.run(use())


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "1"])
def test_a_malformed_bound_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        InMemoryBroker[int](max_backlog=wrong)
    assert refused.value.field == "max_backlog"


async def test_no_delivery_is_around_outside_of_handlers(clock: LoopClock) -> None:
    seen: list[Any] = []
    async with InMemoryBroker[int](clock=clock) as broker:

        async def take(message: int) -> None:
            current = delivery.get()
            assert current is not None
            seen.append((current.id, current.topic, current.key, current.group, current.attempt, current.headers["a"]))

        await broker.subscribe("t.*", take, group="g")
        id = await broker.publish("t.x", 1, key="k", headers={"a": "b"})
        await asyncio.sleep(1)
        assert seen == [(id, "t.x", "k", "g", 1, "b")]
        assert delivery.get() is None


async def test_a_part_goes_to_the_next_member_with_all_that_waits(clock: LoopClock) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def take_long(message: int) -> None:
        await asyncio.sleep(5)

    async with InMemoryBroker[int](clock=clock) as broker:
        first = await broker.subscribe("t", take_long, group="g", partitions=1, prefetch=1)
        await broker.publish("t", 0)
        await asyncio.sleep(1)
        await broker.subscribe("t", queue.put, group="g", partitions=1)
        for message in (1, 2):
            await broker.publish("t", message)
        await asyncio.sleep(1)
        assert queue.empty()
        await first.unsubscribe()
        assert await done(queue, 2) == [1, 2]


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_a_member_that_leaves_when_its_turn_has_come_leaves_it_to_another(
    clock: LoopClock, cancelled_first: bool
) -> None:
    engine = MemoryEngine(10)
    feeds = [
        *await engine.subscribe("t", "g", SubscriptionConfig()),
        *await engine.subscribe("t", "g", SubscriptionConfig()),
    ]
    leaves, stays = [asyncio.create_task(feed.receive(10)) for feed in feeds]
    await asyncio.sleep(1)
    if cancelled_first:
        leaves.cancel()
    engine.publish(Envelope("m", "t", None, {}, b""))
    leaves.cancel()
    async with asyncio.timeout(10):
        assert [each.id for each in await stays] == ["m"]
    assert leaves.cancelled()
