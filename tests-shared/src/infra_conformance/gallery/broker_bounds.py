"""Brokers that are wrong about order, and about how much there may be of something."""

from contextlib import suppress
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_brokers import fault
from infra_conformance.gallery.memory_hub import Envelope, Group, Hub, Item
from infra_conformance.gallery.memory_subscription import MemorySubscription
from infra_protocols.clock import Clock
from infra_protocols.errors import BacklogFullError, ValidationError
from infra_protocols.messages import ErrorMessages

# -- Order.


class MixesPartitions(Hub):
    """A message may be in any partition, whatever its key is."""

    def slot(self, envelope: Envelope) -> int:
        return self._places


class PassesTheFailing(MemorySubscription):
    """What is behind a message that failed in its partition passes it."""

    def next(self) -> Item | None:
        busy = {item.partition for item in self.running}
        for item in self.held:
            if item not in self.running and item.due <= self.now() and item.partition not in busy - {None}:
                return item if len(self.running) < self.most() else None
        return None


class HoldsUpAllPartitions(MemorySubscription):
    """A message that failed holds up all partitions."""

    def next(self) -> Item | None:
        return None if any(item.due > self.now() for item in self.held) else super().next()


class RunsAhead(MemorySubscription):
    """It handles several messages of a partition at once."""

    def next(self) -> Item | None:
        if len(self.running) >= self.most():
            return None
        return next((each for each in self.held if each not in self.running and each.due <= self.now()), None)


class NeverFreesTheKey(MemorySubscription):
    """A message that became a dead letter holds up its partition for good."""

    async def bury(self, item: Item, message: Any, error: BaseException) -> None:
        await super().bury(item, message, error)
        if item.partition is not None:
            self.dead: set[int] = {*getattr(self, "dead", ()), item.partition}

    def owns(self, partition: int) -> bool:
        return partition not in getattr(self, "dead", ()) and super().owns(partition)

    def next(self) -> Item | None:
        item = super().next()
        return None if item is not None and item.partition in getattr(self, "dead", ()) else item


class KeepsPartitions(MemorySubscription):
    """A member that leaves keeps its partitions."""

    def resign(self) -> None:
        owners = dict(self.members.owners)
        super().resign()
        self.members.owners.update(owners)


class SharesPartitions(MemorySubscription):
    """Each partition is everybody's."""

    def owns(self, partition: int) -> bool:
        return True


class WaitsForTheDead(MemorySubscription):
    """The partitions of a member that was lost are its own for ever."""

    def owns(self, partition: int) -> bool:
        owner = self.members.owners.setdefault(partition, self)
        return owner is self


class OnePartitionAtATime(MemorySubscription):
    """It handles one message at a time, of whichever partition."""

    def most(self) -> int:
        return self.config.concurrency


class KeylessTogether(Hub):
    """Messages without a key are all in one partition."""

    def slot(self, envelope: Envelope) -> int:
        return 0 if envelope.key is None else super().slot(envelope)


# -- How much.


class OneAtATime(MemorySubscription):
    """It handles one message at a time."""

    def most(self) -> int:
        return self.config.partitions or 1


class AllAtOnce(MemorySubscription):
    """It handles all that it holds at once."""

    def most(self) -> int:
        return self.config.prefetch


class HoldsEverything(MemorySubscription):
    """It holds all that there is."""

    def has_room(self) -> bool:
        return True


class FailingWeighNothing(MemorySubscription):
    """What waits to be tried again it does not count as held."""

    def has_room(self) -> bool:
        return sum(item.due == 0 or item in self.running for item in self.held) < self.config.prefetch


class StuckWhenFull(MemorySubscription):
    """While it holds as much as it may, it does not try again."""

    def next(self) -> Item | None:
        item = super().next()
        full = not self.has_room() and all(each.attempts for each in self.held)
        return None if item is not None and item.due and full else item


class HasRoomForAll(Hub):
    """It takes more than may wait."""

    def is_full(self, group: Group, max_backlog: int) -> bool:
        return False


