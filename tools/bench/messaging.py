"""infra-messaging in memory against a bare queue, and the test broker of FastStream."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from faststream.redis import RedisBroker, TestRedisBroker

from infra_messaging import InMemoryBroker
from infra_protocols import SubscriptionOptions, correlation_id
from tools.bench.harness import AsyncLoop, Contender, Table, compare

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
NUMBER: Final = 1_000


class Order:
    """A message; here it is handed on as it is."""


ORDER: Final = Order()


def tables() -> list[Table]:
    """Measure publishing and handling, and asking and being answered."""
    logging.getLogger("faststream").disabled = True
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            return [runner.run(_handled(stack))(runner), runner.run(_asked(stack))(runner)]
        finally:
            runner.run(stack.aclose())


class Counted:
    """How many messages are still to be handled."""

    def __init__(self) -> None:
        self.left = 0
        self.done = asyncio.Event()

    def expect(self, count: int) -> None:
        self.left = count
        self.done.clear()

    def one(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


async def _ours(
    stack: AsyncExitStack, publishing: dict[str, Any] | None = None, groups: int = 1, **options: Any
) -> AsyncLoop:
    broker = await stack.enter_async_context(InMemoryBroker[Order]())
    counted = Counted()

    async def handle(_: Order) -> None:
        counted.one()

    for group in range(groups):
        await broker.subscribe("orders.*", handle, group=f"{GROUP}-{group}", **options)
    more = publishing or {}
    publish = partial(broker.publish, **more) if more else broker.publish

    async def loop(n: int) -> None:
        counted.expect(n * groups)
        for _ in range(n):
            await publish(TOPIC, ORDER)
        await counted.done.wait()

    return loop


def _in_a_request(loop: AsyncLoop) -> AsyncLoop:
    async def inside(n: int) -> None:
        token = correlation_id.set("request 7")
        try:
            await loop(n)
        finally:
            correlation_id.reset(token)

    return inside


async def _faststream(stack: AsyncExitStack) -> AsyncLoop:
    broker = RedisBroker()
    counted = Counted()

    @broker.subscriber(TOPIC)
    async def handle(_: str) -> None:  # pyright: ignore[reportUnusedFunction]
        counted.one()

    publisher = await stack.enter_async_context(TestRedisBroker(broker))

    async def loop(n: int) -> None:
        counted.expect(n)
        for _ in range(n):
            await publisher.publish("order", TOPIC)
        await counted.done.wait()

    return loop


async def _queue(n: int) -> None:
    queue: asyncio.Queue[Order] = asyncio.Queue()
    for _ in range(n):
        await queue.put(ORDER)
        await queue.get()


async def _handled(stack: AsyncExitStack) -> Callable[[asyncio.Runner], Table]:
    options: SubscriptionOptions = {"partitions": 8}
    contenders = [
        Contender("asyncio.Queue", _queue),
        Contender("infra-messaging", await _ours(stack), must=4, aim=2.5),
        Contender("infra-messaging, with a correlation id", _in_a_request(await _ours(stack))),
        Contender("infra-messaging, with a header and a key", await _ours(stack, {"key": "7", "headers": {"a": "b"}})),
        Contender("infra-messaging, 8 partitions", await _ours(stack, {"key": "7"}, **options)),
        Contender("infra-messaging, 10 groups", await _ours(stack, groups=10)),
        Contender("FastStream TestRedisBroker", await _faststream(stack)),
    ]
    return lambda runner: compare(
        "A message published and handled",
        "`put` and `get` of a queue, without waiting",
        contenders,
        number=NUMBER,
        runner=runner,
        note="The handlers count to 1,000. With 10 groups there are 10 calls a message.",
    )


async def _asked(stack: AsyncExitStack) -> Callable[[asyncio.Runner], Table]:
    async def answer(order: Order) -> Order:
        return order

    broker = await stack.enter_async_context(InMemoryBroker[Order]())
    await broker.subscribe("orders.*", answer, group=GROUP)
    there: asyncio.Queue[Order] = asyncio.Queue()
    back: asyncio.Queue[Order] = asyncio.Queue()

    async def echo() -> None:
        while True:
            await back.put(await there.get())

    echoing = asyncio.create_task(echo())
    stack.callback(echoing.cancel)

    async def queues(n: int) -> None:
        for _ in range(n):
            await there.put(ORDER)
            await back.get()

    async def ours(n: int) -> None:
        for _ in range(n):
            await broker.request(TOPIC, ORDER, timeout=10)

    return lambda runner: compare(
        "A request answered",
        "two queues with a task in between",
        [Contender("asyncio.Queue", queues), Contender("infra-messaging", ours)],
        number=NUMBER,
        runner=runner,
    )
