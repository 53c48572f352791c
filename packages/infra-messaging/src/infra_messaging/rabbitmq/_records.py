"""
Records that all brokers of a namespace see: messages of a queue that are read, and put back.

RabbitMQ has no place for data but queues. One that reads is the only consumer there is at that time (a single active
consumer); it is given all that the queue has, and drops some. What it does not drop goes back when its channel ends, in
the order it was in. So a reader has the records to itself, and reading costs as much as there are. Where they end, it
knows by a mark of its own, which it has put there before.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from infra_messaging.rabbitmq._line import Line, told, unavailable
from infra_messaging.rabbitmq._publisher import Publisher

NO_LIMIT: Final = 1_000_000_000
"""How often the server may have a message back before it drops it; from 4.0 on it does at 20 unless told otherwise."""
_MARK: Final = "Infra-Mark"
_LIFETIME: Final = 600_000
"""After how many milliseconds the server drops a mark whose reader has gone; none waits for so long."""


class Record:
    """One of the records, for as long as they are read."""

    __slots__ = ("body", "is_dropped", "mark", "tag")

    def __init__(self, message: DeliveredMessage) -> None:
        headers: dict[str, Any] = message.header.properties.headers or {}
        self.body = message.body
        self.mark: object = headers.get(_MARK)
        self.tag = cast("int", cast("Basic.Deliver", message.delivery).delivery_tag)
        self.is_dropped = False

    def drop(self) -> None:
        """Have it removed when the reading ends, unless that fails."""
        self.is_dropped = True


class Records:
    """The records in one queue."""

    def __init__(self, line: Line, publisher: Publisher, queue: str) -> None:
        self._line = line
        self._publisher = publisher
        self._queue = queue

    async def make(self, channel: AbstractChannel) -> None:
        about: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        await channel.queue_declare(self._queue, durable=True, arguments=about | {"x-delivery-limit": NO_LIMIT})

    async def add(self, body: bytes) -> None:
        """Add one; it is there when this returns."""
        await self._publisher.publish("", self._queue, {}, body)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[list[Record]]:
        """Yield the records, the oldest first; nobody else reads any until this ends."""
        channel = await self._line.channel()
        try:
            records = await self._read(channel)
            yield records
            with told():
                async with asyncio.timeout(self._line.timeout):
                    for record in records:
                        if record.is_dropped:
                            await channel.basic_ack(record.tag)
        except BaseException:
            self._line.leave(channel)
            raise
        await self._line.end(channel)

    async def _read(self, channel: AbstractChannel) -> list[Record]:
        """Return all that were there when it was this one's turn, and take away the marks of this reader."""
        arrived: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        cast("Any", channel).closing.add_done_callback(partial(_end, arrived))
        mark = uuid4().hex
        found: list[Record] = []
        marks = 0
        time, timeout = asyncio.get_running_loop().time, self._line.timeout
        with told():
            async with asyncio.timeout(timeout) as limit:
                await channel.basic_consume(self._queue, cast("Any", arrived.put_nowait))
                await self._put(mark)
                is_in_turn = False
                while (message := await arrived.get()) is not None:
                    if not is_in_turn:
                        is_in_turn = True
                        # Those before may have added some behind the mark; all these come before another.
                        await self._put(mark)
                    limit.reschedule(time() + timeout)
                    record = Record(message)
                    if record.mark == mark:
                        await channel.basic_ack(record.tag)
                        marks += 1
                        if marks == 2:
                            return found
                    elif record.mark is None:  # others are of those who wait for their turn
                        found.append(record)
        raise unavailable("the connection was lost")

    async def _put(self, mark: str) -> None:
        await self._publisher.publish("", self._queue, {_MARK: mark}, b"", _LIFETIME)


def _end(arrived: asyncio.Queue[DeliveredMessage | None], _: object) -> None:
    arrived.put_nowait(None)
