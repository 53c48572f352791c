"""
infra-messaging on Redis Streams against raw redis-py, and FastStream.

All CPU time is that of this process; what Redis itself takes is not in it.
"""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, cast

from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from infra_messaging.redis import RedisStreamBroker
from infra_protocols import JsonCodec
from tools.bench.harness import Contender, Table, compare

URL: Final = os.environ.get("INFRA_REDIS_URL", "redis://127.0.0.1:6379/0")
NAME: Final = "infra-bench-messaging"
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


class Countdown:
    """A handler that tells when it was called so often."""

    def __init__(self, count: int) -> None:
        self.done = asyncio.Event()
        self._left = count

    async def handle(self, _: Order) -> None:
        self._left -= 1
        if not self._left:
            self.done.set()


async def ignore(_: Order) -> None:
    """Handle a message."""


class Subjects:
    """All that is measured; what they keep is removed at the end."""

    raw: Any
    broker: RedisStreamBroker[Order]

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Subjects":
        self = cls()
        self.raw = await stack.enter_async_context(cast("Any", Redis).from_url(URL))
        self.broker = await stack.enter_async_context(RedisStreamBroker(self.raw, Order, namespace=NAME))
        stack.push_async_callback(self._clear)
        self.peer = self._peer()
        await self.peer.connect()
        stack.push_async_callback(self.peer.stop)
        self.stream = f"{{{NAME}}}:s:{TOPIC}:{GROUP}:0"
        self.raw_stream = f"{NAME}:raw"
        self.peer_stream = f"{NAME}:peer"
        await self._clear()
        member = await self.broker.subscribe(TOPIC, ignore, group=GROUP)
        await member.unsubscribe()
        for stream in (self.raw_stream, self.peer_stream):
            await self.raw.xgroup_create(stream, "g", "0", mkstream=True)
        return self

    def _peer(self) -> Any:
        return RedisBroker(URL, logger=None, log_level=logging.CRITICAL)

    async def _clear(self) -> None:
        for prefix in (f"{{{NAME}}}:*", f"{NAME}:*"):
            async for key in self.raw.scan_iter(match=prefix, count=1000):
                await self.raw.unlink(key)

    async def _empty(self) -> None:
        for stream in (self.stream, self.raw_stream, self.peer_stream):
            await self.raw.xtrim(stream, maxlen=0, approximate=False)

    def publish(self, batch: int, runner: asyncio.Runner) -> Table:
        async def raw_one(n: int) -> None:
            for _ in range(n):
                await self.raw.xadd(self.raw_stream, {"data": DATA})

        async def raw_many(n: int) -> None:
            for _ in range(n):
                pipeline = self.raw.pipeline(transaction=False)
                for _ in range(batch):
                    pipeline.xadd(self.raw_stream, {"data": DATA})
                await pipeline.execute()

        publish = self.broker.publish

        async def one(n: int) -> None:
            for _ in range(n):
                await publish(TOPIC, ORDER)

        async def many(n: int) -> None:
            for _ in range(n):
                await asyncio.gather(*[publish(TOPIC, ORDER) for _ in range(batch)])

        async def peer_one(n: int) -> None:
            for _ in range(n):
                await self.peer.publish(ORDER, stream=self.peer_stream)

        async def peer_many(n: int) -> None:
            for _ in range(n):
                await asyncio.gather(*[self.peer.publish(ORDER, stream=self.peer_stream) for _ in range(batch)])

        raw, ours, peer = (raw_one, one, peer_one) if batch == 1 else (raw_many, many, peer_many)
        return self._compare(
            f"Publish, {batch} at a time" if batch > 1 else "Publish, one after the other",
            "redis-py, XADD of the encoded message" + (", pipelined" if batch > 1 else ""),
            [Contender("redis-py", raw), Contender("infra-messaging", ours, 1.33, 1.18), Contender("FastStream", peer)],
            20 if batch > 1 else 200,
            batch,
            runner,
        )

    def consume(self, runner: asyncio.Runner) -> Table:
        number = 20

        async def fill() -> None:
            await self._empty()
            for _ in range(number):
                await asyncio.gather(*[self.broker.publish(TOPIC, ORDER) for _ in range(BATCH)])
            pipeline = self.raw.pipeline(transaction=False)
            for _ in range(number * BATCH):
                pipeline.xadd(self.raw_stream, {"data": DATA})
            await pipeline.execute()
            for _ in range(number):
                await asyncio.gather(*[self.peer.publish(ORDER, stream=self.peer_stream) for _ in range(BATCH)])

        async def raw(n: int) -> None:
            for _ in range(n):
                reply = await self.raw.xreadgroup("g", "me", {self.raw_stream: ">"}, count=BATCH)
                entries = reply[0][1] if isinstance(reply, list) else next(iter(reply.values()))[0]
                assert len(entries) == BATCH
                await self.raw.xack(self.raw_stream, "g", *[id for id, _ in entries])

        async def ours(n: int) -> None:
            counting = Countdown(n * BATCH)
            member = await self.broker.subscribe(TOPIC, counting.handle, group=GROUP, prefetch=2 * BATCH)
            await counting.done.wait()
            await member.unsubscribe()

        async def peer(n: int) -> None:
            counting = Countdown(n * BATCH)
            peer = self._peer()
            peer.subscriber(stream=StreamSub(self.peer_stream, group="g", consumer="me", max_records=BATCH))(
                counting.handle
            )
            await peer.start()
            await counting.done.wait()
            await peer.stop()

        contenders = [
            Contender("redis-py", raw, before=fill),
            Contender("infra-messaging", ours, 2.5, 2.0, before=fill),
            Contender("FastStream", peer, before=fill),
        ]
        floor = "redis-py, XREADGROUP COUNT 100 and XACK, nothing decoded"
        return self._compare("Consume, a hundred at a time", floor, contenders, number, BATCH, runner)

    def _compare(
        self, title: str, floor: str, contenders: list[Contender], number: int, per: int, runner: asyncio.Runner
    ) -> Table:
        emptied = [
            Contender(each.name, each.loop, each.must, each.aim, each.before or self._empty) for each in contenders
        ]
        return compare(title, floor, emptied, number=number, per=per, subtract_loop=False, runner=runner)
