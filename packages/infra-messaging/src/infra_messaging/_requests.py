"""Requests of a broker that wait for their replies, and the topic on which these come."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from infra_messaging._codecs import Encoding
from infra_messaging._consumer import Consumer
from infra_messaging._engine import Received
from infra_messaging._handling import REPLIES
from infra_messaging._operations import REQUEST
from infra_messaging.messages import MessagingMessages
from infra_protocols import BrokerClosedError, Header, MessagingError, RequestFailedError, SubscriptionConfig
from infra_result import Err, Ok, Result

type Waiter = asyncio.Future[Result[Any, MessagingError]]

REPLIES_CONFIG = SubscriptionConfig(prefetch=1000, max_deliveries=1)


class Requests:
    """The requests that wait. The topic is subscribed to at the first."""

    def __init__(self, encoding: Encoding, subscribe: Callable[[str], Awaitable[Consumer]]) -> None:
        self._decode = encoding.decode
        self._subscribe = subscribe
        self._lock = asyncio.Lock()
        self._waiting: dict[str, tuple[str, Waiter]] = {}
        self._over = False
        self.topic = ""
        self.consumer: Consumer | None = None

    def begin(self) -> None:
        """Choose the topic: when the broker is opened, since it may have been made before its process was forked."""
        self.topic = f"{REPLIES}{uuid4().hex}"

    async def open(self) -> None:
        async with self._lock:
            if self.consumer is None:
                self.consumer = await self._subscribe(self.topic)

    def expect(self, id: str, topic: str) -> Waiter:
        if self._over:
            raise BrokerClosedError(MessagingMessages.MESSAGING_CLOSED)
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting[id] = topic, waiter
        waiter.add_done_callback(lambda _: self._waiting.pop(id, None))
        return waiter

    def fail(self) -> None:
        """Have all that wait end, and all that come: there are no replies any more."""
        self._over = True
        for _, waiter in list(self._waiting.values()):
            if not waiter.done():
                waiter.set_exception(BrokerClosedError(MessagingMessages.MESSAGING_CLOSED, operation=REQUEST))

    def read(self, received: Received) -> Received:
        return received

    async def call(self, received: Received) -> None:
        headers = received.envelope.headers
        topic, waiter = self._waiting.get(headers.get(Header.REPLY_FOR, ""), ("", None))
        if waiter is not None and not waiter.done():
            waiter.set_result(self._read(topic, received, headers.get(Header.REPLY_ERROR)))

    async def answer(self, received: Received, result: Any) -> None: ...

    async def buried(self, received: Received, error: Exception) -> None: ...

    def _read(self, topic: str, received: Received, error: str | None) -> Result[Any, MessagingError]:
        if error is not None:
            return Err(_failed(error))
        try:
            return Ok(self._decode(topic, received.envelope.data))
        except Exception as wrong:
            failure = _failed(type(wrong).__name__)
            failure.__cause__ = wrong
            return Err(failure)


def _failed(error: str) -> RequestFailedError:
    message = MessagingMessages.MESSAGING_REQUEST_FAILED.format(error=error)
    return RequestFailedError(message, operation=REQUEST, parameters={"error": error})
