"""What the broker keeps in Redis, and what only Redis Streams promise."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster as ClusterClient
from redis.asyncio.sentinel import Sentinel

from infra_conformance.engines import provided
from infra_conformance.servers import SERVICE, RedisCluster, RedisSentinel
from infra_messaging.redis import RedisStreamBroker
from infra_messaging.redis._line import Line, run
from infra_messaging.redis._scripts import Script
from infra_protocols import (
    BacklogFullError,
    BrokerRefusedError,
    BrokerUnavailableError,
    DeadLetter,
    SubscriptionConfig,
    ValidationError,
    delivery,
)

PATIENCE = 30.0


class Redises:
    """Makes brokers in one namespace of one Redis, each with a client of its own, as if each were a process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.namespace = f"test:{uuid4().hex}"
        self.prefix = f"{{{self.namespace.replace(':', '%3A')}}}:"
        self._stack = AsyncExitStack()

    async def broker(self, namespace: str | None = None, max_backlog: int = 1_000_000) -> RedisStreamBroker[str]:
        client = await self._stack.enter_async_context(cast("Any", Redis).from_url(self.url))
        name = self.namespace if namespace is None else namespace
        made = RedisStreamBroker[str](client, str, namespace=name, timeout=PATIENCE, max_backlog=max_backlog)
        return await self._stack.enter_async_context(made)

    async def __aenter__(self) -> Self:
        self.client: Any = await self._stack.enter_async_context(cast("Any", Redis).from_url(self.url))
        return self

    async def __aexit__(self, *about: object) -> None:
        for key in await self.keys():
            await self.client.unlink(key)
        await self._stack.aclose()

    async def keys(self) -> list[bytes]:
        return [key async for key in self.client.scan_iter(f"{self.prefix[:-2]}*", count=10_000)]

    async def named(self) -> set[str]:
        return {key.decode().removeprefix(self.prefix) for key in await self.keys()}


@pytest.fixture
async def redises(redis_url: str) -> AsyncGenerator[Redises]:
    async with Redises(redis_url) as made:
        yield made


