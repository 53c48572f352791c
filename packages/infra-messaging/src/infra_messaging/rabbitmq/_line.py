"""
Connections to RabbitMQ: made when they are needed, and again when they are lost.

It uses aiormq, on which aio-pika is built, and not aio-pika's channels that mend themselves: those put a channel back
while the messages of the one before are still held, and know nothing of that. Where aiormq is cancelled while it waits
for an answer it closes the channel: so each call that could be has a channel of its own.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, cast, override

import aiormq
from aiormq.abc import AbstractChannel, ChannelFrame
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelInvalidStateError,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)
from pamqp.exceptions import PAMQPException
from yarl import URL

from infra_messaging._waiting import is_being_cancelled
from infra_messaging.messages import MessagingMessages
from infra_protocols import BrokerClosedError, BrokerRefusedError, BrokerUnavailableError

HEARTBEAT: Final = 10
"""After how many seconds of silence each end looks whether the other is there, unless the URL says otherwise."""
_REFUSED: Final = (ChannelClosed, AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed)
_AWAY: Final = (AMQPError, PAMQPException, ChannelInvalidStateError, OSError, RuntimeError, EOFError)


def is_open(channel: AbstractChannel) -> bool:
    """Say whether what is written to `channel` may still arrive."""
    return not channel.is_closed and cast("Any", channel.connection).is_opened


def marshalled(channel: AbstractChannel, frames: Iterable[Any], sent: asyncio.Future[None] | None = None) -> Any:
    """Return what the connection's queue takes: `frames` together, and `sent`, which is set when they are written."""
    return cast("Any", ChannelFrame).marshall(cast("Any", channel).number, frames, sent)


class Line:
    """A connection, and its channels."""

    def __init__(self, url: str, timeout: float) -> None:
        parsed = URL(url)
        self._url = parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=HEARTBEAT)
        self.timeout = timeout
        self._connection: aiormq.Connection | None = None
        self._writer: StreamWriter | None = None
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def open(self) -> None:
        """Connect from now on when that is needed."""
        self._is_closed = False

    async def channel(self, prefetch: int | None = None) -> AbstractChannel:
        """Open a channel, with publisher confirms."""
        with told():
            async with asyncio.timeout(self.timeout):
                channel = await (await self._connected()).channel(frame_buffer_size=1000)
                try:
                    if prefetch is not None:
                        await channel.basic_qos(prefetch_count=prefetch)
                except BaseException:
                    self.leave(channel)
                    raise
                return channel

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[AbstractChannel]:
        """Open a channel for some calls, of which all together may take the timeout, and close it afterwards."""
        channel = await self.channel()
        try:
            with told():
                async with asyncio.timeout(self.timeout):
                    yield channel
        except BaseException:
            self.leave(channel)
            raise
        await self.end(channel)

    async def end(self, channel: AbstractChannel) -> None:
        """Close the channel: the server has done so when this returns, unless it does not answer."""
        if (closing := self.leave(channel)) is not None:
            await asyncio.wait((closing,))

    def leave(self, channel: AbstractChannel) -> asyncio.Task[None] | None:
        """Begin to close the channel; nobody has to wait for that, and nobody can cancel it."""
        if not is_open(channel):
            return None
        closing = asyncio.get_running_loop().create_task(self._close(channel), name="infra_messaging.close_channel")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        return closing

    async def _close(self, channel: AbstractChannel) -> None:
        with suppress(BrokerUnavailableError, BrokerRefusedError), told():
            async with asyncio.timeout(self.timeout):
                await channel.close()

    async def close(self) -> None:
        """Close the connection, and connect no more; the server is told, unless it does not answer."""
        self._is_closed = True
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                with suppress(Exception):
                    async with asyncio.timeout(self.timeout):
                        # What those are told who wait for an answer.
                        await connection.close(AMQPConnectionError("the broker was closed"))
        finally:
            self._abort()
            if self._closing:
                await asyncio.wait(self._closing)

    async def _connected(self) -> aiormq.Connection:
        async with self._connecting:
            self._check_open()
            connection = self._connection
            if connection is None or not connection.is_opened:
                self._abort()
                self._connection = None
                connection = aiormq.Connection(self._url, transport_factory=_Kept(self, self._url.scheme == "amqps"))
                try:
                    await cast("Any", connection).connect()
                    self._check_open()
                except BaseException:
                    self._abort()
                    raise
                self._connection = connection
            return connection

    def _check_open(self) -> None:
        if self._is_closed:
            raise BrokerClosedError(MessagingMessages.MESSAGING_CLOSED)

    def keep(self, writer: StreamWriter) -> None:
        self._writer = writer

    def _abort(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()


class _Kept(TransportFactory):
    """Connects, and lets the line know by what: aiormq does not give up a connection that is stuck."""

    def __init__(self, line: Line, secure: bool) -> None:
        self._line = line
        self._factory: TransportFactory = TLSTransportFactory() if secure else TCPTransportFactory()

    @override
    async def create(self, url: URL, **kwargs: Any) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await self._factory.create(url, **kwargs)
        self._line.keep(writer)
        return reader, writer


@contextmanager
def told() -> Generator[None]:
    """Raise what RabbitMQ answers, or that it does not, as an error of ours."""
    try:
        yield
    except TimeoutError as error:
        raise unavailable("no answer in time") from error
    except _REFUSED as error:
        raise refused(str(error)) from error
    except AMQPConnectionError as error:
        raise unavailable(str(error)) from error
    except _AWAY as error:
        raise unavailable(str(error)) from error
    except asyncio.CancelledError as error:
        if is_being_cancelled():
            raise
        raise unavailable("the connection was closed") from error  # aiormq cancels who waits then


def unavailable(reason: str) -> BrokerUnavailableError:
    return BrokerUnavailableError(MessagingMessages.MESSAGING_UNAVAILABLE.format(reason=reason))


def refused(reason: str) -> BrokerRefusedError:
    return BrokerRefusedError(MessagingMessages.MESSAGING_REFUSED.format(reason=reason))
