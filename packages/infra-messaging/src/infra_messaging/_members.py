"""The members of a bus: how a handler, of whatever kind and with however much time, is handed an event."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from infra_messaging.messages import MessagingMessages
from infra_protocols import HandlerTimeoutError

PUBLISH: Final = "bus.publish"
"""The operation that errors tell of."""

type Handler = Callable[[Any], Awaitable[object] | object]
type Call = Callable[[Any], Awaitable[object]]


class Member:
    """A handler's place on a bus: its `EventSubscription`."""

    __slots__ = ("_leave", "active", "call", "event_type", "handler")

    def __init__(
        self, event_type: type, handler: Handler, timeout: float | None, leave: "Callable[[Member], object]"
    ) -> None:
        self.event_type: Final = event_type
        self.handler: Final = handler
        self.active: bool = True
        self.call: Call = _call(handler) if timeout is None else _timed(handler, timeout)
        """Hands it an event; once it has left this raises `Absent`, so that nobody has to ask before."""
        self._leave = leave

    def unsubscribe(self) -> None:
        """Leave the bus."""
        if self.active:
            self.active = False
            self.call = _absent
            self._leave(self)


class Absent(Exception):
    """Whose turn it is has left the bus."""


def name(handler: object) -> str:
    """Return what errors call a handler."""
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


async def _absent(event: object) -> None:
    raise Absent


def _call(handler: Handler) -> Call:
    if iscoroutinefunction(handler):
        return handler

    async def call(event: object) -> None:
        answer = handler(event)
        if answer is not None and isawaitable(answer):
            await answer

    return call


def _timed(handler: Handler, seconds: float) -> Call:
    call = _call(handler)

    def late() -> HandlerTimeoutError:
        message = MessagingMessages.MESSAGING_HANDLER_TIMEOUT.format(handler=name(handler), timeout=seconds)
        return HandlerTimeoutError(message, operation=PUBLISH)

    async def timed(event: object) -> None:
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                await call(event)
        except Exception as error:
            if not scope.expired():
                raise
            raise late() from error
        if scope.expired():
            raise late()

    return timed