class Shelf:
    """A handler that keeps what it is given, and the attempts."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.messages: list[str] = []
        self.attempts: list[int] = []
        self._act = act

    async def __call__(self, message: str) -> None:
        current = delivery.get()
        assert current is not None
        self.messages.append(message)
        self.attempts.append(current.attempt)
        self._act()


async def hang(_: str) -> None:
    await asyncio.Event().wait()


async def ignore(_: str) -> None:
    pass


async def until(holds: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until_told(expected: object, ask: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while await ask() != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_is_settled_leaves_nothing(redises: Redises) -> None:
    broker, shelf, ordered = await redises.broker(), Shelf(), Shelf()
    member = await broker.subscribe("orders.*", shelf, group="shipping")
    other = await broker.subscribe("orders.*", ordered, group="billing", partitions=2)
    own = await broker.subscribe("orders.>", ignore)
    assert len(await redises.named()) == 1 + 1 + 2 * 2 + 1
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(500)))
    await until(lambda: len(shelf.messages) == len(ordered.messages) == 500)
    for each in (member, other, own):
        await each.unsubscribe()
    streams = {"s:orders.*:shipping:0", "s:orders.*:billing:0", "s:orders.*:billing:1"}
    assert await redises.named() == {"g", *streams}
    for stream in streams:
        assert await redises.client.xlen(redises.prefix + stream) == 0
        groups = await redises.client.xinfo_groups(redises.prefix + stream)
        assert [(group["pending"], group["consumers"]) for group in groups] == [(0, 0)]


async def test_a_group_that_is_forgotten_leaves_nothing(redises: Redises) -> None:
    broker, other = await redises.broker(), await redises.broker()
    parts = SubscriptionConfig(partitions=3)
    feeds = await cast("Any", broker)._engine.subscribe("orders.*", "shipping", parts)
    feeds += await cast("Any", broker)._engine.subscribe("orders.*", "billing", SubscriptionConfig())
    await broker.publish("orders.new", "1")
    assert sorted([len(await feed.receive(1)) for feed in feeds]) == [0, 0, 1, 1]
    await (await other.subscribe("orders.*", ignore, group="shipping", partitions=3)).unsubscribe(forget=True)
    await (await other.subscribe("orders.*", ignore, group="billing")).unsubscribe(forget=True)
    assert await redises.named() == {"g", "f"}
    assert await redises.client.hkeys(f"{redises.prefix}g") == [b"version"]
    assert 0 < await redises.client.pttl(f"{redises.prefix}f") <= 7 * 86_400_000
    # A member that is left gets nothing more, and does not bring the group back.
    await broker.publish("orders.new", "2")
    assert [await feed.receive(1) for feed in feeds] == [()] * 4
    for feed in feeds:
        await feed.close()
    assert await redises.named() == {"g", "f"}


async def test_a_group_that_redis_has_lost_is_made_anew_whatever_else_it_kept(redises: Redises) -> None:
    broker, other, kept, lost, new = await redises.broker(), await redises.broker(), Shelf(), Shelf(), Shelf()
    await broker.subscribe("orders.*", kept, group="shipping")
    await (await broker.subscribe("orders.*", ignore, group="billing")).unsubscribe(forget=True)
    before = {name: await redises.client.dump(redises.prefix + name) for name in ("g", "f")}
    await broker.subscribe("orders.*", lost, group="billing")
    await other.publish("orders.new", "1")
    await until(lambda: kept.messages == lost.messages == ["1"])
    # Redis is again as it was, and goes on from there.
    async with redises.client.pipeline() as at_once:
        for name, dumped in before.items():
            at_once.restore(redises.prefix + name, 0, dumped, replace=True)
        at_once.unlink(f"{redises.prefix}s:orders.*:billing:0")
        await at_once.execute()
    await broker.subscribe("orders.*", new, group="archive")
    await other.publish("orders.new", "2")
    await until(lambda: kept.messages == ["1", "2"])
    await until(lambda: new.messages == ["2"])
    await until_told(True, lambda: redises.client.exists(f"{redises.prefix}s:orders.*:billing:0"))
    await other.publish("orders.new", "3")
    await until(lambda: lost.messages[-1] == "3")


async def test_a_group_made_by_another_process_misses_nothing(redises: Redises) -> None:
    publisher, others = await redises.broker(), [await redises.broker() for _ in range(3)]
    await publisher.publish("orders.new", "before")
    for number, other in enumerate(others):
        shelf = Shelf()
        await other.subscribe("orders.*", shelf, group=f"group-{number}")
        await publisher.publish("orders.new", "after")
        await until(lambda: shelf.messages == ["after"])  # noqa: B023


async def test_a_message_that_one_group_cannot_take_no_group_gets(redises: Redises) -> None:
    broker, shelf = await redises.broker(max_backlog=3), Shelf()
    for group in ("shipping", "billing"):
        await (await broker.subscribe("orders.*", ignore, group=group, partitions=2)).unsubscribe()
    await (await broker.subscribe("orders.old", ignore, group="archive")).unsubscribe()
    published = [broker.publish("orders.new", str(number), id=f"id {number}") for number in range(5)]
    outcomes = await asyncio.gather(*published, return_exceptions=True)
    assert [isinstance(outcome, BacklogFullError) for outcome in outcomes] == [False] * 3 + [True] * 2
    with pytest.raises(BacklogFullError):
        await broker.publish("orders.old", "old")
    assert await redises.client.xlen(f"{redises.prefix}s:orders.old:archive:0") == 0
    await broker.subscribe("orders.*", shelf, group="shipping", partitions=2)
    await broker.subscribe("orders.*", ignore, group="billing", partitions=2)
    await until(lambda: len(shelf.messages) == 3)
    await publish_until_taken(broker, "4", "id 4")  # the id was not taken for seen
    await until(lambda: sorted(shelf.messages) == ["0", "1", "2", "4"])


async def publish_until_taken(broker: RedisStreamBroker[str], message: str, id: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", message, id=id)
            except BacklogFullError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_an_id_is_known_again_in_one_batch_and_by_another_process(redises: Redises) -> None:
    broker, other, shelf = await redises.broker(), await redises.broker(), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    await asyncio.gather(*(broker.publish("orders.new", "same", id="1") for _ in range(3)))
    await other.publish("orders.new", "same", id="1")
    await other.publish("orders.new", "another", id="2")
    await until(lambda: len(shelf.messages) == 2)
    assert shelf.messages == ["same", "another"]
    assert 0 < await redises.client.pttl(f"{redises.prefix}i:1") <= 120_000


async def test_the_order_outlasts_a_member_that_leaves(redises: Redises) -> None:
    broker, sent = await redises.broker(), [str(number) for number in range(60)]
    first, second = Shelf(), Shelf()
    member = await broker.subscribe("orders.*", first, group="shipping", prefetch=10)
    await member.unsubscribe()
    await asyncio.gather(*(broker.publish("orders.new", message) for message in sent))
    gate = asyncio.Event()

    async def few(message: str) -> None:
        await first(message)
        if len(first.messages) == 3:
            gate.set()
            await asyncio.sleep(0)

    member = await broker.subscribe("orders.*", few, group="shipping", prefetch=10, lease=600)
    await gate.wait()
    await member.unsubscribe()
    await broker.subscribe("orders.*", second, group="shipping")
    await until(lambda: len(first.messages) + len(second.messages) == 60)
    assert first.messages + second.messages == sent
    assert set(second.attempts) == {1}


async def test_members_that_wait_get_what_another_gives_back(redises: Redises) -> None:
    broker, other, shelf = await redises.broker(), await redises.broker(), Shelf()
    await broker.subscribe("orders.*", hang, group="shipping", lease=600)
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(10)))
    stream = f"{redises.prefix}s:orders.*:shipping:0"
    await until_told(10, lambda: _pending(redises.client, stream))
    await other.subscribe("orders.*", shelf, group="shipping", lease=600)
    await broker.close(0)
    await until(lambda: len(shelf.messages) == 10)
    assert shelf.messages == [str(number) for number in range(10)]
    assert shelf.attempts == [2, *[1] * 9]


async def _pending(client: Any, stream: str) -> int:
    return (await client.xpending(stream, "g"))["pending"]


async def test_a_read_that_was_cut_off_takes_nothing_along(redises: Redises) -> None:
    publisher, shelf = await redises.broker(), Shelf()
    await publisher.subscribe("orders.*", shelf, group="shipping", lease=600)
    over = asyncio.Event()
    sent: list[str] = []

    async def publish() -> None:
        while not over.is_set():
            sent.append(f"{len(sent)}")
            await publisher.publish("orders.new", sent[-1])

    publishing = asyncio.create_task(publish())
    broker = await redises.broker()
    taken = Shelf()
    for _ in range(30):
        await (await broker.subscribe("orders.*", taken, group="shipping", lease=600)).unsubscribe()
    over.set()
    await publishing
    await until(lambda: len(shelf.messages) + len(taken.messages) >= len(sent))
    assert sorted(shelf.messages + taken.messages) == sorted(sent)


async def test_a_group_of_its_own_ends_some_time_after_its_process(redises: Redises) -> None:
    broker, shelf = await redises.broker(), Shelf()
    await cast("Any", broker)._engine.subscribe("orders.*", None, SubscriptionConfig())  # and nobody uses it
    (name,) = await redises.named() - {"g"}
    stream = redises.prefix + name
    assert 10_000 < await redises.client.pttl(stream) <= 30_000
    await redises.client.pexpire(stream, 1)
    await until_told(0, lambda: redises.client.exists(stream))
    await broker.subscribe("orders.*", shelf)
    await broker.publish("orders.new", "1")
    await until(lambda: shelf.messages == ["1"])
    assert len(await redises.client.hkeys(f"{redises.prefix}g")) == 2
    assert not await redises.client.exists(stream)


async def test_groups_of_dead_processes_are_forgotten(redises: Redises) -> None:
    dead = f"orders.*#{uuid4().hex}"
    await redises.client.hset(f"{redises.prefix}g", mapping={"version": "1", dead: "0"})
    broker = await redises.broker()
    assert not await redises.client.hexists(f"{redises.prefix}g", dead)
    await redises.client.hset(f"{redises.prefix}g", mapping={"version": "100", dead: "0"})
    await broker.publish("orders.new", "1")
    assert not await redises.client.hexists(f"{redises.prefix}g", dead)


async def test_namespaces_share_nothing(redises: Redises) -> None:
    broker, other = await redises.broker(), await redises.broker(f"{redises.namespace}:x")
    shelf, foreign = Shelf(), Shelf()
    await broker.subscribe(">", shelf, group="all")
    await other.subscribe(">", foreign, group="all")
    await other.publish("orders.new", "1")
    await until(lambda: foreign.messages == ["1"])
    await broker.publish("orders.new", "2")
    await until(lambda: shelf.messages == ["2"])
    assert foreign.messages == ["1"]


async def test_no_reply_waits_for_a_group_of_all_topics(redises: Redises) -> None:
    broker = await redises.broker()
    await (await broker.subscribe(">", ignore, group="all")).unsubscribe()

    async def echo(message: str) -> str:
        return message

    await broker.subscribe("echo", echo, group="echo")
    assert (await broker.request("echo", "hello", timeout=PATIENCE)).unwrap() == "hello"
    assert await redises.client.xlen(f"{redises.prefix}s:>:all:0") == 1


async def test_what_somebody_else_has_written_becomes_a_dead_letter(redises: Redises) -> None:
    broker, shelf, ordered = await redises.broker(), Shelf(), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    await broker.subscribe("orders.*", ordered, group="billing", partitions=1)
    for group in ("shipping", "billing"):
        for fields in ({"hello": "world"}, {"id": b"\xff", "topic": "t", "key": "", "headers": "", "data": "1"}):
            await redises.client.xadd(f"{redises.prefix}s:orders.*:{group}:0", fields)
    await broker.publish("orders.new", "1")
    await until(lambda: shelf.messages == ordered.messages == ["1"])
    await until_told(4, lambda: _letters(broker))
    (letter, *_) = await broker.dead_letters.peek()
    assert letter.data == b"hello\nworld"
    assert letter.message is None


async def test_scripts_run_in_their_order_when_redis_hears_of_them_in_between(redises: Redises) -> None:
    text = f"redis.call('RPUSH', KEYS[1], ARGV[1]) -- {uuid4().hex}"
    script, key = Script(text), f"{redises.prefix}list".encode()
    line = Line(redises.client, PATIENCE)
    await line.exchange([run(script, [key], 1), ("SCRIPT", "LOAD", text), run(script, [key], 2)])
    assert await redises.client.lrange(key, 0, -1) == [b"1", b"2"]
    await line.close()


async def test_few_dead_entries_are_found_among_many(redises: Redises) -> None:
    broker = await redises.broker()
    engine = cast("Any", broker)._engine
    (busy,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=600))
    (dead,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=600))
    (heir,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=1))
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(900)))
    held = list(await busy.receive(890))
    left = await dead.receive(10)
    found: list[Any] = []
    async with asyncio.timeout(30):
        while len(found) < 10:
            await busy.renew(held)
            found += await heir.receive(1)
    assert [each.token for each in found] == [each.token for each in left]
    assert {each.attempt for each in found} == {2}
    for feed in (busy, dead, heir):
        await feed.close()


class Deaf:
    """A line of which nobody hears what Redis answered to the first that was asked."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self.done = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    async def ask(self, command: Any) -> Any:
        return await self._heard(await self._line.ask(command))

    async def exchange(self, commands: Any, wait: float) -> Any:
        return await self._heard(await self._line.exchange(commands, wait))

    async def _heard(self, reply: Any) -> Any:
        if not self.done.is_set():
            self.done.set()
            await asyncio.Event().wait()
        return reply


