"""Brokers that are wrong about what becomes of a message."""

import asyncio
import math
import random
from collections.abc import Mapping
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_brokers import fault
from infra_conformance.gallery.memory_hub import Envelope, Group, Hub, Item
from infra_conformance.gallery.memory_subscription import MemorySubscription


class IsNone(MemoryBroker):
    """It has a publish that is no coroutine function."""

    def publish(self, *args: Any, **kwargs: Any) -> Any:
        return super().publish(*args, **kwargs)


class DropsHeaders(MemoryBroker):
    """It keeps the headers that are its own, and no others."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        return super().headers(topic, id, {})


class LosesOneOfTwo(MemoryBroker):
    """It has one place for what is on its way: what two publish at once is one message."""

    on_its_way: Envelope

    async def send(self, envelope: Envelope) -> None:
        self.on_its_way = envelope
        await self.hub.trip()
        self.hub.accept(self.on_its_way, self.max_backlog)


class ComesTwice(Hub):
    """It keeps each message twice."""

    def add(self, group: Group, envelope: Envelope) -> None:
        super().add(group, envelope)
        super().add(group, envelope)


class NewestFirst(MemorySubscription):
    """It takes what came last first."""

    def fetch(self) -> None:
        super().fetch()
        self.held.reverse()


class TakesFromOthers(Hub):
    """It lets a member take what another holds."""

    def is_free(self, item: Item) -> bool:
        return True


class SwallowsErrors(MemorySubscription):
    """It takes a handler that raised for one that returned."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        await self.settle(item)


class SettlesFirst(MemorySubscription):
    """It settles a message as it hands it out."""

    async def call(self, item: Item, message: Any) -> Any:
        self.hub.settle(self.members, item)
        return await super().call(item, message)


class AlwaysTheFirst(MemorySubscription):
    """It calls each delivery the first."""

    async def call(self, item: Item, message: Any) -> Any:
        attempts, item.attempts = item.attempts, 1
        try:
            return await super().call(item, message)
        finally:
            item.attempts = attempts


class AlwaysAnew(MemorySubscription):
    """Each time it is tried again, a message has another id."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        sent = item.envelope
        item.envelope = Envelope(sent.id + "'", sent.topic, sent.key, sent.headers, sent.data)
        await super().failed(item, message, error)


class RetriesAtOnce(MemorySubscription):
    """It does not wait before it tries again."""

    def delay(self, attempts: int) -> float:
        return 0.0


class WaitsTooLong(MemorySubscription):
    """It waits up to twice the bound."""

    def delay(self, attempts: int) -> float:
        return random.uniform(0, 2) * super().delay(attempts)


class HasNoJitter(MemorySubscription):
    """It waits for half of the bound, each time."""

    def delay(self, attempts: int) -> float:
        bound = self.config.retry_delay * 2.0 ** min(attempts - 1, 60)
        return min(bound, self.config.retry_delay_max) / 2


class NeverDoubles(MemorySubscription):
    """It waits for up to the first bound, however often it has tried."""

    def delay(self, attempts: int) -> float:
        return super().delay(1)


class DoublesForEver(MemorySubscription):
    """Its bound doubles beyond the last."""

    def delay(self, attempts: int) -> float:
        return random.uniform(0, self.config.retry_delay * 2.0 ** min(attempts - 1, 60))


class KeepsForTheLost(Hub):
    """What a lost member held it keeps for that one."""

    def is_free(self, item: Item) -> bool:
        return item.holder is None


class NeverRenews(Hub):
    """It takes a member that has held a message for a lease for lost."""

    def is_free(self, item: Item) -> bool:
        holder = item.holder
        held = self.clock.monotonic() - item.taken
        return holder is None or held >= holder.config.lease

    def add(self, group: Group, envelope: Envelope) -> None:
        super().add(group, envelope)
        asyncio.get_running_loop().call_later(2.1, group.wake)


class GivesUp(MemorySubscription):
    """After twenty failures it takes nothing more, and gives back nothing."""

    failures: int = 0

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        self.failures += 1
        await super().failed(item, message, error)

    def next(self) -> Item | None:
        return None if self.failures >= 20 else super().next()


class HoldsUpOthers(MemorySubscription):
    """What waits to be tried again holds up what is behind it."""

    def next(self) -> Item | None:
        return None if any(item.due > self.now() for item in self.held) else super().next()


class DiesOfCancel(MemorySubscription):
    """A handler that cancels itself it takes for one that was cancelled."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            item.due = math.inf
        else:
            await super().failed(item, message, error)


class LosesWhatFailed(MemorySubscription):
    """What has failed and waits to be tried again is lost when its member leaves."""

    def give_back(self, item: Item) -> None:
        if item.due:
            self.hub.settle(self.members, item)
        super().give_back(item)


class StopsWhenCut(MemoryBroker):
    """When its connection breaks, its subscriptions end."""

    def cut(self) -> None:
        for each in self.subscriptions:
            each.runner.cancel()


class StopsWithItsHandler(MemorySubscription):
    """When a handler cancels the task that it runs in, no other is called any more."""

    async def handle(self, item: Item) -> None:
        try:
            await super().handle(item)
        except asyncio.CancelledError:
            self.runner.cancel()
            raise


class LeavesATask(MemorySubscription):
    """It leaves a task behind."""

    def resign(self) -> None:
        super().resign()
        self.left: asyncio.Task[None] = asyncio.ensure_future(asyncio.sleep(1e5))


FAULTS: Final[list[Fault]] = [
    fault(IsNone, "01"),
    fault(DropsHeaders, "02", "34", "35"),
    fault(LosesOneOfTwo, "03", "04", "91"),
    fault(ComesTwice, "02", "05", "17", "97"),
    fault(NewestFirst, "05", "18", "28", "29"),
    fault(TakesFromOthers, "16", "77"),
    fault(SwallowsErrors, "06", "10", "12", "44", "97"),
    fault(SettlesFirst, "08", "61", "93", "94", "97"),
    fault(AlwaysTheFirst, "06", "12"),
    fault(AlwaysAnew, "06", "44"),
    fault(RetriesAtOnce, "07"),
    fault(WaitsTooLong, "07"),
    fault(HasNoJitter, "07"),
    fault(NeverDoubles, "07"),
    fault(DoublesForEver, "07"),
    fault(KeepsForTheLost, "08", "71", "97"),
    fault(NeverRenews, "09"),
    fault(GivesUp, "06", "10"),
    fault(HoldsUpOthers, "11"),
    fault(DiesOfCancel, "12"),
    fault(LosesWhatFailed, "10", "13", "55", "97"),
    fault(StopsWhenCut, "14"),
    fault(LeavesATask, "02", "22"),
    fault(StopsWithItsHandler, "101"),
]
