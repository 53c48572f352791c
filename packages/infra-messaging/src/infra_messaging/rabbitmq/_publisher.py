"""Publishing: what is published in one turn of the event loop is written at once, and confirmed message by message."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from aiormq.abc import AbstractChannel
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from infra_messaging._waiting import is_being_cancelled
from infra_messaging.messages import MessagingMessages
from infra_messaging.rabbitmq._line import Line, is_open, marshalled, told, unavailable
from infra_messaging.rabbitmq._wire import content
from infra_protocols import BacklogFullError

_MOST: Final = 100
"""How many messages are written at once."""


class _Message:
    """A message on its way to be confirmed: for aiormq, the future that it sets."""

    __slots__ = ("body", "exchange", "headers", "key", "lifetime", "waiter")

    def __init__(self, exchange: str, key: str, headers: dict[str, Any], body: bytes, lifetime: int | None) -> None:
        self.exchange = exchange
        self.key = key
        self.headers = headers
        self.body = body
        self.lifetime = lifetime
        self.waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def done(self) -> bool:
        return False  # so that aiormq does not complain about those who have left

    def set_result(self, _: object) -> None:
        if not self.waiter.done():
            self.waiter.set_result(True)

    def set_exception(self, _: object) -> None:
        if not self.waiter.done():
            self.waiter.set_result(False)

    def fail(self, error: Exception) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(error)


class Publisher:
    """Publishes over a connection of its own: where RabbitMQ has it wait, those who consume need not."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._timeout = line.timeout
        self._channel: AbstractChannel | None = None
        self.frame_max: int = 0
        """How many bytes a frame may have, as the server has said last."""
        self._waiting: list[_Message] = []
        self._writer: asyncio.Task[None] | None = None
        self._publishing = 0
        self._idle = asyncio.Event()

    async def open(self) -> None:
        """Connect."""
        self._line.open()
        await self._open_channel()

    async def publish(
        self, exchange: str, key: str, headers: dict[str, Any], body: bytes, lifetime: int | None = None
    ) -> None:
        """Have this stored by all queues that it goes to, in the order of the calls; see `properties`."""
        message = _Message(exchange, key, headers, body, lifetime)
        self._waiting.append(message)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_all(), name="infra_messaging.publish")
        self._publishing += 1
        try:
            async with asyncio.timeout(self._timeout):
                accepted = await message.waiter
        except TimeoutError:
            raise unavailable(f"no answer within {self._timeout}s") from None
        finally:
            self._publishing -= 1
            if not self._publishing:
                self._idle.set()
        if not accepted:
            raise BacklogFullError(MessagingMessages.RABBITMQ_BACKLOG_FULL.format(key=key))

    async def close(self) -> None:
        """Wait until all that is being published is accepted, or was not in time; then end."""
        while self._publishing:
            self._idle.clear()
            await self._idle.wait()
        writer = self._writer
        if writer is not None:
            writer.cancel()
            await asyncio.wait((writer,))
        await self._line.close()

    async def _write_all(self) -> None:
        written: list[_Message] = []
        try:
            while self._waiting:
                written = self._waiting[:_MOST]
                del self._waiting[:_MOST]
                with told():
                    channel = await self._open_channel()
                    async with asyncio.timeout(self._timeout):
                        await self._write(channel, [each for each in written if not each.waiter.done()])
        except Exception as error:
            for each in (*written, *self._waiting):
                each.fail(error)
            self._waiting.clear()
        except asyncio.CancelledError:
            for each in (*written, *self._waiting):
                each.fail(unavailable("the broker was closed"))
            self._waiting.clear()
            if is_being_cancelled():
                raise
        finally:
            self._writer = None

    async def _write(self, channel: AbstractChannel, messages: Sequence[_Message]) -> None:
        it = cast("Any", channel)
        frames: list[Basic.Publish | ContentHeader | ContentBody] = []
        for each in messages:
            it.delivery_tag += 1
            it.confirmations[it.delivery_tag] = each
            frames.append(Basic.Publish(exchange=each.exchange, routing_key=each.key))
            frames += content(each.headers, each.body, it.max_content_size, each.lifetime)
        # From here on the server may count other than aiormq, and then the channel is no good any more.
        self._channel = None
        sent: asyncio.Future[None] = it.create_future()
        try:
            await it.write_queue.put(marshalled(channel, frames, sent))
            await sent
        except BaseException:
            self._line.leave(channel)
            raise
        self._channel = channel

    async def _open_channel(self) -> AbstractChannel:
        channel = self._channel
        if channel is None or not is_open(channel):
            channel = self._channel = await self._line.channel()
            self.frame_max = cast("Any", channel.connection).connection_tune.frame_max
            cast("Any", channel).closing.add_done_callback(partial(_unconfirmed, channel))
        return channel


def _unconfirmed(channel: AbstractChannel, _: object) -> None:
    confirmations: dict[int, Any] = cast("Any", channel).confirmations
    for each in confirmations.values():
        each.fail(unavailable("the connection was lost before it was confirmed"))
    confirmations.clear()
