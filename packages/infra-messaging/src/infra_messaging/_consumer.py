"""A subscription: its lanes, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from infra_messaging._engine import Feed, Received
from infra_messaging._handling import Handling
from infra_messaging._lane import Lane
from infra_messaging._waiting import carried_through, ended
from infra_protocols import Clock, SubscriptionConfig, delivery


class Consumer:
    """A `Subscription`."""

    def __init__(
        self,
        pattern: str,
        group: str | None,
        config: SubscriptionConfig,
        feeds: Sequence[Feed],
        handling: Handling,
        clock: Clock,
        close_timeout: float,
        forget: Callable[[str, str], Awaitable[None]],
        gone: Callable[["Consumer"], None],
    ) -> None:
        self.pattern = pattern
        self.group = group
        self._lease = config.lease
        self._hurry = asyncio.Event()
        self._lanes = [Lane(feed, handling, config, pattern, group, clock, self._hurry) for feed in feeds]
        self._close_timeout = close_timeout
        self._forget_group = forget
        self._gone = gone
        self._forget = self._forgotten = False
        self._ending: asyncio.Task[None] | None = None
        for lane in self._lanes:
            lane.start()
        self._renewer = asyncio.get_running_loop().create_task(self._renew(), name="infra_messaging.renew")

    @property
    def active(self) -> bool:
        return self._ending is None

    async def unsubscribe(self, *, forget: bool = False) -> None:
        self._forget |= forget
        ending = self.end()
        if self.is_inside():
            return
        timer = asyncio.get_running_loop().call_later(self._close_timeout, self.hurry)
        try:
            await carried_through(ending, self.hurry)
        finally:
            timer.cancel()

    def is_inside(self) -> bool:
        """Say whether this is called, at some remove, by a handler of this subscription."""
        current = delivery.get()
        return isinstance(current, Received) and any(lane.handles(current) for lane in self._lanes)

    def hurry(self) -> None:
        self._hurry.set()

    def end(self) -> asyncio.Task[None]:
        if self._ending is None or (self._ending.done() and self._forget and not self._forgotten):
            self._ending = asyncio.get_running_loop().create_task(self._end(), name="infra_messaging.end")
        return self._ending

    async def _end(self) -> None:
        try:
            outcomes = await asyncio.gather(*(lane.end() for lane in self._lanes), return_exceptions=True)
            self._lanes = []
            self._renewer.cancel()
            await ended(self._renewer)
            if self._forget and not self._forgotten and self.group is not None:
                await self._forget_group(self.pattern, self.group)
                self._forgotten = True
        finally:
            self._gone(self)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _renew(self) -> None:
        wait = third = self._lease / 3
        while True:
            await asyncio.sleep(wait)
            renewed = await asyncio.gather(*(lane.renew() for lane in self._lanes))
            wait = third if all(renewed) else third / 4