async def unheard(feed: Any, line: str) -> None:
    """Have `feed` receive by `line`, and be cut off when Redis has answered."""
    deaf = Deaf(getattr(feed, line))
    setattr(feed, line, deaf)
    receiving = asyncio.create_task(feed.receive(10))
    await deaf.done.wait()
    receiving.cancel()
    await asyncio.wait((receiving,))


@pytest.mark.parametrize(("line", "partitions"), [("_own", None), ("_line", None), ("_line", 1)])
async def test_what_no_member_has_heard_of_is_given_back_uncounted(
    redises: Redises, line: str, partitions: int | None
) -> None:
    broker, config = await redises.broker(), SubscriptionConfig(partitions=partitions, lease=600)
    engine = cast("Any", broker)._engine
    (feed,) = await engine.subscribe("orders.*", "shipping", config)
    (heir,) = await engine.subscribe("orders.*", "shipping", config)
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(10)))
    if line == "_line" and partitions is None:
        await feed.give_back([_uncounted(each) for each in await feed.receive(10)])
        feed._looked = 0.0
    await unheard(feed, line)
    await until_told(10, lambda: _pending(redises.client, f"{redises.prefix}s:orders.*:shipping:0"))
    await feed.close()
    heir._looked = 0.0
    assert [each.attempt for each in await heir.receive(10)] == [1] * 10
    await heir.close()


