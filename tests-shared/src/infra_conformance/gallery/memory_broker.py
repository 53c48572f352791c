"""A broker in memory, plain and correct: the base of the faulty ones."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import Any, Final, Self, Unpack
from uuid import uuid4

from infra_conformance.gallery.memory_hub import Envelope, Group, Hub, Item, Member
from infra_conformance.gallery.memory_letters import MemoryLetters
from infra_protocols.codec import Codec, JsonCodec
from infra_protocols.context import correlation_id
from infra_protocols.errors import (
    BrokerClosedError,
    DecodeError,
    MessagingError,
    RequestFailedError,
    RequestTimeoutError,
    ValidationError,
)
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import (
    DeadLetter,
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


class MemoryDelivery:
    """What goes with a message that is handled."""

    def __init__(self, item: Item, group: str | None) -> None:
        self.id: str = item.envelope.id
        self.topic: str = item.envelope.topic
        self.key: str | None = item.envelope.key
        self.headers: Mapping[str, str] = item.envelope.headers
        self.group: str | None = group
        self.attempt: int = item.attempts


class MemorySubscription(Member):
    """A member of a group: one task that takes messages, and one for each handler that runs."""

    def __init__(
        self, broker: "MemoryBroker", group: Group, handler: MessageHandler[Any, Any], config: SubscriptionConfig
    ) -> None:
        super().__init__(config)
        self.broker: Final = broker
        self.hub: Final = broker.hub
        self.members: Final = group
        self.handler: Final = handler
        self.active: bool = True
        self.held: list[Item] = []
        self.running: dict[Item, asyncio.Task[None]] = {}
        group.members.append(self)
        # In a context of its own: what is set where somebody subscribes is not what handlers are to find.
        self.runner: asyncio.Task[None] = asyncio.get_running_loop().create_task(self.run(), context=Context())

    @property
    def pattern(self) -> str:
        return self.members.pattern

    @property
    def group(self) -> str | None:
        return self.members.name

    # -- Taking messages.

    async def run(self) -> None:
        while True:
            self.wake.clear()
            while (item := self.next()) is not None:
                self.start(item)
            await self.pause()

    async def pause(self) -> None:
        times = [each.due for each in self.held if each not in self.running]
        times += [
            each.lost + each.config.lease
            for each in self.members.members
            if each.lost is not None and not each.is_dead(self.now())
        ]
        later = [each - self.now() for each in times if each > self.now()]
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), min(later, default=None))

    def now(self) -> float:
        return self.hub.clock.monotonic()

    def most(self) -> int:
        """How many handlers may run at once."""
        return self.config.partitions or self.config.concurrency

    def next(self) -> Item | None:
        """Return the next item to handle; it is held from now on."""
        if len(self.running) >= self.most():
            return None
        for item in self.held:
            if item not in self.running and item.due <= self.now():
                return item
        if len(self.held) >= self.config.prefetch:
            return None
        blocked: set[int] = set()
        for item in self.members.items.values():
            if item.partition is not None:
                if item.partition in blocked or not self.owns(item.partition):
                    continue
                blocked.add(item.partition)
            if item.holder is not self and self.hub.is_free(item):
                self.hold(item)
                return item
        return None

    def owns(self, partition: int) -> bool:
        """Whether the partition is this member's; if it is nobody's, it is from now on."""
        owner = self.members.owners.get(partition)
        if owner is None or owner.is_dead(self.now()):
            self.members.owners[partition] = owner = self
        return owner is self

    def hold(self, item: Item) -> None:
        item.holder = self
        item.taken = self.now()
        self.held.append(item)

    def drop(self, item: Item) -> None:
        self.held.remove(item)
        self.wake.set()

    # -- Handling them.

    def start(self, item: Item) -> None:
        task = asyncio.get_running_loop().create_task(self.handle(item), context=Context())
        self.running[item] = task
        task.add_done_callback(lambda _: self.ended(item))

    def ended(self, item: Item) -> None:
        del self.running[item]
        self.wake.set()

    async def handle(self, item: Item) -> None:
        try:
            message = self.broker.codec.decode(item.envelope.data)
        except DecodeError as error:
            item.attempts += 1
            await self.bury(item, None, error)
            return
        item.attempts += 1
        try:
            reply = await self.call(item, message)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self.failed(item, message, error)
        except Exception as error:
            await self.failed(item, message, error)
        else:
            await self.reply(item, reply, None)
            await self.settle(item)

    async def call(self, item: Item, message: Any) -> Any:
        delivery.set(MemoryDelivery(item, self.group))
        correlation_id.set(item.envelope.headers.get(Header.CORRELATION_ID.value))
        return await self.handler(message)

    async def settle(self, item: Item) -> None:
        await self.hub.trip()
        self.hub.settle(self.members, item)
        self.drop(item)

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        item.first_failed = item.first_failed or self.hub.clock.now()
        if item.attempts >= self.config.max_deliveries:
            await self.bury(item, message, error)
        else:
            item.due = self.now() + self.delay(item.attempts)

    def delay(self, attempts: int) -> float:
        """Return how long to wait after so many tries."""
        bound = min(self.config.retry_delay * 2.0 ** min(attempts - 1, 60), self.config.retry_delay_max)
        return random.uniform(0, bound)

    async def bury(self, item: Item, message: Any, error: BaseException) -> None:
        """Write a letter, then settle the message."""
        await self.hub.trip()
        self.hub.put(self.letter(item, error))
        await self.reply(item, None, error)
        await self.settle(item)

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        now = self.hub.clock.now()
        sent = item.envelope
        return DeadLetter(
            id=f"{self.pattern}/{self.group}/{sent.id}",
            message_id=sent.id,
            topic=sent.topic,
            key=sent.key,
            headers=sent.headers,
            message=None,
            group=self.group,
            attempts=item.attempts,
            error=type(error).__name__,
            reason=str(error),
            first_failed_at=item.first_failed or now,
            last_failed_at=now,
            data=sent.data,
        )

    async def reply(self, item: Item, reply: Any, error: BaseException | None) -> None:
        """Send a reply, if the message is a request and there is one."""
        where = item.envelope.headers.get(Header.REPLY_TO.value)
        if where is None or (reply is None and error is None):
            return
        headers = {Header.REPLY_FOR.value: item.envelope.id}
        if error is not None:
            headers[Header.REPLY_ERROR.value] = type(error).__name__
        data = self.broker.codec.encode("" if error is not None else reply)
        await self.hub.trip()
        self.hub.accept(Envelope(uuid4().hex, where, None, headers, data), self.broker.max_backlog)

    # -- The end.

    async def unsubscribe(self, *, forget: bool = False) -> None:
        await self.leave(self.broker.close_timeout)
        if forget or self.group is None:
            self.hub.forget(self.members)

    async def leave(self, timeout: float) -> None:
        """Take no more, give back what waits, wait for what runs."""
        self.active = False
        self.runner.cancel()
        for item in self.held.copy():
            if item not in self.running:
                self.give_back(item)
        try:
            while self.running:
                _, late = await asyncio.wait(list(self.running.values()), timeout=timeout)
                if late:
                    break
        finally:
            await self.break_off()

    async def break_off(self) -> None:
        """End what still runs, and give it back."""
        running = [task for task in self.running.values() if not task.done()]
        for task in running:
            task.cancel()
        try:
            if running:
                await asyncio.wait(running)
        finally:
            for item in self.held.copy():
                self.give_back(item)
            self.resign()

    def give_back(self, item: Item) -> None:
        if item.place in self.members.items:
            self.hub.give_back(self.members, item)
        self.drop(item)

    def resign(self) -> None:
        """Leave the group, and its partitions to others."""
        if self in self.members.members:
            self.members.members.remove(self)
        for partition, owner in list(self.members.owners.items()):
            if owner is self:
                del self.members.owners[partition]
        self.members.wake()

    def die(self) -> None:
        """Vanish, as a process that is killed: nothing is given back."""
        self.active = False
        self.lost = self.now()
        self.runner.cancel()
        for task in self.running.values():
            task.cancel()
        self.members.wake()


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
        leaving = [asyncio.ensure_future(self.leave(each, timeout)) for each in self.subscriptions]
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

    def die(self) -> None:
        """Vanish, as a process that is killed."""
        for each in self.subscriptions:
            each.die()
        self.subscriptions.clear()
