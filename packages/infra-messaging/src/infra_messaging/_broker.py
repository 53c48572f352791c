"""The broker, but for its engine."""

import asyncio
import logging
from collections.abc import Mapping
from contextvars import copy_context
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self, Unpack

from infra_messaging._codecs import Encoding
from infra_messaging._consumer import Consumer
from infra_messaging._engine import Engine, Envelope
from infra_messaging._handling import Handler, Member
from infra_messaging._letters import LetterQueue
from infra_messaging._operations import PUBLISH, REQUEST, doing, tell
from infra_messaging._outgoing import Sealing, require_source
from infra_messaging._requests import REPLIES_CONFIG, Requests
from infra_messaging._waiting import carried_through, ended, limit
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    BrokerClosedError,
    BrokerUnavailableError,
    Clock,
    DeadLetterQueue,
    Header,
    MessageHandler,
    MessagingError,
    RequestTimeoutError,
    Subscription,
    SubscriptionConfig,
    SubscriptionOptions,
    SystemClock,
    ValidationError,
    full_jitter,
    or_raise,
    require_group,
    require_headers,
    require_pattern,
    require_range,
    require_topic,
)
from infra_result import Err, Result

_KNOWN_TOPICS: Final = 10_000
_REPLY_TRIALS: Final = 5
_REPLY_DELAY: Final = 0.2
_LOG: Final = logging.getLogger("infra_messaging")


class _State(str, Enum):
    NEW = "new"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


_OPEN: Final = _State.OPEN


