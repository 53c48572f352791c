"""What becomes of messages when Redis is full, and when it has lost what it had."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from infra_conformance.engines import provided
from infra_conformance.servers import RedisServer
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import BrokerRefusedError, BrokerUnavailableError

TIMEOUT = 1.0


async def broker_at(url: str, namespace: str, stack: AsyncExitStack) -> RedisStreamBroker[str]:
    client = await stack.enter_async_context(cast("Any", Redis).from_url(url))
    return await stack.enter_async_context(RedisStreamBroker[str](client, str, namespace=namespace, timeout=TIMEOUT))


async def until(holds: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Shelf:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def __call__(self, message: str) -> None:
        self.messages.append(message)


async def publish_until_it_works(broker: RedisStreamBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_full_redis_refuses_and_nothing_is_half_written(stack: AsyncExitStack, namespace: str) -> None:
    with provided(RedisServer("maxmemory-policy noeviction")) as server:
        broker, shelves = await broker_at(server.url, namespace, stack), [Shelf(), Shelf()]
        groups = ("shipping", "billing")
        for group in groups:
            await (await broker.subscribe("orders.*", Shelf(), group=group)).unsubscribe()
        used = int(server.info("memory")["used_memory"])
        server.call("CONFIG", "SET", "maxmemory", used + 2_000_000)
        accepted = list[str]()
        with pytest.raises(BrokerRefusedError) as caught:  # noqa: PT012
            for number in range(10_000):
                message = f"{number:08}" * 1000
                await asyncio.gather(broker.publish("orders.new", message), broker.publish("orders.old", message))
                accepted += [message, message]
        assert "OutOfMemoryError" in str(caught.value)
        assert len(accepted) > 20
        lengths = [server.call("XLEN", f"{{{namespace}}}:s:orders.*:{group}:0") for group in groups]
        assert lengths[0] == lengths[1]
        # What is there can be handled and settled all the same, and makes room.
        for group, shelf in zip(groups, shelves, strict=True):
            await broker.subscribe("orders.*", shelf, group=group)
        for shelf in shelves:
            await until(lambda: len(shelf.messages) >= len(accepted))  # noqa: B023
            assert sorted(shelf.messages[: len(accepted)]) == sorted(accepted)
        await publish_until_there_is_room(broker)
        await broker.close()


async def publish_until_there_is_room(broker: RedisStreamBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BrokerRefusedError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_groups_are_made_anew_when_redis_has_lost_them(stack: AsyncExitStack, namespace: str) -> None:
    with provided(RedisServer()) as server:
        broker = await broker_at(server.url, namespace, stack)
        shelves = [Shelf() for _ in range(3)]
        await broker.subscribe("orders.*", shelves[0], group="shipping")
        await broker.subscribe("orders.*", shelves[1])
        await broker.subscribe("orders.*", shelves[2], group="billing", partitions=3)
        await publish_until_handled(broker, shelves)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        for shelf in shelves:
            shelf.messages.clear()
        await publish_until_handled(broker, shelves)
        await broker.close()


async def publish_until_handled(broker: RedisStreamBroker[str], shelves: list[Shelf]) -> None:
    async with asyncio.timeout(30):
        while not all(shelf.messages for shelf in shelves):
            await publish_until_it_works(broker)
            await asyncio.sleep(0.05)
