"""Brokers that are wrong about their end, about requests, and about calls that are cancelled."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_brokers import fault
from infra_conformance.gallery.memory_hub import Envelope, Item
from infra_conformance.gallery.memory_subscription import MemorySubscription
from infra_protocols.errors import BrokerClosedError, MessagingError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import Header, SubscriptionConfig, delivery
from infra_result import Err, Ok, Result

# -- The end.


class NeverRefuses(MemoryBroker):
    """It does as it is told, open or not."""

    def check_open(self, operation: str) -> None:
        pass


class OpensAgain(MemoryBroker):
    """It can be opened after it was closed."""

    async def open(self) -> None:
        self.is_closed = False
        await super().open()


class ClosesOnce(MemoryBroker):
    """It cannot be closed when it is closed."""

    async def close(self, timeout: float | None = None) -> None:
        self.check_open("close")
        await super().close(timeout)


class DoesNotWait(MemorySubscription):
    """It cancels at once what runs."""

    async def leave(self, timeout: float) -> None:
        await super().leave(0)


class SettlesWhatRuns(MemorySubscription):
    """What is cancelled at the end it takes for handled."""

    def give_back(self, item: Item) -> None:
        if item.attempts and not item.due:
            self.hub.settle(self.members, item)
        super().give_back(item)


class LosesWhatWaits(MemorySubscription):
    """What it holds and has not begun is lost when it leaves."""

    def give_back(self, item: Item) -> None:
        if item.attempts == 0:
            self.hub.settle(self.members, item)
        super().give_back(item)


class GivesNothingBack(MemorySubscription):
    """What it holds comes free when the lease is over."""

    lost: float | None

    def give_back(self, item: Item) -> None:
        self.lost = self.now()
        self.drop(item)

    def resign(self) -> None:
        if self.lost is None:
            super().resign()
        self.members.wake()


class LetsThemRun(MemorySubscription):
    """It gives back what is late, and lets it run on."""

    async def break_off(self) -> None:
        for item in self.held.copy():
            self.give_back(item)
        self.resign()


class LeavesMembers(MemoryBroker):
    """Its members go on when it is closed."""

    async def leave_all(self, timeout: float) -> None:
        pass


class ForgetsGroups(MemoryBroker):
    """With the broker, its groups end."""

    async def leave_all(self, timeout: float) -> None:
        await super().leave_all(timeout)
        for each in self.subscriptions:
            self.hub.forget(each.members)


class SaysYesTooSoon(MemoryBroker):
    """It says that it has a message, and sends it a moment later, unless it is closed."""

    async def send(self, envelope: Envelope) -> None:
        asyncio.get_running_loop().call_later(0.0001, self.flush, envelope)
        await self.hub.trip()

    def flush(self, envelope: Envelope) -> None:
        if self.is_open:
            self.hub.accept(envelope, self.max_backlog)


class ClosesInItsOwnTime(MemoryBroker):
    """It waits as long as it was made to, whatever it is told."""

    async def close(self, timeout: float | None = None) -> None:
        await super().close()


class IgnoresItsOwnTime(MemoryBroker):
    """Unless it is told, it waits for ten seconds."""

    async def close(self, timeout: float | None = None) -> None:
        await super().close(10 if timeout is None else timeout)


class AlwaysTakesItsTime(MemoryBroker):
    """It waits for its time to be over, even if nothing runs."""

    async def leave_all(self, timeout: float) -> None:
        await super().leave_all(timeout)
        if not any(each.running for each in self.subscriptions):
            await asyncio.sleep(timeout)


# -- Requests.


class NeverReplies(MemorySubscription):
    """It throws replies away."""

    async def reply(self, item: Item, reply: Any, error: BaseException | None) -> None:
        if error is not None:
            await super().reply(item, reply, error)


class RepliesWithNothing(MemorySubscription):
    """A handler that returns None has replied."""

    async def reply(self, item: Item, reply: Any, error: BaseException | None) -> None:
        await super().reply(item, "" if reply is None else reply, error)


class WaitsForEver(MemoryBroker):
    """Its requests have all the time in the world."""

    async def request(self, topic: str, message: Any, *, timeout: float, **options: Any) -> Any:
        return await super().request(topic, message, timeout=min(timeout, 1.0) * 1e4, **options)


class ExpiresEarly(MemoryBroker):
    """Its requests have half of their time."""

    async def request(self, topic: str, message: Any, *, timeout: float, **options: Any) -> Any:
        return await super().request(topic, message, timeout=timeout / 2, **options)


class FailsSilently(MemorySubscription):
    """Who has sent what becomes a dead letter is not told."""

    async def reply(self, item: Item, reply: Any, error: BaseException | None) -> None:
        if error is None:
            await super().reply(item, reply, error)


class FailsAtOnce(MemorySubscription):
    """It tells of the first failure, though it tries again."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        await self.reply(item, None, error)
        await super().failed(item, message, error)


class RepliesInTurn(MemoryBroker):
    """It takes a reply for that to the request that waits for the longest time."""

    async def take_reply(self, message: Any) -> None:
        for waiting in self.requests.values():
            if not waiting.done():
                waiting.set_result(Ok(message))
                return