def _uncounted(received: Any) -> Any:
    received.attempt -= 1
    return received


async def test_what_is_held_at_the_end_is_given_back_as_it_was_counted(redises: Redises) -> None:
    broker = await redises.broker()
    engine, config = cast("Any", broker)._engine, SubscriptionConfig(lease=600)
    (feed,) = await engine.subscribe("orders.*", "shipping", config)
    (heir,) = await engine.subscribe("orders.*", "shipping", config)
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(2)))
    begun, waiting = await feed.receive(10)
    begun.attempt, waiting.attempt = 3, 0
    await feed.close()
    assert [each.attempt for each in await heir.receive(10)] == [4, 1]
    await heir.close()


@pytest.mark.parametrize("partitions", [None, 1])
async def test_a_member_keeps_what_it_has_however_long_it_stalls(redises: Redises, partitions: int | None) -> None:
    broker, config = await redises.broker(), SubscriptionConfig(partitions=partitions, lease=0.5)
    (feed,) = await cast("Any", broker)._engine.subscribe("orders.*", "shipping", config)
    lost: list[Any] = []
    feed.attach(lost.extend)
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(10)))
    held = await feed.receive(10)
    stream = f"{redises.prefix}s:orders.*:shipping:0"

    async def stalled() -> bool:
        return all(each["time_since_delivered"] > 500 for each in await _entries(redises.client, stream))

    await until_told(True, stalled)
    if partitions:
        await redises.client.delete(f"{redises.prefix}p:orders.*:shipping:0")
    await broker.publish("orders.new", "another")
    assert [each.envelope.data for each in await _received(feed, 1)] == [b'"another"']
    assert {each["times_delivered"] for each in await _entries(redises.client, stream)} == {1}
    await feed.renew(held)
    assert not lost
    await feed.close()


