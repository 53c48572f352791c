"""Where a subscription, or one of its partitions, gets its messages from."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import batched
from typing import Any, Final, NamedTuple, cast
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic

from infra_messaging._engine import Received
from infra_messaging.rabbitmq._groups import Group
from infra_messaging.rabbitmq._letters import RabbitLetters
from infra_messaging.rabbitmq._line import Line, is_open, marshalled, told
from infra_messaging.rabbitmq._names import routing_key
from infra_messaging.rabbitmq._publisher import Publisher
from infra_messaging.rabbitmq._queue import Queue
from infra_messaging.rabbitmq._wire import ATTEMPTS, ROUTING_KEY, Incoming, headers_of
from infra_protocols import BacklogFullError, BrokerRefusedError, DeadLetter

type Rejoining = Callable[[], AbstractAsyncContextManager[Group | None]]

_WAIT: Final = 1.0
"""How many seconds `receive` waits at most."""
_PORTION: Final = 100
"""How many messages are put back at once."""
_LOOK: Final = 10.0
"""After how many seconds a member of a forgotten group looks again whether there is such a group."""
_COUNT: Final = "x-delivery-count"


class Token(NamedTuple):
    """What a message is known by: a number that counts for one channel; and, as long as it is in the queue, `copy`."""

    channel: AbstractChannel
    tag: int
    copy: str


class RabbitFeed:
    """
    A consumer of a queue, with a channel of its own.

    When the channel is lost, so are the numbers of what is held, and the server hands that out again. What comes back
    here while it is still held is not handed to the broker once more, but known by its new number from then on. Not so
    of a partition, which is another's by then: all is dropped that was held of it, and what comes back is new.
    """

    def __init__(
        self,
        line: Line,
        publisher: Publisher,
        letters: RabbitLetters,
        queue: Queue,
        prefetch: int,
        rejoining: Rejoining | None,
        *,
        ordered: bool,
    ) -> None:
        self._line = line
        self._publisher = publisher
        self._letters = letters
        self._queue = queue
        self._prefetch = prefetch
        self._rejoining = rejoining
        self._ordered = ordered
        self._own = rejoining is None
        self._drop: Callable[[Collection[Received]], None] = lambda _: None
        self._channel: AbstractChannel | None = None
        self._tag = ""
        self._waiting: deque[Received] = deque()
        self._left: list[Received] = []
        self._held: dict[str, Received] = {}
        self._forgotten: dict[str, None] = {}
        self._outstanding: dict[int, None] = {}
        self._arrived = asyncio.Event()
        self._opening = asyncio.Lock()
        self._is_leaving = False
        self._looked_at: float | None = None

    async def open(self, max_backlog: int) -> None:
        """Make the queue if it is not there, and consume it."""
        self._max_backlog = max_backlog
        await self._consume(partial(self._queue.make, max_backlog=max_backlog))

    async def _consume(self, prepare: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        channel = await self._line.channel(self._prefetch)
        self._channel, self._tag = channel, f"{self._queue.name[:200]}.{cast('Any', channel).number}"
        self._outstanding = {}
        cast("Any", channel).closing.add_done_callback(partial(self._lose, channel))
        try:
            with told():
                async with asyncio.timeout(self._line.timeout):
                    await prepare(channel)
                    take = partial(self._take, channel)
                    await channel.basic_consume(self._queue.name, cast("Any", take), consumer_tag=self._tag)
        except BaseException:
            self._lose(channel)
            self._line.leave(channel)
            raise

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        self._drop = drop

    async def receive(self, most: int) -> Sequence[Received]:
        if not self._waiting:
            await self._keep_open()
            self._arrived.clear()
            try:
                async with asyncio.timeout(_WAIT):
                    await self._arrived.wait()
            except TimeoutError:
                pass
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    async def settle(self, received: Sequence[Received]) -> None:
        tags: list[int] = []
        for each in received:
            copy = each.token.copy
            if self._held.get(copy) is each:
                del self._held[copy]
            if self._is_current(each):
                tags.append(each.token.tag)
            elif copy not in self._held:
                self._forget(copy)
        await self._write(self._acks(tags))

    async def give_back(self, received: Sequence[Received]) -> None:
        if self._ordered or self._own:
            return  # the end of the channel, which comes now, has the server put back all of them in their order
        async with self._opening:
            self._is_leaving = True
            await self._stop()
        for each in self._waiting:
            each.attempt -= 1  # it was not handled
        self._left += self._waiting
        self._waiting.clear()
        # What went back the last time, when this failed for others, is not outstanding any more.
        back = [each for each in (*received, *self._left) if self._is_outstanding(each)]
        for some in batched(back, _PORTION):
            await self._give_some_back(some)

    async def _give_some_back(self, received: Sequence[Received]) -> None:
        outcomes = await asyncio.gather(*[self._put_back(each) for each in received], return_exceptions=True)
        tags: dict[bool, list[int]] = {True: [], False: []}
        failures: list[BaseException] = []
        for each, outcome in zip(received, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failures.append(outcome)
            else:
                tags[outcome].append(each.token.tag)
        await self._write(self._acks(tags[True]))
        for tag in tags[False]:
            self._outstanding.pop(tag, None)
        await self._write([Basic.Nack(delivery_tag=tag, requeue=True) for tag in tags[False]])
        if failures:
            raise failures[0]

    async def _put_back(self, received: Received) -> bool:
        """
        Put the message into the queue once more, with the count of how often it was handled; say whether that was done.

        The server counts how often it has handed out a message, not how often that was handled.
        """
        envelope = received.envelope
        headers = headers_of(envelope) | {
            ROUTING_KEY: routing_key(envelope.key, envelope.id, envelope.topic),
            ATTEMPTS: received.attempt,
        }
        try:
            await self._publisher.publish("", self._queue.name, headers, envelope.data)
        except BacklogFullError:
            return False
        return True

    async def renew(self, received: Sequence[Received]) -> None:
        """
        Consume again, if that has ended: a queue of one's own expires when nobody does.

        For the rest, the lease is that of the connection, which both ends look after.
        """
        await self._keep_open()

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        await self._letters.bury(letter, self._queue.name)
        await self.settle([received])

    async def close(self) -> None:
        async with self._opening:
            self._is_leaving = True
            channel = self._channel
            if channel is not None and is_open(channel):
                if not self._ordered:
                    await self._stop()
                self._channel = None
                await self._line.end(channel)
        if self._own:
            async with self._line.lent() as other:
                await other.queue_delete(self._queue.name)

    # -- What comes.

    def _take(self, channel: AbstractChannel, message: DeliveredMessage) -> None:
        if channel is not self._channel or not is_open(channel):
            return  # it is another's by now
        delivery = cast("Basic.Deliver", message.delivery)
        copy = message.header.properties.message_id or uuid4().hex
        token = Token(channel, cast("int", delivery.delivery_tag), copy)
        self._outstanding[token.tag] = None
        if delivery.redelivered:
            held = self._held.get(copy)
            if held is not None and held.token.channel is not channel:
                held.token = token
                return
            if copy in self._forgotten:
                del self._forgotten[copy]
                del self._outstanding[token.tag]
                cast("Any", channel).create_task(channel.basic_ack(token.tag, wait=False))
                return
        received = Received(Incoming(message), self._attempt(message, delivery), token)
        self._held[copy] = received
        self._waiting.append(received)
        self._arrived.set()

    def _attempt(self, message: DeliveredMessage, delivery: Basic.Deliver) -> int:
        count: Any = (message.header.properties.headers or {}).get(_COUNT)
        before: Any = (message.header.properties.headers or {}).get(ATTEMPTS, 0)
        return 1 + before + (count if isinstance(count, int) else int(bool(delivery.redelivered)))

    def _is_consuming(self) -> bool:
        channel = self._channel
        return channel is not None and is_open(channel) and self._tag in cast("Any", channel).consumers

    def _is_current(self, received: Received) -> bool:
        return received.token.channel is self._channel and is_open(received.token.channel)

    def _is_outstanding(self, received: Received) -> bool:
        return self._is_current(received) and received.token.tag in self._outstanding

    def _acks(self, tags: Sequence[int]) -> list[Basic.Ack]:
        """
        Return what tells that these are settled, in as few words as possible.

        A channel passes on some thirty at once, and the others when it is told that these were written; what it has not
        passed on is lost when it is closed (3.10.8).
        """
        settled, last = set(tags), 0
        for tag in self._outstanding:
            if tag not in settled:
                break
            last = tag
        for tag in tags:
            self._outstanding.pop(tag, None)
        first = [Basic.Ack(delivery_tag=last, multiple=True)] if last else []
        return first + [Basic.Ack(delivery_tag=tag) for tag in tags if tag > last]

    def _forget(self, copy: str) -> None:
        """Remember that it was settled, and that nobody could be told."""
        self._forgotten[copy] = None
        if len(self._forgotten) > 2 * self._prefetch:
            del self._forgotten[next(iter(self._forgotten))]

    async def _keep_open(self) -> None:
        """Consume, if that has ended; who comes while another sees to it waits for that."""
        async with self._opening:
            if not (self._is_leaving or self._is_consuming()):
                await self._open_again()

    async def _open_again(self) -> None:
        if (channel := self._channel) is not None:
            self._lose(channel)
            self._line.leave(channel)
        if self._rejoining is None:
            await self.open(self._max_backlog)
        else:
            await self._return(self._rejoining)

    async def _return(self, rejoining: Rejoining) -> None:
        """
        Consume the queue of the group again; if it is not there, make it, unless the group was forgotten.

        Then there is nothing to consume until somebody makes the group again, which is looked for now and then.
        """
        now = asyncio.get_running_loop().time()
        if self._looked_at is not None and now - self._looked_at < _LOOK:
            return
        try:
            await self._consume(self._queue.find)
        except BrokerRefusedError as error:
            if not isinstance(error.__cause__, ChannelNotFoundEntity):
                raise
            async with rejoining() as group:
                if group is None:
                    self._looked_at = now
                    return
                await self.open(group.max_backlog)
        self._looked_at = None

    def _lose(self, channel: AbstractChannel, _: object = None) -> None:
        """Forget what came by a channel that is no good any more, but for what may come back."""
        if channel is not self._channel:
            return
        self._channel = None
        waiting = [*self._waiting]
        self._waiting.clear()
        for each in waiting:
            self._held.pop(each.token.copy, None)
        if self._ordered:
            dropped = [*self._held.values()]
            self._held.clear()
            self._drop(dropped)

    async def _stop(self) -> None:
        """Have the server send no more, while what it has sent can still be settled; it knows then what was before."""
        channel = self._channel
        if channel is not None and self._is_consuming():
            with told():
                async with asyncio.timeout(self._line.timeout):
                    await channel.basic_cancel(self._tag)

    async def _write(self, frames: Iterable[Basic.Ack | Basic.Nack]) -> None:
        channel = self._channel
        if channel is not None and (written := list(frames)):
            with told():
                async with asyncio.timeout(self._line.timeout):
                    await cast("Any", channel).write_queue.put(marshalled(channel, written))
