"""What a feed of RabbitMQ does about the channel that it has lost."""

import asyncio
from collections.abc import Callable, Collection, Generator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RABBITMQ, Server
from infra_messaging._engine import Envelope, Received
from infra_messaging.rabbitmq._engine import RabbitEngine
from infra_messaging.rabbitmq._feed import RabbitFeed
from infra_messaging.rabbitmq._names import Names
from infra_protocols import BrokerUnavailableError, SubscriptionConfig

TIMEOUT = 10.0


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with provided(Server(RABBITMQ)) as server:
        yield server


@pytest.fixture
async def proxy(server: Server, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(server.port))


@pytest.fixture
def names() -> Names:
    return Names(uuid4().hex)


async def engine_at(url: str, names: Names, stack: AsyncExitStack) -> Any:
    engine = RabbitEngine(url, names, TIMEOUT, 1000)
    await engine.open()
    stack.push_async_callback(engine.close)
    return engine


@pytest.fixture
async def engine(proxy: Proxy, names: Names, stack: AsyncExitStack) -> Any:
    """An engine whose connections can be cut."""
    return await engine_at(RABBITMQ.url(proxy.port), names, stack)


@pytest.fixture
async def other(server: Server, names: Names, stack: AsyncExitStack) -> Any:
    """An engine whose connections stay."""
    return await engine_at(server.url, names, stack)


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def publish(engine: RabbitEngine, *ids: str) -> None:
    for id in ids:
        await engine.publish(Envelope(id, "orders.new", "ada", {}, id.encode()))


async def received(feed: RabbitFeed, count: int) -> list[Received]:
    got: list[Received] = []
    async with asyncio.timeout(60):
        while len(got) < count:
            got += await feed.receive(count - len(got))
    return got


def ids(messages: Collection[Received]) -> list[str]:
    return [message.id for message in messages]


async def consumers(engine: Any, queue: str) -> int:
    async with engine._line.lent() as channel:
        return (await channel.queue_declare(queue, passive=True)).consumer_count


async def waiting(engine: Any, queue: str) -> int:
    async with engine._line.lent() as channel:
        return (await channel.queue_declare(queue, passive=True)).message_count


async def test_renewing_consumes_again(engine: Any, other: Any, proxy: Proxy) -> None:
    (feed,) = await engine.subscribe("orders.*", None, SubscriptionConfig(prefetch=2))
    await publish(other, "1", "2", "3")
    held = await received(feed, 2)
    proxy.cut()
    await until(lambda: not feed._is_consuming())
    while await consumers(other, feed._queue.name):
        pass
    await asyncio.gather(feed.renew(held), feed.renew(held))
    assert await consumers(other, feed._queue.name) == 1
    await feed.settle(held)
    assert ids(await received(feed, 1)) == ["3"]
    await feed.close()
    await feed.renew([])
    assert not feed._is_consuming()


async def test_what_is_held_of_a_lost_partition_is_dropped_and_handed_on_anew(
    engine: Any, other: Any, proxy: Proxy
) -> None:
    (feed,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig(partitions=1))
    dropped = list[Received]()
    feed.attach(dropped.extend)
    await publish(other, "1", "2", "3", "4")
    held = await received(feed, 3)
    proxy.cut()
    await until(lambda: dropped)
    assert [message for message in dropped if message in held] == held
    await feed.settle(held[:1])
    again = await received(feed, 3)
    assert ids(again) == ["2", "3", "4"]
    assert not any(message in held for message in again)
    await feed.settle([held[1], *again])
    await feed.close()
    assert ids(dropped) in (["1", "2", "3"], ["1", "2", "3", "4"])


async def test_a_message_is_not_taken_for_one_of_the_same_id_that_was_settled(
    engine: Any, other: Any, proxy: Proxy
) -> None:
    (feed,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig())
    await publish(other, "1")
    held = await received(feed, 1)
    proxy.refuse()
    proxy.cut()
    await until(lambda: not feed._is_consuming())
    await feed.settle(held)  # nobody can be told
    (theirs,) = await other.subscribe("orders.*", "shipping", SubscriptionConfig())
    await theirs.settle(await received(theirs, 1))
    await publish(other, "1")
    await received(theirs, 1)
    proxy.restore()
    await feed.renew([])
    other._line._abort()
    assert ids(await received(feed, 1)) == ["1"]


async def test_what_is_given_back_comes_once_though_some_is_not_confirmed(
    engine: Any, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SubscriptionConfig(prefetch=300)
    (feed,) = await engine.subscribe("orders.*", "shipping", config)
    sent = [f"{number}" for number in range(250)]
    await publish(other, *sent)
    held = await received(feed, 200)
    await until(lambda: len(feed._waiting) == 50)
    real = engine._publisher.publish

    async def fail(exchange: str, key: str, headers: dict[str, Any], body: bytes) -> None:
        if body in {b"19", b"180", b"240"}:
            raise BrokerUnavailableError("1")
        await real(exchange, key, headers, body)

    with monkeypatch.context() as now:
        now.setattr(engine._publisher, "publish", fail)
        for _ in range(3):
            with pytest.raises(BrokerUnavailableError):
                await feed.give_back(held)
    await feed.give_back(held)
    await feed.close()
    (feed,) = await other.subscribe("orders.*", "shipping", config)
    again = await received(feed, 250)
    assert sorted(ids(again)) == sorted(sent)
    assert {message.id: message.attempt for message in again} == {
        message: 2 if message in ids(held) else 1 for message in sent
    }
    await feed.settle(again)
    assert await waiting(other, feed._queue.name) == 0
