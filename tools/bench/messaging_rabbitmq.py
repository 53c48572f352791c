"""
infra-messaging on RabbitMQ against raw aio-pika.

All CPU time is that of this process; what RabbitMQ itself takes is not in it.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any, Final, override

import aio_pika

from infra_messaging.rabbitmq import RabbitBroker
from tools.bench.brokers import (
    BATCH,
    DATA,
    GROUP,
    NAME,
    NUMBER,
    ORDER,
    TOPIC,
    Countdown,
    Order,
    Subjects,
    measure,
    publishing,
)
from tools.bench.harness import Contender, Table

URL: Final = os.environ.get("INFRA_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
RAW: Final = f"{NAME}-raw"
BOUNDS: Final = (1.33, 1.18)


def tables() -> list[Table]:
    """Measure publishing and consuming."""
    return measure(RabbitSubjects())


class RabbitSubjects(Subjects):
    """Quorum queues of RabbitMQ."""

    rounds = 15
    channel: Any
    exchange: Any
    queue: Any

    @override
    async def open(self, stack: AsyncExitStack) -> None:
        raw = await stack.enter_async_context(await aio_pika.connect(URL))
        self.channel = await raw.channel()
        await self.channel.set_qos(prefetch_count=2 * BATCH)
        broker = await stack.enter_async_context(RabbitBroker(URL, Order, namespace=NAME))
        self.broker = broker
        names: Any = broker
        self.name = names._engine._names.queue(TOPIC, GROUP, None, 0)
        stack.push_async_callback(self._clear)
        self.exchange = await self.channel.declare_exchange(RAW, "topic", durable=True)
        about = {"x-queue-type": "quorum"}
        self.queue = await self.channel.declare_queue(RAW, durable=True, arguments=about)
        await self.queue.bind(self.exchange, "*." + TOPIC)
        await self.found_group()

    async def _clear(self) -> None:
        for queue in (RAW, self.name, f"{NAME}.letters", f"{NAME}.groups"):
            await self.channel.queue_delete(queue)
        for exchange in (RAW, NAME):
            await self.channel.exchange_delete(exchange)

    @override
    async def empty(self) -> None:
        for name in (RAW, self.name):
            queue = await self.channel.get_queue(name, ensure=False)
            await queue.purge()

    async def _publish_raw(self) -> None:
        message = aio_pika.Message(DATA, delivery_mode=2)
        await self.exchange.publish(message, "7." + TOPIC, mandatory=False)

    @override
    def publish(self, at_once: int, runner: asyncio.Runner) -> Table:
        how = f"{at_once} at once" if at_once > 1 else "one after the other"
        contenders = [
            Contender("aio-pika", publishing(self._publish_raw, at_once)),
            Contender("infra-messaging", publishing(self.publish_one, at_once), *BOUNDS),
        ]
        floor = "aio-pika, of the encoded message without headers, persistent, to a quorum queue, confirmed"
        number = 10 if at_once > 1 else 100
        return self.compare(f"Publish, {how}", floor, contenders, runner, number=number, per=at_once)

    @override
    def consume(self, runner: asyncio.Runner) -> Table:
        async def fill() -> None:
            await self.empty()
            for _ in range(NUMBER):
                await asyncio.gather(*[self.broker.publish(TOPIC, ORDER) for _ in range(BATCH)])
                await asyncio.gather(*[self._publish_raw() for _ in range(BATCH)])

        async def raw(n: int) -> None:
            counting = Countdown(n * BATCH)

            async def handle(message: Any) -> None:
                await message.ack()
                await counting.handle(message)

            tag = await self.queue.consume(handle)
            await counting.done.wait()
            await self.queue.cancel(tag)

        contenders = [
            Contender("aio-pika", raw, before=fill),
            Contender("infra-messaging", self.take, *BOUNDS, before=fill),
        ]
        floor = "aio-pika, with a prefetch of 200, each acknowledged, nothing decoded"
        note = "Ours decodes, and has subscribing and leaving in its time."
        return self.compare("Consume", floor, contenders, runner, number=NUMBER, per=BATCH, note=note)