async def test_a_member_that_lives_gets_what_it_has_not_heard_of(redises: Redises) -> None:
    broker, config = await redises.broker(), SubscriptionConfig(lease=0.5)
    (feed,) = await cast("Any", broker)._engine.subscribe("orders.*", "shipping", config)
    await broker.publish("orders.new", "1")
    await unheard(feed, "_own")
    assert [each.attempt for each in await _received(feed, 1)] == [1]
    await feed.close()


async def _received(feed: Any, count: int, most: int = 10) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await feed.receive(most)
    return found


async def _entries(client: Any, stream: str) -> list[dict[str, Any]]:
    return await client.xpending_range(stream, "g", "-", "+", 100)


async def test_a_member_is_told_which_entries_it_has_lost(redises: Redises) -> None:
    broker = await redises.broker()
    engine = cast("Any", broker)._engine
    (feed,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=600))
    lost: list[Any] = []
    feed.attach(lost.extend)
    (heir,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=0.1))
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(3)))
    held = list(await feed.receive(10))
    (taken,) = await _received(heir, 1, most=1)
    assert (taken.token, taken.attempt) == (held[0].token, 2)
    await feed.renew(held)
    await feed.renew(held[1:])
    assert lost == held[:1]
    await heir.close()
    feed._looked = 0.0
    assert [(each.token, each.attempt) for each in await feed.receive(10)] == [(taken.token, 3)]
    await feed.close()


