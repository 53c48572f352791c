"""A broker in memory, plain and correct: the base of the faulty ones."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, Unpack
from uuid import uuid4

from infra_conformance.gallery.memory_hub import Envelope, Hub
from infra_conformance.gallery.memory_letters import MemoryLetters
from infra_conformance.gallery.memory_subscription import MemorySubscription
from infra_protocols.codec import Codec, JsonCodec
from infra_protocols.context import correlation_id
from infra_protocols.errors import (
    BrokerClosedError,
    MessagingError,
    RequestFailedError,
    RequestTimeoutError,
    ValidationError,
)
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import (
    Header,
    MessageHandler,
    SubscriptionConfig,
    SubscriptionOptions,
    delivery,
    require_headers,
    require_pattern,
    require_topic,
)
from infra_protocols.validation import or_raise, require_range, require_text
from infra_result import Err, Ok, Result

TRACE: Final = (Header.TRACE_PARENT.value, Header.TRACE_STATE.value)


class MemoryBroker:
    """
    A correct broker, in one piece of memory with all that share its hub.

    It encodes its messages, so that what cannot be decoded can be told.
    """

    subscription: type[MemorySubscription] = MemorySubscription
    queue: type[MemoryLetters] = MemoryLetters

    def __init__(
        self, hub: Hub, *, max_backlog: int = 1_000_000, close_timeout: float = 10.0, source: str = "memory"
    ) -> None:
        self.hub: Final = hub
        self.max_backlog: Final = max_backlog
        self.close_timeout: Final = close_timeout
        self.source: Final = source
        self.codec: Codec[Any] = JsonCodec(str)
        self.is_open: bool = False
        self.is_closed: bool = False
        self.subscriptions: list[MemorySubscription] = []
        self.requests: dict[str, asyncio.Future[Any]] = {}
        self.replies: str | None = None
        self.letters: Final = self.queue(self)

    async def open(self) -> None:
        if self.is_closed:
            raise BrokerClosedError(ErrorMessages.MESSAGING_CLOSED, operation="open")
        await self.hub.trip()
        self.is_open = True

    async def close(self, timeout: float | None = None) -> None:
        seconds = self.close_timeout if timeout is None else or_raise(require_range(timeout, "timeout", min=0))
        self.is_open, self.is_closed = False, True
        for waiting in self.requests.values():
            if not waiting.done():
                waiting.set_exception(BrokerClosedError(ErrorMessages.MESSAGING_CLOSED, operation="request"))
        await self.leave_all(seconds)

    async def leave_all(self, timeout: float) -> None:
        # All have begun to leave, before there is anything to cancel.
        loop = asyncio.get_running_loop()
        leaving = [asyncio.Task(self.leave(each, timeout), loop=loop, eager_start=True) for each in self.subscriptions]
        if leaving:
            try:
                await asyncio.wait(leaving)
            finally:
                for each in leaving:
                    each.cancel()
                await asyncio.wait(leaving)

    async def leave(self, subscription: MemorySubscription, timeout: float) -> None:
        await subscription.leave(timeout)
        if subscription.group is None:
            self.hub.forget(subscription.members)

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    @property
    def dead_letters(self) -> MemoryLetters:
        return self.letters

    def check_open(self, operation: str) -> None:
        if not self.is_open:
            text = ErrorMessages.MESSAGING_CLOSED if self.is_closed else ErrorMessages.MESSAGING_NOT_OPEN
            raise BrokerClosedError(text, operation=operation)

    # -- Publishing.

    async def publish(
        self,
        topic: str,
        message: Any,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        self.check_open("publish")
        envelope = self.envelope(topic, message, key, headers, id)
        await self.send(envelope)
        return envelope.id

    async def send(self, envelope: Envelope) -> None:
        await self.hub.trip()
        self.hub.accept(envelope, self.max_backlog)
        await self.hub.trip()

    def envelope(
        self, topic: str, message: Any, key: str | None, headers: Mapping[str, str] | None, id: str | None
    ) -> Envelope:
        or_raise(require_topic(topic))
        if key is not None:
            or_raise(require_text(key, "key"))
        id = uuid4().hex if id is None else or_raise(require_text(id, "id"))
        more = or_raise(require_headers({} if headers is None else headers))
        return Envelope(id, topic, key, self.headers(topic, id, more), self.codec.encode(message))

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        made = {Header.SOURCE.value: self.source, Header.TYPE.value: topic}
        if (correlation := correlation_id.get()) is not None:
            made[Header.CORRELATION_ID.value] = correlation
        current = delivery.get()
        if current is not None and Header.TRACE_PARENT.value not in more:
            made |= {name: current.headers[name] for name in TRACE if name in current.headers}
        made |= more
        time = self.hub.clock.now().isoformat()
        return made | {Header.ID.value: id, Header.SPEC_VERSION.value: "1.0", Header.TIME.value: time}

    # -- Subscribing.

    async def subscribe(
        self,
        pattern: str,
        handler: MessageHandler[Any, Any],
        *,
        group: str | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> MemorySubscription:
        self.check_open("subscribe")
        or_raise(require_pattern(pattern))
        if group is not None:
            or_raise(require_text(group, "group"))
        config = SubscriptionConfig(**options)
        await self.hub.trip()
        self.check_open("subscribe")
        return self.enter(pattern, handler, group, config)

    def enter(
        self, pattern: str, handler: MessageHandler[Any, Any], group: str | None, config: SubscriptionConfig
    ) -> MemorySubscription:
        members = self.hub.group(pattern, group, config.partitions)
        if members.partitions != config.partitions:
            message = ErrorMessages.MESSAGING_PARTITIONS_DIFFER.format(group=group, partitions=members.partitions)
            raise ValidationError(message, field="partitions", kind=type(config.partitions).__name__)
        made = self.subscription(self, members, handler, config)
        self.subscriptions.append(made)
        return made

    # -- Requests.

    async def request(
        self,
        topic: str,
        message: Any,
        *,
        timeout: float,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result[Any, MessagingError]:
        self.check_open("request")
        or_raise(require_range(timeout, "timeout", above=0))
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        more = or_raise(require_headers({} if headers is None else headers))
        envelope = self.envelope(topic, message, key, {**more, Header.REPLY_TO.value: self.reply_topic()}, None)
        self.requests[envelope.id] = waiting
        try:
            async with asyncio.timeout(timeout):
                await self.send(envelope)
                return await waiting
        except TimeoutError:
            text = ErrorMessages.MESSAGING_REQUEST_TIMEOUT.format(timeout=timeout)
            return Err(RequestTimeoutError(text, operation="request"))
        finally:
            del self.requests[envelope.id]

    def reply_topic(self) -> str:
        if self.replies is None:
            self.replies = f"replies.{uuid4().hex}"
            self.enter(self.replies, self.take_reply, None, SubscriptionConfig())
        return self.replies

    async def take_reply(self, message: Any) -> None:
        current = delivery.get()
        assert current is not None
        waiting = self.requests.get(current.headers[Header.REPLY_FOR.value])
        if waiting is None or waiting.done():
            return
        error = current.headers.get(Header.REPLY_ERROR.value)
        if error is None:
            waiting.set_result(Ok(message))
        else:
            text = ErrorMessages.MESSAGING_REQUEST_FAILED.format(error=error)
            waiting.set_result(Err(RequestFailedError(text, operation="request")))

    # -- What happens to it.

    def cut(self) -> None:
        """Lose the connection for a moment; there is none, and so nothing happens."""

    def die(self) -> None:
        """Vanish, as a process that is killed."""
        for each in self.subscriptions:
            each.die()
        self.subscriptions.clear()
