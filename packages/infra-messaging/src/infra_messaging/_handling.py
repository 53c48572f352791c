"""What is done with a message that a subscription has received."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from infra_messaging._codecs import Encoding
from infra_messaging._delivered import Delivered
from infra_messaging._engine import Envelope, Received
from infra_messaging._waiting import is_being_cancelled
from infra_messaging.messages import MessagingMessages
from infra_protocols import HandlerCancelledError, correlation_id, delivery

# Replies are for those who wait for them, and not for who listens to everything.
REPLIES = "_reply."


class UndecodableError(Exception):
    """The message cannot be decoded, now or ever; its cause says why."""


class Handling(Protocol):
    """What a subscription does with each message: `Handler`, or, for replies, `Requests`."""

    async def handle(self, received: Received) -> None:
        """Return if it is to be settled, raise if it is to be tried again; an `UndecodableError`: never."""
        ...

    async def buried(self, received: Received, error: Exception) -> None:
        """Hear that it has become a dead letter."""
        ...


class Handler:
    """Decodes messages and calls the user's handler with them."""

    __slots__ = ("_call", "_deaf", "_decode", "_group", "_reply")

    def __init__(
        self,
        call: Callable[[Any], Awaitable[Any]],
        encoding: Encoding,
        pattern: str,
        group: str | None,
        reply: "Reply",
    ) -> None:
        self._call = call
        self._decode = encoding.decode
        self._group = group
        self._reply = reply
        self._deaf = pattern[0] in "*>"

    async def handle(self, received: Received) -> None:
        envelope = received.envelope
        if self._deaf and envelope.topic.startswith(REPLIES):
            return
        try:
            message = self._decode(envelope.topic, envelope.data)
        except Exception as error:
            raise UndecodableError from error
        delivery.set(Delivered(received, self._group))
        if (wanted := envelope.correlation_id) != correlation_id.get():
            correlation_id.set(wanted)
        try:
            result = await self._call(message)
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            name = getattr(self._call, "__qualname__", type(self._call).__qualname__)
            raise HandlerCancelledError(MessagingMessages.MESSAGING_HANDLER_CANCELLED.format(handler=name)) from error
        if result is not None:
            await self._reply(envelope, result, None)

    async def buried(self, received: Received, error: Exception) -> None:
        await self._reply(received.envelope, None, error)


class Reply(Protocol):
    """Sends the reply to a request, or that it has failed; if the envelope is none, does nothing."""

    async def __call__(self, request: Envelope, message: Any, error: Exception | None, /) -> None: ...