async def test_a_member_is_told_that_it_has_lost_its_partition(redises: Redises) -> None:
    feed, heir, held, lost = await _two_of_a_partition(redises)
    owner = f"{redises.prefix}p:orders.*:shipping:0"
    await redises.client.delete(owner)
    await feed.renew(held)
    assert not lost
    assert await redises.client.get(owner) == feed._member.encode()
    await redises.client.delete(owner)
    (first,) = await heir.receive(1)
    await feed.renew(held)
    assert lost == held
    theirs = [first, *await _received(heir, 2)]
    assert [(each.token, each.attempt) for each in theirs] == [(each.token, 1) for each in held]
    await heir.settle([first])
    await heir.close()
    again = await _received(feed, 2)
    assert [(each.token, each.attempt) for each in again] == [(each.token, 2) for each in theirs[1:]]
    await feed.close()


async def test_a_partition_that_another_had_in_between_is_begun_anew(redises: Redises) -> None:
    feed, heir, held, lost = await _two_of_a_partition(redises)
    await redises.client.delete(f"{redises.prefix}p:orders.*:shipping:0")
    await heir.receive(1)
    await heir.close()
    await feed.renew(held)
    assert lost == held
    again = await _received(feed, 3)
    assert [(each.token, each.attempt) for each in again] == [
        (each.token, attempt) for each, attempt in zip(held, (2, 1, 1), strict=True)
    ]
    await feed.close()


async def test_what_is_settled_meanwhile_costs_no_partition(redises: Redises) -> None:
    feed, heir, held, lost = await _two_of_a_partition(redises)
    await redises.client.delete(f"{redises.prefix}p:orders.*:shipping:0")
    await asyncio.gather(feed.settle(held[:1]), feed.renew(held))
    assert lost == held[:1]
    await heir.close()
    await feed.close()


async def _two_of_a_partition(redises: Redises) -> tuple[Any, Any, list[Any], list[Any]]:
    """Return a feed that has a partition, one that has not, what the first holds, not begun, and what it loses."""
    broker, config = await redises.broker(), SubscriptionConfig(partitions=1, lease=600)
    engine = cast("Any", broker)._engine
    (feed,) = await engine.subscribe("orders.*", "shipping", config)
    (heir,) = await engine.subscribe("orders.*", "shipping", config)
    lost: list[Any] = []
    feed.attach(lost.extend)
    for number in range(3):
        await broker.publish("orders.new", str(number))
    held = [_uncounted(each) for each in await feed.receive(10)]
    await feed.renew(held)
    return feed, heir, held, lost


def letter_of(id: str, message: str, group: str = "shipping") -> DeadLetter[str]:
    now = datetime.now(UTC)
    return DeadLetter(id, "m-1", "orders.new", None, {}, message, group, 1, "KeyError", "", now, now)