class StumblesOverLateReplies(MemoryBroker):
    """A reply that nobody waits for it cannot handle."""

    async def take_reply(self, message: Any) -> None:
        current = delivery.get()
        assert current is not None
        self.requests[current.headers[Header.REPLY_FOR.value]].set_result(Ok(message))

    def enter(self, pattern: str, handler: Any, group: str | None, config: SubscriptionConfig) -> MemorySubscription:
        if pattern.startswith("replies"):
            config = SubscriptionConfig(max_deliveries=1)
        return super().enter(pattern, handler, group, config)


class LeavesRequests(MemoryBroker):
    """Requests wait on when it is closed."""

    requests: dict[str, asyncio.Future[Any]]

    async def close(self, timeout: float | None = None) -> None:
        waiting, self.requests = self.requests, {}
        await super().close(timeout)
        self.requests = waiting


class ClosedMeansTimeOver(MemoryBroker):
    """A request that waits when it is closed has run out of time."""

    async def request(self, topic: str, message: Any, **options: Any) -> Result[Any, MessagingError]:
        try:
            return await super().request(topic, message, **options)
        except BrokerClosedError:
            if topic == "prices.ask" and self.is_closed and delivery.get() is None:
                return Err(MessagingError(ErrorMessages.MESSAGING_CLOSED))
            raise


class RepliesToEverybody(MemorySubscription):
    """What a handler returns it publishes, request or not."""

    async def reply(self, item: Item, reply: Any, error: BaseException | None) -> None:
        if reply is not None and Header.REPLY_TO.value not in item.envelope.headers:
            envelope = Envelope(item.envelope.id + "r", "replies", None, {}, self.broker.codec.encode(reply))
            self.hub.accept(envelope, self.broker.max_backlog)
        await super().reply(item, reply, error)


# -- Calls that are cancelled.


class SinksTogether(MemoryBroker):
    """What is published at once is sent together, and lost if one of them is cancelled."""

    batch: "asyncio.Task[None] | None" = None
    waiting: list[Envelope]

    async def send(self, envelope: Envelope) -> None:
        if self.batch is None or self.batch.done():
            self.waiting = []
            self.batch = asyncio.ensure_future(self.send_all(self.waiting))
        self.waiting.append(envelope)
        with suppress(asyncio.CancelledError):
            await self.batch
            return
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise asyncio.CancelledError

    async def send_all(self, waiting: list[Envelope]) -> None:
        await self.hub.trip()
        await self.hub.trip()
        for each in waiting:
            self.hub.accept(each, self.max_backlog)


class LeavesAMember(MemoryBroker):
    """A subscribe that is cancelled leaves a member."""

    async def subscribe(self, *args: Any, **options: Any) -> MemorySubscription:
        made = await super().subscribe(*args, **options)
        await self.hub.trip()
        return made


class GivesUpLeaving(MemorySubscription):
    """An end that is cancelled gives nothing back."""

    async def leave(self, timeout: float) -> None:
        self.active = False
        self.runner.cancel()
        if self.running:
            await asyncio.wait(list(self.running.values()), timeout=timeout)
        await self.break_off()


class SwallowsCancel(MemoryBroker):
    """A close that is cancelled returns."""

    async def leave_all(self, timeout: float) -> None:
        with suppress(asyncio.CancelledError):
            await super().leave_all(timeout)


class ForgetsInSilence(MemorySubscription):
    """After the end of its broker it forgets no group, and says nothing."""

    async def unsubscribe(self, *, forget: bool = False) -> None:
        await super().unsubscribe(forget=forget and self.broker.is_open)


FAULTS: Final[list[Fault]] = [
    fault(NeverRefuses, "58", "94"),
    fault(OpensAgain, "58"),
    fault(ClosesOnce, "58", "63"),
    fault(DoesNotWait, "59", "65"),
    fault(SettlesWhatRuns, "61", "93", "94", "97"),
    fault(LosesWhatWaits, "60", "93", "94"),
    fault(GivesNothingBack, "60", "61"),
    fault(LetsThemRun, "61", "65", "93", "94"),
    fault(LeavesMembers, "59", "62", "65", "94"),
    fault(ForgetsGroups, "60", "63", "94"),
    fault(SaysYesTooSoon, "63", "64"),
    fault(ClosesInItsOwnTime, "65"),
    fault(IgnoresItsOwnTime, "65"),
    fault(AlwaysTakesItsTime, "65"),
    fault(NeverReplies, "83", "86", "87"),
    fault(RepliesWithNothing, "84"),
    fault(WaitsForEver, "84"),
    fault(ExpiresEarly, "84"),
    fault(FailsSilently, "85"),
    fault(FailsAtOnce, "86"),
    fault(RepliesInTurn, "87", "88"),
    fault(StumblesOverLateReplies, "88", "95", "99"),
    fault(LeavesRequests, "89"),
    fault(ClosedMeansTimeOver, "89"),
    fault(RepliesToEverybody, "90"),
    fault(SinksTogether, "91"),
    fault(LeavesAMember, "92"),
    fault(GivesUpLeaving, "93", "94"),
    fault(SwallowsCancel, "94"),
    fault(ForgetsInSilence, "58"),
]
