"""
infra-messaging on NATS JetStream against raw nats-py.

All CPU time is that of this process; what the server itself takes is not in it.
"""

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import nats
from nats.js.errors import NotFoundError

from infra_messaging.nats import NatsBroker
from infra_protocols import JsonCodec
from tools.bench.harness import Contender, Table, compare

URL: Final = os.environ.get("INFRA_NATS_URL", "nats://127.0.0.1:4222")
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


class Subjects:
    """All that is measured; what they keep is removed at the end."""

    client: Any
    raw: Any
    broker: NatsBroker[Order]

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Subjects":
        """Connect, and make what is measured."""
        self = cls()
        self.client = await cast("Any", nats).connect(URL)
        stack.push_async_callback(self.client.close)
        self.raw, self.look = self.client.jetstream(), self.client.jsm()
        await self._clear()
        stack.push_async_callback(self._clear)
        await self.look.add_stream(name=RAW, subjects=[f"{RAW}.>"], duplicate_window=120)
        await self.look.add_consumer(RAW, durable_name="g", filter_subject=f"{RAW}.>", max_ack_pending=-1)
        self.broker = await stack.enter_async_context(NatsBroker(self.client, Order, namespace=NAME))
        await (await self.broker.subscribe(TOPIC, self._ignore, group=GROUP)).unsubscribe()
        return self

    async def _ignore(self, _: Order) -> None:
        """Handle a message."""

    async def _clear(self) -> None:
        for stream in (RAW, *(f"{NAME}_{kind}" for kind in ("messages", "records", "tallies"))):
            with suppress(NotFoundError):
                await self.look.delete_stream(stream)

    async def _empty(self) -> None:
        for stream in (RAW, f"{NAME}_messages"):
            await self.look.purge_stream(stream)

    def publish(self, at_once: int, runner: asyncio.Runner) -> Table:
        """Measure publishing."""
        raw_publish, publish = self.raw.publish, self.broker.publish

        async def raw(n: int) -> None:
            async def one() -> None:
                for _ in range(n):
                    await raw_publish(f"{RAW}.{TOPIC}", DATA)

            await asyncio.gather(*[one() for _ in range(at_once)])

        async def ours(n: int) -> None:
            async def one() -> None:
                for _ in range(n):
                    await publish(TOPIC, ORDER)

            await asyncio.gather(*[one() for _ in range(at_once)])

        how = f"{at_once} at once" if at_once > 1 else "one after the other"
        return self._compare(
            f"Publish, {how}",
            "nats-py, `publish` to JetStream, of the encoded message without headers",
            [Contender("nats-py", raw), Contender("infra-messaging", ours, 1 / 0.8, 1 / 0.9)],
            20 if at_once > 1 else 300,
            at_once,
            runner,
        )

    def consume(self, runner: asyncio.Runner) -> Table:
        """Measure consuming."""
        number = 20

        async def fill() -> None:
            await self._empty()
            for _ in range(number):
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

        contenders = [Contender("nats-py", raw, before=fill)]
        contenders.append(Contender("infra-messaging", ours, 1 / 0.65, 1 / 0.8, before=fill))
        floor = "nats-py, `fetch` of 100 and an acknowledgement each, nothing decoded"
        return self._compare("Consume, a hundred at a time", floor, contenders, number, BATCH, runner)

    def _compare(
        self, title: str, floor: str, contenders: list[Contender], number: int, per: int, runner: asyncio.Runner
    ) -> Table:
        emptied = [
            Contender(each.name, each.loop, each.must, each.aim, each.before or self._empty) for each in contenders
        ]
        return compare(title, floor, emptied, number=number, per=per, subtract_loop=False, runner=runner)