async def test_a_letter_that_was_discarded_does_not_come_back_when_it_is_buried_again(redises: Redises) -> None:
    broker, other = await redises.broker(), await redises.broker()
    (feed,) = await cast("Any", broker)._engine.subscribe("orders.*", "shipping", SubscriptionConfig(lease=600))
    await broker.publish("orders.new", "1")
    (held,) = await feed.receive(1)
    letter = replace(letter_of("1", ""), message=None, data=b'"1"')
    await feed.bury(held, letter)
    assert await other.dead_letters.discard("1")
    await feed.bury(held, letter)
    await feed.bury(held, replace(letter, id="2"))  # as another member would
    assert await other.dead_letters.peek() == []
    await feed.close()


async def test_what_is_replayed_is_the_letter_as_it_is_then(redises: Redises) -> None:
    broker, other, shelf = await redises.broker(), await redises.broker(), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    await broker.dead_letters.create(letter_of("1", "one"))
    letters = cast("Any", broker)._engine.letters
    find, changed = letters._find, asyncio.Event()

    async def found(id: str) -> bytes | None:
        kept = await find(id)
        if not changed.is_set():
            changed.set()
            await other.dead_letters.update(letter_of("1", "two"))
        return kept

    letters._find = found
    assert await broker.dead_letters.replay("1")
    await until(lambda: shelf.messages)
    assert shelf.messages == ["two"]
    assert await broker.dead_letters.peek() == []


async def test_a_letter_made_by_hand_goes_to_all_groups_of_its_name(redises: Redises) -> None:
    broker, shelves = await redises.broker(), [Shelf(), Shelf()]
    for pattern, shelf in zip(("orders.*", "orders.>"), shelves, strict=True):
        await broker.subscribe(pattern, shelf, group="shipping")
    await broker.dead_letters.create(letter_of("1", "one"))
    assert await broker.dead_letters.replay("1")
    await until(lambda: all(shelf.messages == ["one"] for shelf in shelves))


async def test_a_letter_goes_to_its_own_group_as_long_as_it_has_its_name(redises: Redises) -> None:
    broker, shelf, namesake = await redises.broker(), Shelf(), Shelf()

    async def fail(_: str) -> None:
        raise KeyError

    for number in range(2):
        failing = await broker.subscribe("orders.*", fail, group="shipping", max_deliveries=1)
        await broker.publish("orders.new", f"{number}")
        await until_told(number + 1, lambda: _letters(broker))
        await failing.unsubscribe()
    await broker.subscribe("orders.*", shelf, group="shipping")
    await broker.subscribe("orders.>", namesake, group="shipping")
    await broker.subscribe("orders.>", namesake, group="billing")
    first, second = await broker.dead_letters.peek()
    await broker.dead_letters.update(replace(first, reason="changed"))
    assert await broker.dead_letters.replay(first.id)
    await until(lambda: shelf.messages == ["0"])
    await broker.dead_letters.update(replace(second, group="billing"))
    assert await broker.dead_letters.replay(second.id)
    await until(lambda: namesake.messages == ["1"])
    assert shelf.messages == ["0"]


