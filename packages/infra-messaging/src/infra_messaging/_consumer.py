"""A subscription: its lanes, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from infra_messaging._engine import Feed, Received
from infra_messaging._handling import Member
from infra_messaging._lane import Lane
from infra_messaging._operations import doing
from infra_messaging._waiting import carried_through, ended, limit
from infra_protocols import delivery


class Consumer:
    """A `Subscription`."""

    def __init__(
        self,
        member: Member,
        feeds: Sequence[Feed],
        close_timeout: float,
        forget: Callable[[str, str], Awaitable[None]],
        gone: Callable[["Consumer"], None],
    ) -> None:
        self.pattern = member.pattern
        self.group = member.group
        self._lease = member.config.lease
        self._hurry = asyncio.Event()
        self._lanes = [Lane(feed, member, self._hurry) for feed in feeds]
        self._close_timeout = close_timeout
        self._forget_group = forget
        self._gone = gone
        self._forget = self._forgotten = False
        self._ending: asyncio.Task[None] | None = None
        for lane in self._lanes:
            lane.start()
        renewing = asyncio.get_running_loop().create_task
        self._renewer = renewing(self._renew(), name="infra_messaging.renew", context=member.context.copy())

    @property
    def active(self) -> bool:
        return self._ending is None

    async def unsubscribe(self, *, forget: bool = False) -> None:
        self._forget |= forget
        ending = self.end()
        limit(ending, self._close_timeout, self.hurry)
        if not self.is_inside():
            with doing("broker.unsubscribe"):
                await carried_through(ending, self.hurry)

    def is_inside(self) -> bool:
        """Say whether this is called, at some remove, by a handler of this subscription."""
        current = delivery.get()
        return isinstance(current, Received) and any(lane.handles(current) for lane in self._lanes)

    def hurry(self) -> None:
        self._hurry.set()

    def end(self) -> asyncio.Task[None]:
        """Begin to end, or to do what has failed the last time; what runs already is returned."""
        if self._ending is None or (self._ending.done() and (self._lanes or self._has_to_forget())):
            self._ending = asyncio.get_running_loop().create_task(self._end(), name="infra_messaging.end")
        return self._ending

    async def _end(self) -> None:
        lanes = self._lanes
        outcomes = await asyncio.gather(*(lane.end() for lane in lanes), return_exceptions=True)
        self._lanes = [lane for lane, outcome in zip(lanes, outcomes, strict=True) if outcome is not None]
        self._renewer.cancel()
        await ended(self._renewer)
        if self._has_to_forget() and self.group is not None:
            await self._forget_group(self.pattern, self.group)
            self._forgotten = True
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._gone(self)

    def _has_to_forget(self) -> bool:
        return self._forget and not self._forgotten and self.group is not None

    async def _renew(self) -> None:
        wait = third = self._lease / 3
        while True:
            await asyncio.sleep(wait)
            renewed = await asyncio.gather(*(lane.renew() for lane in self._lanes))
            wait = third if all(renewed) else third / 4
