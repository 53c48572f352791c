"""
Records that all brokers of a namespace see: messages of a queue that are read, and put back.

RabbitMQ has no place for data but queues. One that reads is the only consumer there is at that time (a single active
consumer); it is given all that the queue has, and drops some. What it does not drop goes back when its channel ends, in
the order it was in. So a reader has the records to itself, and reading costs as much as there are.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from infra_messaging.rabbitmq._line import Line
from infra_messaging.rabbitmq._publisher import Publisher

NO_LIMIT: Final = 1_000_000_000
"""How often the server may have a message back before it drops it; from 4.0 on it does at 20 unless told otherwise."""
_MARK: Final = "Infra-Mark"
_MARKED_AT: Final = "Infra-Marked-At"
_OLD: Final = 600
"""After how many seconds the mark of a reader is that of one who is gone."""


class Record:
    """One of the records, for as long as they are read."""

    __slots__ = ("_channel", "_tag", "body", "headers")

    def __init__(self, message: DeliveredMessage, channel: AbstractChannel) -> None:
        self.body = message.body
        self.headers: dict[str, Any] = message.header.properties.headers or {}
        self._tag = cast("int", cast("Basic.Deliver", message.delivery).delivery_tag)
        self._channel = channel

    async def drop(self) -> None:
        """Remove it, when the reading ends."""
        await self._channel.basic_ack(self._tag)


class Records:
    """The records in one queue."""

    def __init__(self, line: Line, publisher: Publisher, queue: str) -> None:
        self._line = line
        self._publisher = publisher
        self._queue = queue

    async def make(self, channel: AbstractChannel) -> None:
        about: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        await channel.queue_declare(self._queue, durable=True, arguments=about | {"x-delivery-limit": NO_LIMIT})

    async def add(self, body: bytes, headers: dict[str, Any]) -> None:
        """Add one; it is there when this returns."""
        await self._publisher.publish("", self._queue, headers, body)

    @asynccontextmanager
    async def reading(self, most: int | None = None) -> AsyncGenerator[list[Record]]:
        """Yield the records, the oldest first, or the oldest of them; nobody else reads any until this ends."""
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        # Those who wait for their turn have marks there too.
        async with self._line.lent(None if most is None else min(most + 100, 65_535)) as channel:
            await channel.basic_consume(self._queue, cast("Any", arrived.put_nowait))
            mark = uuid4().hex
            await self._put(mark)
            record = Record(await arrived.get(), channel)
            # It is this one's turn; those before may have added some behind the mark. All these come before another.
            await self._put(mark)
            found: list[Record] = []
            marks = 0
            while True:
                theirs = record.headers.get(_MARK)
                marks += theirs == mark
                if theirs is None:
                    found.append(record)
                elif theirs == mark or record.headers[_MARKED_AT] < time.time() - _OLD:
                    await record.drop()
                if marks == 2 or len(found) == most:
                    break
                record = Record(await arrived.get(), channel)
            yield found

    async def _put(self, mark: str) -> None:
        await self.add(b"", {_MARK: mark, _MARKED_AT: int(time.time())})