async def test_what_redis_refuses_is_told(redises: Redises) -> None:
    broker = await redises.broker()
    await redises.client.set(f"{redises.prefix}s:orders.new:shipping:0", "no stream")
    with pytest.raises(BrokerRefusedError) as caught:
        await broker.subscribe("orders.new", ignore, group="shipping")
    assert caught.value.operation == "broker.subscribe"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("namespace", {"namespace": " "}),
        ("timeout", {"timeout": 0}),
        ("max_backlog", {"max_backlog": 0}),
        ("max_backlog", {"max_backlog": 1.5}),
        ("close_timeout", {"close_timeout": -1}),
        ("source", {"source": ""}),
    ],
)
def test_bad_arguments(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        RedisStreamBroker[str](Redis(), str, **options)
    assert caught.value.field == field


def test_a_client_that_decodes_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        RedisStreamBroker[str](Redis(decode_responses=True), str)
    assert caught.value.field == "client"


async def exercised(broker: RedisStreamBroker[str], other: RedisStreamBroker[str]) -> None:
    """See that all kinds of calls work."""
    shelf, ordered = Shelf(), Shelf()

    async def fail(_: str) -> None:
        raise KeyError

    async def echo(message: str) -> str:
        return message

    await broker.subscribe("orders.*", shelf, group="shipping")
    await broker.subscribe("orders.*", ordered, group="billing", partitions=2)
    await broker.subscribe("bad", fail, group="bad", max_deliveries=1)
    await broker.subscribe("echo", echo, group="echo")
    await asyncio.gather(*(other.publish("orders.new", str(number), key="ada") for number in range(100)))
    await until(lambda: len(shelf.messages) == len(ordered.messages) == 100)
    assert ordered.messages == [str(number) for number in range(100)]
    await other.publish("bad", "1")
    await until_told(1, lambda: _letters(other))
    (letter,) = await other.dead_letters.peek()
    assert await other.dead_letters.discard(letter.id)
    assert (await other.request("echo", "hello", timeout=PATIENCE)).unwrap() == "hello"


async def _letters(broker: RedisStreamBroker[str]) -> int:
    return len(await broker.dead_letters.peek())


async def test_it_runs_on_redis_and_on_valkey(standalone_url: str) -> None:
    async with Redises(standalone_url) as redises:
        await exercised(await redises.broker(), await redises.broker())


@pytest.mark.parametrize("protocol", [2, 3])
async def test_it_runs_with_both_protocols(redis_url: str, protocol: int) -> None:
    async with Redises(f"{redis_url}?protocol={protocol}") as redises:
        await exercised(await redises.broker(), await redises.broker())


async def test_it_runs_on_a_cluster() -> None:
    with provided(RedisCluster(replicas=1)) as cluster:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(ClusterClient.from_url(cluster.url)) for _ in range(2)]
            made = [RedisStreamBroker[str](client, str, namespace="shop", timeout=PATIENCE) for client in clients]
            broker, other = [await stack.enter_async_context(each) for each in made]
            await exercised(broker, other)
            await asyncio.to_thread(cluster.failover, "{shop}:g")
            shelf = Shelf()
            await subscribe_when_it_works(broker, "after", shelf)
            await publish_until_handled(other, "after", shelf)


async def test_it_runs_behind_a_sentinel() -> None:
    with provided(RedisSentinel()) as sentinel:
        async with AsyncExitStack() as stack:
            sentinels: Any = Sentinel(sentinel.addresses)
            for each in sentinels.sentinels:
                stack.push_async_callback(each.aclose)
            clients = [await stack.enter_async_context(sentinels.master_for(SERVICE)) for _ in range(2)]
            made = [RedisStreamBroker[str](client, str, namespace="shop", timeout=PATIENCE) for client in clients]
            broker, other = [await stack.enter_async_context(each) for each in made]
            await exercised(broker, other)
            await asyncio.to_thread(sentinel.failover)
            shelf = Shelf()
            await subscribe_when_it_works(broker, "after", shelf)
            await publish_until_handled(other, "after", shelf)


async def subscribe_when_it_works(broker: RedisStreamBroker[str], topic: str, shelf: Shelf) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await broker.subscribe(topic, shelf, group="after")
            except (BrokerUnavailableError, BrokerRefusedError):
                await asyncio.sleep(0.05)
            else:
                return


async def publish_until_handled(broker: RedisStreamBroker[str], topic: str, shelf: Shelf) -> None:
    async with asyncio.timeout(60):
        while not shelf.messages:
            with suppress(BrokerUnavailableError):
                await broker.publish(topic, "1")
            await asyncio.sleep(0.05)
