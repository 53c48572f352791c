"""
infra-messaging on NATS JetStream against raw nats-py.

All CPU time is that of this process; what the server itself takes is not in it.
"""

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, cast, override

import nats
from nats.js.errors import NotFoundError

from infra_messaging.nats import NatsBroker
from tools.bench.brokers import BATCH, DATA, NAME, NUMBER, ORDER, TOPIC, Order, Subjects, measure, publishing
from tools.bench.harness import Contender, Table

URL: Final = os.environ.get("INFRA_NATS_URL", "nats://127.0.0.1:4222")
RAW: Final = f"{NAME}-raw"


def tables() -> list[Table]:
    """Measure publishing and consuming."""
    return measure(NatsSubjects())


class NatsSubjects(Subjects):
    """Streams of NATS."""

    raw: Any
    look: Any

    @override
    async def open(self, stack: AsyncExitStack) -> None:
        client = await cast("Any", nats).connect(URL)
        stack.push_async_callback(client.close)
        self.raw, self.look = client.jetstream(), client.jsm()
        await self._clear()
        stack.push_async_callback(self._clear)
        await self.look.add_stream(name=RAW, subjects=[f"{RAW}.>"], duplicate_window=120)
        await self.look.add_consumer(RAW, durable_name="g", filter_subject=f"{RAW}.>", max_ack_pending=-1)
        self.broker = await stack.enter_async_context(NatsBroker(client, Order, namespace=NAME))
        await self.found_group()

    async def _clear(self) -> None:
        for stream in (RAW, *(f"{NAME}_{kind}" for kind in ("messages", "records", "tallies"))):
            with suppress(NotFoundError):
                await self.look.delete_stream(stream)

    @override
    async def empty(self) -> None:
        for stream in (RAW, f"{NAME}_messages"):
            await self.look.purge_stream(stream)

    @override
    def publish(self, at_once: int, runner: asyncio.Runner) -> Table:
        async def raw() -> None:
            await self.raw.publish(f"{RAW}.{TOPIC}", DATA)

        how = f"{at_once} at once" if at_once > 1 else "one after the other"
        contenders = [
            Contender("nats-py", publishing(raw, at_once)),
            Contender("infra-messaging", publishing(self.publish_one, at_once), 1 / 0.8, 1 / 0.9),
        ]
        floor = "nats-py, `publish` to JetStream, of the encoded message without headers"
        number = 20 if at_once > 1 else 300
        return self.compare(f"Publish, {how}", floor, contenders, runner, number=number, per=at_once)

    @override
    def consume(self, runner: asyncio.Runner) -> Table:
        async def fill() -> None:
            await self.empty()
            for _ in range(NUMBER):
                await asyncio.gather(*[self.broker.publish(TOPIC, ORDER) for _ in range(BATCH)])
                await asyncio.gather(*[self.raw.publish(f"{RAW}.{TOPIC}", DATA) for _ in range(BATCH)])

        async def raw(n: int) -> None:
            pulled = await self.raw.pull_subscribe_bind("g", RAW)
            left = n * BATCH
            while left:
                found = await pulled.fetch(BATCH)
                for each in found:
                    await each.ack()
                left -= len(found)
            await pulled.unsubscribe()

        contenders = [
            Contender("nats-py", raw, before=fill),
            Contender("infra-messaging", self.take, 1 / 0.65, 1 / 0.8, before=fill),
        ]
        floor = "nats-py, `fetch` of 100 and an acknowledgement each, nothing decoded"
        return self.compare("Consume, a hundred at a time", floor, contenders, runner, number=NUMBER, per=BATCH)