class DropsTheNewest(Hub):
    """What is too much it drops."""

    def accept(self, envelope: Envelope, max_backlog: int) -> None:
        with suppress(BacklogFullError):
            super().accept(envelope, max_backlog)


class DropsTheOldest(Hub):
    """What has waited longest it drops, to make room."""

    def is_full(self, group: Group, max_backlog: int) -> bool:
        while len(group.items) >= max_backlog:
            group.items.pop(min(group.items))
        return False


class RefusesAndKeeps(Hub):
    """What is too much it refuses, and keeps."""

    def accept(self, envelope: Envelope, max_backlog: int) -> None:
        super().accept(envelope, 1_000_000)
        if any(len(group.items) > max_backlog for group in self.groups.values()):
            text = ErrorMessages.MESSAGING_BACKLOG_FULL.format(max=max_backlog, group="")
            raise BacklogFullError(text, operation="publish")


class FullForGood(Hub):
    """A group that was full once is full for ever."""

    def is_full(self, group: Group, max_backlog: int) -> bool:
        if super().is_full(group, max_backlog):
            self.was_full: Group = group
        return getattr(self, "was_full", None) is group


class CountsWhatWaits(Hub):
    """What a member holds does not count."""

    def is_full(self, group: Group, max_backlog: int) -> bool:
        return sum(item.holder is None for item in group.items.values()) >= max_backlog


class TakesItTwice(Hub):
    """A message with an id that it knows is another message to it."""

    def is_known(self, envelope: Envelope) -> bool:
        return False


class RefusesTheSecond(MemoryBroker):
    """A message with an id that it knows it refuses."""

    async def send(self, envelope: Envelope) -> None:
        if self.hub.is_known(envelope):
            raise ValidationError(ErrorMessages.VALIDATION_INVALID_FORMAT.format(field="id"), field="id", kind="str")
        await super().send(envelope)


class KnowsItByItsText(Hub):
    """Two messages that say the same are one to it."""

    def is_known(self, envelope: Envelope) -> bool:
        text = envelope.data.decode()
        known = super().is_known(envelope) or f"{text} {envelope.topic}" in self.known
        self.known.add(f"{text} {envelope.topic}")
        return known


class IdsOfSmallLetters(Hub):
    """Ids that differ in case are one to it."""

    def is_known(self, envelope: Envelope) -> bool:
        id = envelope.id.lower()
        known = id in self.known
        self.known.add(id)
        return known


class WakesInTurn(Hub):
    """It wakes one member for each message, the next each time, whoever has the partition."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.turn: int = 0

    def add(self, group: Group, envelope: Envelope) -> None:
        members, self.turn = group.members, self.turn + 1
        group.members = members[self.turn % len(members) :][:1] if members else members
        super().add(group, envelope)
        group.members = members


FAULTS: Final[list[Fault]] = [
    fault(MixesPartitions, "66", "67"),
    fault(PassesTheFailing, "67", "68", "69"),
    fault(HoldsUpAllPartitions, "68"),
    fault(RunsAhead, "66", "67"),
    fault(NeverFreesTheKey, "69"),
    fault(KeepsPartitions, "68", "70"),
    fault(SharesPartitions, "67"),
    fault(WaitsForTheDead, "71"),
    fault(OnePartitionAtATime, "72"),
    fault(KeylessTogether, "72"),
    fault(OneAtATime, "76"),
    fault(AllAtOnce, "76"),
    fault(HoldsEverything, "77", "78"),
    fault(FailingWeighNothing, "78"),
    fault(StuckWhenFull, "79"),
    fault(HasRoomForAll, "80", "81", "98"),
    fault(DropsTheNewest, "80", "81", "98"),
    fault(DropsTheOldest, "80", "81", "98"),
    fault(RefusesAndKeeps, "80"),
    fault(FullForGood, "80"),
    fault(CountsWhatWaits, "81"),
    fault(TakesItTwice, "82"),
    fault(RefusesTheSecond, "82"),
    fault(KnowsItByItsText, "82"),
    fault(IdsOfSmallLetters, "82"),
    fault(WakesInTurn, "100"),
]
