"""How a group of RabbitMQ is made, forgotten, and found again: whatever happens, it is there with its record or not."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from aiormq.exceptions import ChannelNotFoundEntity

from infra_conformance.engines import provided
from infra_conformance.servers import RABBITMQ, Server
from infra_messaging._engine import Envelope
from infra_messaging.rabbitmq import _feed
from infra_messaging.rabbitmq._engine import RabbitEngine
from infra_messaging.rabbitmq._names import Names
from infra_protocols import BacklogFullError, BrokerUnavailableError, SubscriptionConfig, ValidationError

CONFIG = SubscriptionConfig()
TIMEOUT = 10.0


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with provided(Server(RABBITMQ)) as server:
        yield server


@pytest.fixture
def make(server: Server, stack: AsyncExitStack) -> Callable[..., Any]:
    names = Names(uuid4().hex)

    async def make(max_backlog: int = 1000) -> Any:
        engine = RabbitEngine(server.url, names, TIMEOUT, max_backlog)
        await engine.open()
        stack.push_async_callback(engine.close)
        return engine

    return make


async def is_there(engine: Any) -> bool:
    queue = engine._names.queue("orders.*", "shipping", None, 0)
    async with engine._line.lent() as channel:
        try:
            await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            return False
    return True


async def publish(engine: Any) -> None:
    id = uuid4().hex
    await engine.publish(Envelope(id, "orders.new", None, {}, b""))


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_group_is_not_forgotten_before_its_queues_are(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await make()
    (feed,) = await engine.subscribe("orders.*", "shipping", CONFIG)
    await feed.close()

    def fail() -> None:
        raise BrokerUnavailableError("1")

    with monkeypatch.context() as now:
        now.setattr(engine._line, "lent", fail)
        with pytest.raises(BrokerUnavailableError):
            await engine.forget("orders.*", "shipping")
    assert await engine._groups.named("shipping")
    await engine.forget("orders.*", "shipping")
    assert not await engine._groups.named("shipping")
    assert not await is_there(engine)


async def test_a_forgotten_group_stays_so_until_it_is_made_again(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_feed, "_LOOK", 0.0)
    first, second, third = await make(), await make(), await make(2)
    (feed,) = await first.subscribe("orders.*", "shipping", CONFIG)
    await second.forget("orders.*", "shipping")
    await until(lambda: not feed._is_consuming())
    await feed.renew([])
    assert not await feed.receive(1)
    assert not await is_there(second)
    (theirs,) = await third.subscribe("orders.*", "shipping", CONFIG)
    await theirs.close()
    await feed.renew([])
    assert feed._is_consuming()
    await publish(second)
    assert await feed.receive(1)
    await feed.close()
    with pytest.raises(BacklogFullError):  # noqa: PT012
        for _ in range(100):
            await publish(second)


async def test_a_queue_that_was_lost_is_made_again(make: Callable[..., Any]) -> None:
    engine = await make()
    (feed,) = await engine.subscribe("orders.*", "shipping", CONFIG)
    async with engine._line.lent() as channel:
        await channel.queue_delete(engine._names.queue("orders.*", "shipping", None, 0))
    await until(lambda: not feed._is_consuming())
    await feed.renew([])
    await publish(engine)
    assert await feed.receive(1)


async def test_joining_and_forgetting_at_once_leave_a_group_or_none(make: Callable[..., Any]) -> None:
    first, second = await make(), await make()
    for turn in range(12):
        (feed,) = await first.subscribe("orders.*", "shipping", CONFIG)
        forgetting = asyncio.ensure_future(first.forget("orders.*", "shipping"))
        await asyncio.sleep(turn * 0.0015)
        (other,) = await second.subscribe("orders.*", "shipping", CONFIG)
        await forgetting
        assert await is_there(first) is bool(await first._groups.named("shipping"))
        await asyncio.gather(feed.close(), other.close())
        await first.forget("orders.*", "shipping")
        assert not await is_there(first)


async def test_a_member_that_is_refused_leaves_nothing_behind(make: Callable[..., Any]) -> None:
    engine = await make()
    await engine.subscribe("orders.*", "shipping", CONFIG)
    with pytest.raises(ValidationError):
        await engine.subscribe("orders.*", "shipping", SubscriptionConfig(partitions=2))
    async with asyncio.timeout(30):
        while True:  # what a reader has had goes back soon after it has ended
            async with engine._line.lent() as channel:
                if (await channel.queue_declare(engine._names.groups, passive=True)).message_count == 1:
                    return
