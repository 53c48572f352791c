"""Where a subscription, or one of its partitions, gets its messages from."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from infra_messaging._engine import Received
from infra_messaging.nats._letters import NatsLetters, Origin
from infra_messaging.nats._link import Link, unavailable
from infra_messaging.nats._names import Names
from infra_messaging.nats._tallies import Tallies, counted
from infra_messaging.nats._wire import TARGET, Incoming
from infra_protocols import DeadLetter

_WAIT: Final = 1.0
"""How many seconds `receive` waits at most; what was asked for stands for longer."""
_STANDS: Final = 10.0
"""For how many seconds the server keeps what it was asked for."""
_ACK: Final = b"+ACK"
_NAK: Final = b"-NAK"
_PROGRESS: Final = b"+WPI"


class NatsFeed:
    """
    A consumer of JetStream, as one member of the group has it.

    The server is asked for so many messages, and sends them as they come (a pull consumer). The consumer of a
    subscription that is a group of its own is not asked: it sends what it may, and lasts as long as somebody listens
    (a push consumer); it is made anew when the connection is.

    What is sent to settle, renew or give back is not confirmed: if it gets lost the message comes again, as it may. One
    that comes again while it is held here is not handed to the broker once more, but known by its new token from then
    on.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        letters: NatsLetters,
        origin: Origin,
        inbox: str,
        make: Callable[[], Awaitable[None]],
        *,
        ordered: bool,
        own: bool,
    ) -> None:
        self._link = link
        self._names = names
        self._letters = letters
        self._tallies = Tallies(link, names, origin.consumer)
        self._origin = origin
        self._group = origin.group
        self._consumer = origin.consumer
        self._inbox = inbox
        self._make = make
        self._ordered = ordered
        self._own = own
        self._subscription: Subscription | None = None
        self._stopped = False
        self._waiting: deque[Received] = deque()
        self._held: dict[str, Received] = {}
        self._uncounted: list[Received] = []
        self._foreign: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._coming = 0
        self._until = 0.0
        self._connections = 0

    async def open(self) -> None:
        self._connections = self._link.connections
        self._subscription = await self._link.listen(self._inbox, self._take)
        await self._make()

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        self._drop = drop

    async def receive(self, most: int) -> Sequence[Received]:
        if self._stopped:
            await self._start_again()
        try:
            if not self._waiting:
                self._arrived.clear()
                await self._want(most)
                await self._arrival()
            if self._foreign or self._uncounted:
                await self._sort_out()
        except asyncio.CancelledError:
            await self._stop()
            raise
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    async def settle(self, received: Sequence[Received]) -> None:
        self._let_go(received)
        await self._link.send_all((each.token for each in received), _ACK)

    async def give_back(self, received: Sequence[Received]) -> None:
        if not self._own:  # that ends with its only member
            await self._leave()
            await self._return(received)

    async def renew(self, received: Sequence[Received]) -> None:
        await self._link.send_all((each.token for each in (*received, *self._waiting)), _PROGRESS)
        await self._tallies.keep(received, at_least=1)

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        await self._letters.bury(letter, self._origin)
        await self.settle([received])

    async def close(self) -> None:
        if self._subscription is None:
            return
        try:
            if self._own:
                await self._link.end(self._names.messages, self._consumer)
            else:
                await self._leave()
                await self._sort_out()
                waiting, self._waiting = self._waiting, deque()
                for each in waiting:
                    each.attempt -= 1  # it was not handled
                await self._return(waiting)
        finally:
            await self._link.ignore(self._subscription)
            self._subscription = None

    async def _return(self, received: Sequence[Received]) -> None:
        await self._tallies.keep(received)
        self._let_go(received)
        await self._link.send_all((each.token for each in received), _NAK)

    def _let_go(self, received: Iterable[Received]) -> None:
        for each in received:
            _, place = counted(each.token)
            self._held.pop(place, None)
            self._tallies.drop(place)

    # -- What is asked for, and what comes.

    async def _want(self, most: int) -> None:
        """Ask for messages, unless half of `most` are on their way already."""
        link, now = self._link, asyncio.get_running_loop().time()
        if link.client.is_closed:
            raise unavailable("the client is closed")
        if not link.client.is_connected:
            return
        again = self._connections != link.connections
        if self._own:
            if again:
                await self._make()
                self._connections = link.connections
            return
        if again or now > self._until:
            self._coming = 0
        if self._coming * 2 > most:
            return
        wanted = most - self._coming
        self._connections, self._coming, self._until = link.connections, most, now + _STANDS + _WAIT
        what = {"batch": wanted, "expires": int(_STANDS * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._names.messages}.{self._consumer}"
        await link.send(subject, json.dumps(what).encode(), self._inbox)

    async def _arrival(self) -> None:
        try:
            async with asyncio.timeout(_WAIT):
                await self._arrived.wait()
        except TimeoutError:
            pass

    def _take(self, message: Msg) -> None:
        if not message.reply:
            self._over(message.headers or {})
            return
        self._coming -= 1
        if message.headers and message.headers.get(TARGET, self._group) != self._group:
            self._foreign.append(message.reply)
        else:
            self._keep(message)
        self._arrived.set()

    def _keep(self, message: Msg) -> None:
        attempt, place = counted(message.reply)
        if attempt > 1 and (held := self._held.get(place)) is not None:
            held.token = message.reply
            return
        if self._ordered:
            self._lose_before(int(place))
        received = self._held[place] = Received(Incoming(message, self._names, place), attempt, message.reply)
        self._waiting.append(received)
        if attempt > 1:
            self._uncounted.append(received)

    def _lose_before(self, place: int) -> None:
        """Let go of what others have settled: the server hands out one of a partition when those before it are."""
        lost = [each for before, each in self._held.items() if int(before) < place]
        if lost:
            self._waiting = deque(each for each in self._waiting if each not in lost)
            self._uncounted = [each for each in self._uncounted if each not in lost]
            self._let_go(lost)
            self._drop(lost)

    def _over(self, status: dict[str, str]) -> None:
        """Hear that the server has ended what it was asked for, and how much of it is left."""
        left = status.get("Nats-Pending-Messages")
        self._coming = 0 if left is None else max(0, self._coming - int(left))
        if status.get("Status") in ("404", "408"):
            self._arrived.set()  # ask again; after any other, a little later

    async def _sort_out(self) -> None:
        """Settle what was replayed for other groups, and find out how often was handled what has come again."""
        while self._foreign:
            await self._link.send(self._foreign[0], _ACK)
            self._foreign.popleft()
        if uncounted := list(self._uncounted):
            await self._tallies.correct(uncounted)
            del self._uncounted[: len(uncounted)]

    # -- The end of receiving, which may be long before that of the feed: what comes meanwhile is for others.

    async def _stop(self) -> None:
        if not self._own and not self._stopped and self._subscription is not None:
            self._stopped = True
            await self._link.stop(self._subscription)

    async def _leave(self) -> None:
        """
        Stop, and wait until the server has sent all that it would send here, and forgotten what it was asked for.

        Servers before 2.10 (at least) lose sight of a message, until its lease ends, if it comes back to them while all
        that they were asked for is by those who have gone. That they tell of the consumer makes them look.
        """
        await self._stop()
        await self._link.find(f"CONSUMER.INFO.{self._names.messages}.{self._consumer}")

    async def _start_again(self) -> None:
        assert self._subscription is not None
        earlier = self._subscription
        self._subscription = await self._link.listen(self._inbox, self._take)
        self._stopped, self._coming = False, 0
        await self._link.ignore(earlier)
