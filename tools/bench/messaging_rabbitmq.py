"""
infra-messaging on RabbitMQ against raw aio-pika.

All CPU time is that of this process; what RabbitMQ itself takes is not in it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import aio_pika

from infra_messaging.rabbitmq import RabbitBroker
from infra_protocols import JsonCodec
from tools.bench.harness import Contender, Table, compare

URL: Final = os.environ.get("INFRA_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
NAME: Final = "infra-bench-messaging"
RAW: Final = f"{NAME}-raw"
TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
BATCH: Final = 100


@dataclass(frozen=True)
class Order:
    """A message, as small as they are in life."""

    id: int
    book: str
    customer: str


ORDER: Final = Order(7, "Dune", "ada@example.org")
DATA: Final = JsonCodec(Order).encode(ORDER)


def tables() -> list[Table]:
    """Measure publishing, one at a time and a hundred at once, and consuming."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            subjects = runner.run(Subjects.open(stack))
            return [subjects.publish(1, runner), subjects.publish(BATCH, runner), subjects.consume(runner)]
        finally:
            runner.run(stack.aclose())


async def ignore(_: Order) -> None:
    """Handle a message."""


class Subjects:
    """All that is measured; what they keep is removed at the end."""

    raw: Any
    channel: Any
    exchange: Any
    queue: Any
    broker: RabbitBroker[Order]

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Subjects":
        self = cls()
        self.raw = await stack.enter_async_context(await aio_pika.connect(URL))
        self.channel = await self.raw.channel()
        await self.channel.set_qos(prefetch_count=2 * BATCH)
        self.broker = await stack.enter_async_context(RabbitBroker(URL, Order, namespace=NAME))
        stack.push_async_callback(self._clear)
        self.exchange = await self.channel.declare_exchange(RAW, "topic", durable=True)
        about = {"x-queue-type": "quorum"}
        self.queue = await self.channel.declare_queue(RAW, durable=True, arguments=about)
        await self.queue.bind(self.exchange, "*." + TOPIC)
        member = await self.broker.subscribe(TOPIC, ignore, group=GROUP)
        await member.unsubscribe()
        names: Any = self.broker
        self.name = names._engine._names.queue(TOPIC, GROUP, None, 0)
        return self

    async def _clear(self) -> None:
        for queue in (RAW, self.name, f"{NAME}.letters", f"{NAME}.groups"):
            await self.channel.queue_delete(queue)
        for exchange in (RAW, NAME):
            await self.channel.exchange_delete(exchange)

    async def _empty(self) -> None:
        for name in (RAW, self.name):
            queue = await self.channel.get_queue(name, ensure=False)
            await queue.purge()

    def publish(self, batch: int, runner: asyncio.Runner) -> Table:
        async def raw_publish() -> None:
            message = aio_pika.Message(DATA, delivery_mode=2)
            await self.exchange.publish(message, "7." + TOPIC, mandatory=False)

        async def our_publish() -> None:
            await self.broker.publish(TOPIC, ORDER)

        def loop(publish: Call) -> Loop:
            async def run(n: int) -> None:
                async def one() -> None:
                    for _ in range(n):
                        await publish()

                await asyncio.gather(*[one() for _ in range(batch)])

            return run

        how = f"{batch} at once" if batch > 1 else "one after the other"
        return self._compare(
            f"Publish, {how}",
            "aio-pika, of the encoded message without headers, persistent, to a quorum queue, confirmed",
            [Contender("aio-pika", loop(raw_publish)), Contender("infra-messaging", loop(our_publish), *BOUNDS)],
            10 if batch > 1 else 100,
            batch,
            runner,
        )

    def consume(self, runner: asyncio.Runner) -> Table:
        number = 20

        async def fill() -> None:
            await self._empty()
            for _ in range(number):
                await asyncio.gather(*[self.broker.publish(TOPIC, ORDER) for _ in range(BATCH)])
                message = aio_pika.Message(DATA, delivery_mode=2)
                await asyncio.gather(
                    *[self.exchange.publish(message, "7." + TOPIC, mandatory=False) for _ in range(BATCH)]
                )

        async def raw(n: int) -> None:
            done = asyncio.Event()
            left = n * BATCH

            async def handle(message: Any) -> None:
                nonlocal left
                await message.ack()
                left -= 1
                if not left:
                    done.set()

            tag = await self.queue.consume(handle)
            await done.wait()
            await self.queue.cancel(tag)

        async def ours(n: int) -> None:
            done = asyncio.Event()
            left = n * BATCH

            async def handle(_: Order) -> None:
                nonlocal left
                left -= 1
                if not left:
                    done.set()

            member = await self.broker.subscribe(TOPIC, handle, group=GROUP, prefetch=2 * BATCH)
            await done.wait()
            await member.unsubscribe()

        contenders = [Contender("aio-pika", raw, before=fill), Contender("infra-messaging", ours, *BOUNDS, before=fill)]
        floor = "aio-pika, with a prefetch of 200, each acknowledged, nothing decoded"
        note = "Ours decodes, and has subscribing and leaving in its time."
        return self._compare("Consume", floor, contenders, number, BATCH, runner, note)

    def _compare(
        self,
        title: str,
        floor: str,
        contenders: list[Contender],
        number: int,
        per: int,
        runner: asyncio.Runner,
        note: str = "",
    ) -> Table:
        emptied = [
            Contender(each.name, each.loop, each.must, each.aim, each.before or self._empty) for each in contenders
        ]
        table = compare(title, floor, emptied, number=number, per=per, rounds=15, subtract_loop=False, runner=runner)
        table.note = note
        return table


BOUNDS: Final = (1.33, 1.18)

type Call = Callable[[], Awaitable[object]]
type Loop = Callable[[int], Awaitable[None]]
