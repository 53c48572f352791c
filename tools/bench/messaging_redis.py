"""
infra-messaging on Redis Streams against raw redis-py, and FastStream.

All CPU time is that of this process; what Redis itself takes is not in it.
"""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from typing import Any, Final, cast, override

from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from infra_messaging.redis import RedisStreamBroker
from tools.bench.brokers import BATCH, DATA, GROUP, NAME, NUMBER, ORDER, TOPIC, Countdown, Order, Subjects, measure
from tools.bench.harness import Contender, Table

URL: Final = os.environ.get("INFRA_REDIS_URL", "redis://127.0.0.1:6379/0")


def tables() -> list[Table]:
    """Measure publishing and consuming."""
    return measure(RedisSubjects())


class RedisSubjects(Subjects):
    """Streams of Redis."""

    raw: Any

    @override
    async def open(self, stack: AsyncExitStack) -> None:
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
        await self.found_group()
        for stream in (self.raw_stream, self.peer_stream):
            await self.raw.xgroup_create(stream, "g", "0", mkstream=True)

    def _peer(self) -> Any:
        return RedisBroker(URL, logger=None, log_level=logging.CRITICAL)

    async def _clear(self) -> None:
        for prefix in (f"{{{NAME}}}:*", f"{NAME}:*"):
            async for key in self.raw.scan_iter(match=prefix, count=1000):
                await self.raw.unlink(key)

    @override
    async def empty(self) -> None:
        for stream in (self.stream, self.raw_stream, self.peer_stream):
            await self.raw.xtrim(stream, maxlen=0, approximate=False)

    @override
    def publish(self, at_once: int, runner: asyncio.Runner) -> Table:
        async def raw_one(n: int) -> None:
            for _ in range(n):
                await self.raw.xadd(self.raw_stream, {"data": DATA})

        async def raw_many(n: int) -> None:
            for _ in range(n):
                pipeline = self.raw.pipeline(transaction=False)
                for _ in range(at_once):
                    pipeline.xadd(self.raw_stream, {"data": DATA})
                await pipeline.execute()

        publish = self.broker.publish

        async def one(n: int) -> None:
            for _ in range(n):
                await publish(TOPIC, ORDER)

        async def many(n: int) -> None:
            for _ in range(n):
                await asyncio.gather(*[publish(TOPIC, ORDER) for _ in range(at_once)])

        async def peer_one(n: int) -> None:
            for _ in range(n):
                await self.peer.publish(ORDER, stream=self.peer_stream)

        async def peer_many(n: int) -> None:
            for _ in range(n):
                await asyncio.gather(*[self.peer.publish(ORDER, stream=self.peer_stream) for _ in range(at_once)])

        raw, ours, peer = (raw_one, one, peer_one) if at_once == 1 else (raw_many, many, peer_many)
        return self.compare(
            f"Publish, {at_once} at a time" if at_once > 1 else "Publish, one after the other",
            "redis-py, XADD of the encoded message" + (", pipelined" if at_once > 1 else ""),
            [Contender("redis-py", raw), Contender("infra-messaging", ours, 1.33, 1.18), Contender("FastStream", peer)],
            runner,
            number=20 if at_once > 1 else 200,
            per=at_once,
        )

    @override
    def consume(self, runner: asyncio.Runner) -> Table:
        async def fill() -> None:
            await self.empty()
            for _ in range(NUMBER):
                await asyncio.gather(*[self.broker.publish(TOPIC, ORDER) for _ in range(BATCH)])
            pipeline = self.raw.pipeline(transaction=False)
            for _ in range(NUMBER * BATCH):
                pipeline.xadd(self.raw_stream, {"data": DATA})
            await pipeline.execute()
            for _ in range(NUMBER):
                await asyncio.gather(*[self.peer.publish(ORDER, stream=self.peer_stream) for _ in range(BATCH)])

        async def raw(n: int) -> None:
            for _ in range(n):
                reply = await self.raw.xreadgroup("g", "me", {self.raw_stream: ">"}, count=BATCH)
                entries = reply[0][1] if isinstance(reply, list) else next(iter(reply.values()))[0]
                assert len(entries) == BATCH
                await self.raw.xack(self.raw_stream, "g", *[id for id, _ in entries])

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
            Contender("infra-messaging", self.take, 2.5, 2.0, before=fill),
            Contender("FastStream", peer, before=fill),
        ]
        floor = "redis-py, XREADGROUP COUNT 100 and XACK, nothing decoded"
        return self.compare("Consume, a hundred at a time", floor, contenders, runner, number=NUMBER, per=BATCH)