class Broker[TMessage]:
    """
    A `MessageBroker` on any engine.

    Args:
        engine: where messages are kept.
        encoding: how it is given them.
        close_timeout: how many seconds `close` waits for handlers that run, unless told otherwise.
        source: what its messages have as `ce-source`.
        clock: the time of day.

    Type parameters:
        TMessage: the messages.
    """

    def __init__(
        self,
        engine: Engine,
        encoding: Encoding,
        *,
        close_timeout: float = 10.0,
        source: str = "infra-messaging",
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._keep = engine.publish
        self._encoding = encoding
        self._close_timeout = or_raise(require_range(close_timeout, "close_timeout", min=0))
        self._clock = clock or SystemClock()
        self._sealing = Sealing(or_raise(require_source(source)), self._clock)
        self._seal = self._sealing.seal
        self._encode = encoding.encode
        self._as_it_is = not encoding.makes_bytes
        self._letters: LetterQueue[TMessage] = LetterQueue(engine.letters, encoding, self._check_open)
        self._topics: set[str] = set()
        self._requests = Requests(encoding, self._join_for_replies)
        self._state = _State.NEW
        self._opening = asyncio.Lock()
        self._consumers: set[Consumer] = set()
        self._joining: set[asyncio.Future[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """See `MessageBroker.open`."""
        with doing("broker.open"):
            async with self._opening:
                if self._state is _State.NEW:
                    await self._engine.open()
                    self._context = copy_context()
                    self._sealing.begin()
                    self._requests.begin()
                    self._state = _OPEN
            self._check_open()

    async def close(self, timeout: float | None = None) -> None:
        """
        See `MessageBroker.close`.

        Called by a handler of this broker it does not wait, since the handler is waited for.
        """
        if timeout is None:
            timeout = self._close_timeout
        or_raise(require_range(timeout, "timeout", min=0))
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="infra_messaging.close")
        limit(self._closing, timeout, self._hurry)
        if not any(consumer.is_inside() for consumer in self._consumers):
            await carried_through(self._closing, self._hurry)

    async def __aenter__(self) -> Self:
        """Open the broker."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the broker."""
        await self.close()

    @property
    def dead_letters(self) -> DeadLetterQueue[TMessage]:
        """See `MessageBroker.dead_letters`."""
        return self._letters

    async def publish(
        self,
        topic: str,
        message: TMessage,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        """See `MessageBroker.publish`."""
        if type(topic) is not str or topic not in self._topics:
            self._learn(topic)
        data: Any = message if self._as_it_is else self._encode(topic, message)
        envelope = self._seal(topic, data, key, headers, id)
        try:
            if self._state is not _OPEN:
                self._check_not_closed()
            storing = self._keep(envelope)
            if storing is not None:
                await storing
        except MessagingError as error:
            tell(error, PUBLISH)
            raise
        return envelope.id

    async def subscribe(
        self,
        pattern: str,
        handler: MessageHandler[TMessage, TMessage | None],
        *,
        group: str | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> Subscription:
        """See `MessageBroker.subscribe`."""
        config = SubscriptionConfig(**options)
        or_raise(require_pattern(pattern))
        if group is not None:
            or_raise(require_group(group))
        if not callable(handler):
            message = MessagingMessages.VALIDATION_WRONG_KIND.format(field="handler", expected="callable")
            raise ValidationError(message, field="handler", kind=type(handler).__name__)
        handling = Handler(handler, self._encoding, group, self._reply)
        with doing("broker.subscribe"):
            return await self._join(Member(pattern, group, config, handling, self._clock, copy_context()))

    async def request(
        self,
        topic: str,
        message: TMessage,
        *,
        timeout: float,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result[TMessage, MessagingError]:
        """See `MessageBroker.request`."""
        or_raise(require_range(timeout, "timeout", above=0))
        with doing(REQUEST):
            return await self._request(topic, message, timeout, key, headers)

    async def _request(
        self, topic: str, message: TMessage, timeout: float, key: str | None, headers: Mapping[str, str] | None
    ) -> Result[TMessage, MessagingError]:
        self._check_open()
        requests = self._requests
        asking = {
            **or_raise(require_headers({} if headers is None else headers)),
            Header.REPLY_TO.value: requests.topic,
        }
        self._learn(topic)
        envelope = self._seal(topic, self._encode(topic, message), key, asking, None)
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                await requests.open()
                waiter = requests.expect(envelope.id, topic)
                try:
                    await self._store(envelope)
                    return await waiter
                finally:
                    waiter.cancel()
        except TimeoutError:
            if not scope.expired():
                raise
            text = MessagingMessages.MESSAGING_REQUEST_TIMEOUT.format(timeout=timeout)
            return Err(RequestTimeoutError(text, operation=REQUEST, parameters={"topic": topic}))

    async def _reply(self, request: Envelope, message: Any, error: Exception | None) -> None:
        topic = request.headers.get(Header.REPLY_TO)
        if topic is None or require_topic(topic).is_err():
            return
        headers = {Header.REPLY_FOR.value: request.id}
        if error is None:
            # As on the topic of the request: those who have asked know what comes there.
            data = self._encode(request.topic, message)
        else:
            data = b""
            headers[Header.REPLY_ERROR.value] = type(error).__name__
        envelope = self._seal(topic, data, None, headers, None)
        failures = 0
        while True:
            try:
                await self._store(envelope)
            except Exception as failure:
                failures += 1
                if isinstance(failure, BrokerUnavailableError) and failures < _REPLY_TRIALS:
                    await asyncio.sleep(full_jitter(0, _REPLY_DELAY, _REPLY_DELAY))
                    continue
                # What was done is done, also where that cannot be told.
                _LOG.warning(MessagingMessages.REPLY_FAILED.format(id=request.id), exc_info=failure)
            return

    async def _store(self, envelope: Envelope) -> None:
        storing = self._keep(envelope)
        if storing is not None:
            await storing

    async def _join_for_replies(self, topic: str) -> Consumer:
        # In the context of the broker: what the first request brings along is no other's.
        return await self._join(Member(topic, None, REPLIES_CONFIG, self._requests, self._clock, self._context))

    async def _join(self, member: Member) -> Consumer:
        self._check_open()
        joining: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joining.add(joining)
        try:
            feeds = await self._engine.subscribe(member.pattern, member.group, member.config)
            if self._state is not _OPEN:
                for feed in feeds:
                    await feed.close()
                self._check_open()
            consumer = Consumer(member, feeds, self._close_timeout, self._forget, self._consumers.discard)
            self._consumers.add(consumer)
            return consumer
        finally:
            self._joining.discard(joining)
            joining.set_result(None)

    async def _forget(self, pattern: str, group: str) -> None:
        if self._state is not _OPEN:
            self._check_not_closed()
        await self._engine.forget(pattern, group)

    def _hurry(self) -> None:
        for consumer in self._consumers:
            consumer.hurry()

    async def _close(self) -> None:
        async with self._opening:
            was_open, self._state = self._state is _OPEN, _State.CLOSING
        try:
            if was_open:
                await self._drain()
        finally:
            self._state = _State.CLOSED

    async def _drain(self) -> None:
        if self._joining:
            await asyncio.wait(self._joining)
        replies = self._requests.consumer
        # Handlers that run may wait for replies.
        others = [consumer for consumer in self._consumers if consumer is not replies]
        await self._end("subscriptions", *(consumer.end() for consumer in others))
        self._requests.fail()
        if replies is not None:
            await self._end("replies", replies.end())
        self._state = _State.CLOSED  # what came now would find the engine closed, and might open it again
        closing = asyncio.get_running_loop().create_task(self._engine.close())
        await self._end("engine", closing)

    async def _end(self, what: str, *tasks: asyncio.Task[None]) -> None:
        await ended(*tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                _LOG.warning(MessagingMessages.CLOSE_FAILED.format(call=what), exc_info=error)

    def _learn(self, topic: str) -> None:
        or_raise(require_topic(topic))
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        self._topics.add(topic)

    def _check_open(self) -> None:
        if self._state is not _OPEN:
            raise self._refusal()

    def _check_not_closed(self) -> None:
        """Handlers that still run while the broker closes may publish."""
        if self._state is not _State.CLOSING:
            raise self._refusal()

    def _refusal(self) -> BrokerClosedError:
        is_new = self._state is _State.NEW
        return BrokerClosedError(MessagingMessages.MESSAGING_NOT_OPEN if is_new else MessagingMessages.MESSAGING_CLOSED)
