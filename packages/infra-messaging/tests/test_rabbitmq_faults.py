"""What is of RabbitMQ alone: when too many wait, and in which order and with which count it has messages back."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RABBITMQ, Server
from infra_messaging.rabbitmq import RabbitBroker, _records
from infra_protocols import (
    BacklogFullError,
    BrokerClosedError,
    BrokerRefusedError,
    BrokerUnavailableError,
    DeadLetter,
    delivery,
)

TIMEOUT = 5.0
TIME = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with provided(Server(RABBITMQ)) as server:
        yield server


@pytest.fixture
async def proxy(server: Server, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(server.port))


async def broker_at(url: str, namespace: str, stack: AsyncExitStack) -> RabbitBroker[str]:
    return await stack.enter_async_context(RabbitBroker[str](url, str, namespace=namespace, timeout=TIMEOUT))


def by(proxy: Proxy) -> str:
    return RABBITMQ.url(proxy.port)


def engine_of(broker: Any) -> Any:
    return broker._engine


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Shelf:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def __call__(self, message: str) -> None:
        self.messages.append(message)


async def test_a_full_group_refuses_and_the_others_go_on(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await stack.enter_async_context(
        RabbitBroker[str](server.url, str, namespace=namespace, timeout=TIMEOUT, max_backlog=5)
    )
    await (await broker.subscribe("orders.*", Shelf(), group="full")).unsubscribe()
    other = Shelf()
    await broker.subscribe("orders.*", other, group="other")
    accepted = list[str]()
    with pytest.raises(BacklogFullError):  # noqa: PT012
        for number in range(1000):
            await broker.publish("orders.new", f"order {number}")
            accepted.append(f"order {number}")
    assert 5 <= len(accepted) < 100
    late = Shelf()
    await broker.subscribe("orders.*", late, group="full")
    await until(lambda: set(accepted) <= set(late.messages) and set(accepted) <= set(other.messages))
    await publish_until_there_is_room(broker)


async def publish_until_there_is_room(broker: RabbitBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BacklogFullError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_many_letters_keep_their_order_when_they_are_read(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(server.url, namespace, stack)

    async def refuse(message: str) -> None:
        raise ValueError(message)

    await broker.subscribe("orders.*", refuse, group="shipping", max_deliveries=1)
    sent = [f"order {number}" for number in range(150)]
    for message in sent:
        await broker.publish("orders.new", message)
    async with asyncio.timeout(30):
        while len(letters := await broker.dead_letters.get_all()) < 150:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [letter.message for letter in letters] == sent
    assert [letter.message for letter in await broker.dead_letters.peek(60)] == sent[:60]
    assert await asyncio.gather(*[broker.dead_letters.discard(letters[7].id) for _ in range(3)]) in (
        [True, False, False],
        [False, True, False],
        [False, False, True],
    )
    assert [letter.message for letter in await broker.dead_letters.get_all()] == sent[:7] + sent[8:]


async def test_a_partition_goes_to_another_in_order_when_its_member_leaves_or_dies(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    publisher = await broker_at(server.url, namespace, stack)
    first, second = await broker_at(by(proxy), namespace, stack), await broker_at(server.url, namespace, stack)
    sent = [f"order {number}" for number in range(300)]

    async def hang(_: str) -> None:
        await asyncio.Event().wait()

    member = await first.subscribe("orders.*", hang, group="shipping", partitions=1, prefetch=1000)
    await second.subscribe("orders.*", hang, group="shipping", partitions=1, prefetch=1000)
    for message in sent:
        await publisher.publish("orders.new", message, key="ada")
    proxy.refuse()
    proxy.cut()  # the second has the partition now, and holds as much of it as it may
    shelf = Shelf()
    await publisher.subscribe("orders.*", shelf, group="shipping", partitions=1)
    await second.close(0)
    await until(lambda: len(shelf.messages) >= 300)
    assert shelf.messages == sent
    assert member.active
    await first.close(0)


async def test_what_was_not_handled_does_not_count(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack)
    sent = [f"order {number}" for number in range(20)]

    async def hang(_: str) -> None:
        await asyncio.Event().wait()

    for number in range(4):
        member = await broker.subscribe("orders.*", hang, group="shipping", max_deliveries=100)
        if number == 0:
            for message in sent:
                await broker.publish("orders.new", message)
        leaving = asyncio.ensure_future(member.unsubscribe())
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.wait((leaving,))
    attempts = list[int]()

    async def note(_: str) -> None:
        current = delivery.get()
        attempts.append(current.attempt if current else 0)

    await broker.subscribe("orders.*", note, group="shipping")
    await until(lambda: len(attempts) == 20)
    assert sum(attempts) <= 20 + 4
    assert not await broker.dead_letters.peek()


async def refuse(message: str) -> None:
    raise ValueError(message)


async def letters_of(broker: RabbitBroker[str], count: int) -> list[DeadLetter[str]]:
    async with asyncio.timeout(60):
        while len(letters := await broker.dead_letters.get_all()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return letters


async def test_what_was_accepted_with_large_headers_can_be_buried_and_replayed(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(server.url, namespace, stack)
    member = await broker.subscribe("orders.*", refuse, group="shipping", max_deliveries=1)
    headers = {f"h{number}": "é" * 4096 for number in range(15)}
    await broker.publish("orders.new", "large", headers=headers)
    (letter,) = await letters_of(broker, 1)
    assert {name: letter.headers[name] for name in headers} == headers
    assert letter.message == "large"
    await member.unsubscribe()
    shelf = Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    assert await broker.dead_letters.replay(letter.id)
    await until(lambda: shelf.messages == ["large"])


async def test_larger_headers_than_the_server_takes_are_refused_and_the_others_go_on(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(server.url, namespace, stack)
    headers = {f"h{number}": "x" * 4096 for number in range(32)}
    large = asyncio.ensure_future(broker.publish("orders.new", "large", headers=headers))
    await asyncio.gather(*[broker.publish("orders.new", f"order {number}") for number in range(20)])
    with pytest.raises(BrokerRefusedError, match=r"131\d{3} bytes, more than 130048"):
        await large
    written = DeadLetter[str]("1", "1", "orders.new", None, headers, "large", "shipping", 1, "E", "", TIME, TIME)
    await broker.dead_letters.create(written)
    await broker.subscribe("orders.*", Shelf(), group="shipping")
    with pytest.raises(BrokerRefusedError):
        await broker.dead_letters.replay("1")
    assert await broker.dead_letters.exists("1")


async def until_there_are(engine: Any, queue: str, count: int) -> None:
    """Wait until so many messages are in a queue: what a reader has had goes back soon after it has ended."""
    async with asyncio.timeout(30):
        while True:
            async with engine._line.lent() as channel:
                if (await channel.queue_declare(queue, passive=True)).message_count == count:
                    return


async def test_looking_at_letters_leaves_nothing_behind(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack)
    await broker.subscribe("orders.*", refuse, group="shipping", max_deliveries=1)
    for number in range(3):
        await broker.publish("orders.new", f"order {number}")
    await letters_of(broker, 3)
    engine = engine_of(broker)
    for _ in range(3):
        assert len(await broker.dead_letters.peek(1)) == 1
    await asyncio.gather(*[broker.dead_letters.peek(2) for _ in range(10)])
    await until_there_are(engine, engine._names.letters, 3)


async def test_the_mark_of_a_reader_that_was_cancelled_goes(
    server: Server, stack: AsyncExitStack, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(await broker_at(server.url, namespace, stack))
    added = asyncio.Event()
    real = engine._publisher.publish

    async def publish(*args: Any) -> None:
        await real(*args)
        added.set()

    monkeypatch.setattr(engine._publisher, "publish", publish)

    async def read() -> None:
        async with engine._records.reading():
            pass

    async with engine._records.reading():
        with monkeypatch.context() as soon:
            soon.setattr(_records, "_LIFETIME", 1)
            added.clear()
            waiting = asyncio.ensure_future(read())
            await added.wait()
            waiting.cancel()
            await asyncio.wait((waiting,))
    await read()
    await until_there_are(engine, engine._names.groups, 0)


async def test_calls_that_are_under_way_when_the_broker_is_closed_say_so(
    server: Server, namespace: str, stack: AsyncExitStack
) -> None:
    other = await broker_at(server.url, namespace, stack)
    await other.subscribe("orders.*", Shelf(), group="shipping")
    for turn in range(20):
        broker = RabbitBroker[str](server.url, str, namespace=namespace, timeout=TIMEOUT)
        await broker.open()
        letters = broker.dead_letters
        written = DeadLetter[str]("1", "1", "orders.new", None, {}, "1", "shipping", 1, "E", "", TIME, TIME)
        await letters.create(written)
        replaying, peeking = asyncio.ensure_future(letters.replay("1")), asyncio.ensure_future(letters.peek())
        await asyncio.sleep(turn * 0.001)
        await broker.close()
        replayed, peeked = await asyncio.gather(replaying, peeking, return_exceptions=True)
        assert isinstance(replayed, (bool, BrokerUnavailableError, BrokerClosedError))
        assert isinstance(peeked, (list, BrokerUnavailableError, BrokerClosedError))
        engine = engine_of(broker)
        assert engine._line._connection is None
        assert engine._publisher._line._connection is None
        await other.dead_letters.discard("1")


async def test_a_channel_that_was_not_written_to_in_time_is_closed(
    proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await stack.enter_async_context(
        RabbitBroker[str](by(proxy), str, namespace=namespace, timeout=1.0, close_timeout=TIMEOUT)
    )
    channel = engine_of(broker)._publisher._channel
    proxy.to_server.hold()
    with pytest.raises(BrokerUnavailableError):
        await broker.publish("orders.new", "x" * 30_000_000)
    await until(lambda: engine_of(broker)._publisher._writer is None)
    proxy.restore()
    await until(lambda: channel.is_closed)


async def test_a_member_begins_nothing_of_a_partition_that_it_has_lost(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    first, second = await broker_at(by(proxy), namespace, stack), await broker_at(server.url, namespace, stack)
    begun, ended, gate, sent = list[str](), list[str](), asyncio.Event(), [f"order {number}" for number in range(10)]

    async def wait(message: str) -> None:
        begun.append(message)
        await gate.wait()
        ended.append(message)

    await first.subscribe("orders.*", wait, group="shipping", partitions=1)
    for message in sent:
        await second.publish("orders.new", message, key="ada")
    await until(lambda: begun)
    shelf = Shelf()
    await second.subscribe("orders.*", shelf, group="shipping", partitions=1)
    proxy.refuse()
    proxy.cut()
    await until(lambda: shelf.messages == sent)
    gate.set()
    await until(lambda: ended)
    await first.close()
    assert begun == sent[:1]
