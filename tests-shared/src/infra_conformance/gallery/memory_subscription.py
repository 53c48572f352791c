"""A member of a group at a broker in memory: what it holds, and the handlers that it runs."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from infra_conformance.gallery.memory_hub import Envelope, Group, Item, Member
from infra_protocols.context import correlation_id
from infra_protocols.errors import DecodeError
from infra_protocols.messaging import DeadLetter, Header, MessageHandler, SubscriptionConfig, delivery

if TYPE_CHECKING:
    from infra_conformance.gallery.memory_broker import MemoryBroker


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

    lost: float | None

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
            self.fetch()
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

    def fetch(self) -> None:
        """Hold what is free, as much as may be held."""
        for item in self.members.items.values():
            if not self.has_room():
                return
            if item.partition is not None and not self.owns(item.partition):
                continue
            if item.holder is not self and self.hub.is_free(item):
                self.hold(item)

    def has_room(self) -> bool:
        return len(self.held) < self.config.prefetch

    def next(self) -> Item | None:
        """Return the next of the held items to handle."""
        if len(self.running) >= self.most():
            return None
        busy: set[int] = set()
        for item in self.held:
            if item.partition is not None:
                if item.partition in busy:
                    continue
                busy.add(item.partition)
            if item not in self.running and item.due <= self.now():
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
        item.taken, item.due = self.now(), 0.0
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
        if forget:
            self.broker.check_open("unsubscribe")
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
