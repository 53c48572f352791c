"""Brokers that are wrong about dead letters."""

from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import MemoryBroker
from infra_conformance.gallery.memory_brokers import fault
from infra_conformance.gallery.memory_hub import Envelope, Group, Hub, Item
from infra_conformance.gallery.memory_letters import MemoryLetters
from infra_conformance.gallery.memory_subscription import MemorySubscription
from infra_protocols.errors import DecodeError, EntityExistsError, EntityNotFoundError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import DeadLetter

# -- How they are written.


class WritesNone(MemorySubscription):
    """It settles what would be a dead letter."""

    async def bury(self, item: Item, message: Any, error: BaseException) -> None:
        await self.settle(item)


class WritesTooSoon(MemorySubscription):
    """It tries once less than it is told."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        if item.attempts == self.config.max_deliveries - 1 > 1:
            await self.bury(item, message, error)
        else:
            await super().failed(item, message, error)


class TriesForEver(MemorySubscription):
    """It never has enough."""

    async def failed(self, item: Item, message: Any, error: BaseException) -> None:
        item.due = self.now() + self.delay(item.attempts) + 0.01


class TellsNoMessage(MemoryLetters):
    """Its letters have no message."""

    def shown(self, letter: DeadLetter[bytes]) -> DeadLetter[Any]:
        return replace(letter, message=None)


class TellsNoReason(MemorySubscription):
    """Its letters tell no reason."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        return replace(super().letter(item, error), reason="")


class TellsNoHeaders(MemorySubscription):
    """Its letters have no headers."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        return replace(super().letter(item, error), headers={})


class TellsNoKey(MemorySubscription):
    """Its letters have no key."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        return replace(super().letter(item, error), key=None)


class TellsOneTime(MemorySubscription):
    """By its letters all failures were at once."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        letter = super().letter(item, error)
        return replace(letter, first_failed_at=letter.last_failed_at)


class CountsRetries(MemorySubscription):
    """Its letters tell how often it has tried again."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        return replace(super().letter(item, error), attempts=item.attempts - 1)


class TellsTheFirstError(MemoryBroker):
    """Its letters tell the first error of a message."""

    def __init__(self, hub: Hub, **options: Any) -> None:
        super().__init__(hub, **options)
        self.errors: dict[Item, BaseException] = {}

    class subscription(MemorySubscription):
        """Its members remember."""

        async def failed(self, item: Item, message: Any, error: BaseException) -> None:
            broker: Any = self.broker
            await super().failed(item, message, broker.errors.setdefault(item, error))


class OneLetterForAll(MemorySubscription):
    """A message has one letter, however many groups could not handle it."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        return replace(super().letter(item, error), id=item.envelope.id)


class SettlesThenWrites(MemorySubscription):
    """It settles the message, and then writes the letter."""

    async def bury(self, item: Item, message: Any, error: BaseException) -> None:
        await self.settle(item)
        await self.hub.trip()
        self.hub.put(self.letter(item, error))


class HasNoneOfTheLonely(MemorySubscription):
    """Subscriptions without a group have no dead letters."""

    async def bury(self, item: Item, message: Any, error: BaseException) -> None:
        await (self.settle(item) if self.group is None else super().bury(item, message, error))


class ForgetsLetters(Hub):
    """With a group, it forgets its letters."""

    letters: dict[str, DeadLetter[bytes]]

    def forget(self, group: Group) -> None:
        super().forget(group)
        self.letters = {id: each for id, each in self.letters.items() if not id.startswith(f"{group.pattern}/")}


class CountsForItself(MemorySubscription):
    """Each member counts its own deliveries."""

    def give_back(self, item: Item) -> None:
        item.attempts = 0
        super().give_back(item)


# -- What cannot be decoded.


class HandlesNothing(MemorySubscription):
    """For what cannot be decoded it calls the handler with nothing."""

    async def handle(self, item: Item) -> None:
        try:
            self.broker.codec.decode(item.envelope.data)
        except DecodeError:
            item.attempts += 1
            await self.call(item, None)
            await self.settle(item)
        else:
            await super().handle(item)


class TriesToDecode(MemorySubscription):
    """What cannot be decoded it tries again and again."""

    async def handle(self, item: Item) -> None:
        try:
            self.broker.codec.decode(item.envelope.data)
        except DecodeError:
            item.due = self.now() + 0.1
        else:
            await super().handle(item)


class LosesBytes(MemorySubscription):
    """What cannot be decoded it does not keep."""

    def letter(self, item: Item, error: BaseException) -> DeadLetter[bytes]:
        letter = super().letter(item, error)
        return replace(letter, data=b"") if isinstance(error, DecodeError) else letter


# -- How they are kept.


class PeekTakes(MemoryLetters):
    """To peek at a letter drops it."""

    async def peek(self, limit: int = 100) -> list[DeadLetter[Any]]:
        found = await super().peek(limit)
        for each in found if limit < 100 else []:
            del self.hub.letters[each.id]
        return found


class NewestLetterFirst(MemoryLetters):
    """Its peek begins with the newest."""

    async def peek(self, limit: int = 100) -> list[DeadLetter[Any]]:
        return (await super().peek(1_000_000))[::-1][:limit]


class PeeksAtAll(MemoryLetters):
    """Its peek returns all letters."""

    async def peek(self, limit: int = 100) -> list[DeadLetter[Any]]:
        return await super().peek(max(limit, 1_000_000))


class ReplaysToAll(Hub):
    """It replays a letter to all groups."""

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        assert letter.data is not None
        for each in self.groups.values():
            if self.matches(each.pattern, letter.topic):
                self.add(each, Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data))
        self.letters.pop(letter.id, None)


class KeepsWhatIsReplayed(Hub):
    """What it has replayed is a letter still."""

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        super().replay(letter, group)
        self.put(letter)


class CountsOn(Hub):
    """What is replayed has been tried already."""

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        super().replay(letter, group)
        group.items[max(group.items)].attempts = letter.attempts


class ReplaysBare(Hub):
    """What is replayed has no headers, and another id."""

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        super().replay(replace(letter, headers={}, message_id="replayed"), group)


class ReplaysToWhoIsThere(Hub):
    """What is replayed while nobody is there is lost."""

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        super().replay(letter, group)
        if not group.members:
            group.items.clear()


class ReplaysToNobody(MemoryLetters):
    """A letter whose group is gone is replayed to nobody."""

    async def replay(self, id: str) -> bool:
        return await super().replay(id) or await self.delete(id)


class CreateReplaces(MemoryLetters):
    """Its create replaces what is there."""

    async def create(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        await self.delete(entity.id)
        return await super().create(entity)


class UpdateCreates(MemoryLetters):
    """Its update creates what is not there."""

    async def update(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        return self.keep(entity)


class CreateLooksFirst(MemoryLetters):
    """Its create looks whether there is one, and writes some time later."""

    async def create(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        await self.ask("create")
        if entity.id in self.hub.letters:
            raise EntityExistsError(ErrorMessages.ENTITY_EXISTS.format(id=entity.id), operation="create")
        await self.hub.trip()
        return self.keep(entity)


class UpdateLooksFirst(MemoryLetters):
    """Its update looks whether there is one, and writes some time later."""

    async def update(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        await self.ask("update")
        if entity.id not in self.hub.letters:
            raise EntityNotFoundError(ErrorMessages.ENTITY_NOT_FOUND.format(id=entity.id), operation="update")
        await self.hub.trip()
        return self.keep(entity)


class DiscardIsGlad(MemoryLetters):
    """Its discard always says that it has dropped something."""

    async def discard(self, id: str) -> bool:
        await super().discard(id)
        return True


class ReadsWhenClosed(MemoryLetters):
    """It shows letters of a broker that is not open."""

    async def ask(self, operation: str) -> None:
        await self.hub.trip()


class TakesAnyLimit(MemoryLetters):
    """A limit of nothing is all right with it."""

    async def peek(self, limit: int = 100) -> list[DeadLetter[Any]]:
        return await super().peek(limit) if limit > 0 else []


class ReplayDropsFirst(MemoryLetters):
    """Its replay drops the letter, and then has the message delivered."""

    async def replay(self, id: str) -> bool:
        await self.ask("replay")
        letter = self.hub.letters.get(id)
        group = None if letter is None else self.hub.group_of(letter)
        if letter is None or group is None:
            return False
        del self.hub.letters[id]
        await self.hub.trip()
        self.hub.replay(letter, group)
        return True


FAULTS: Final[list[Fault]] = [
    fault(WritesNone, "44", "45", "46", "47", "48", "49", "69", "85", "97"),
    fault(WritesTooSoon, "44", "51"),
    fault(TriesForEver, "44"),
    fault(TellsNoMessage, "44", "46", "49", "51"),
    fault(TellsNoReason, "44", "48"),
    fault(TellsNoHeaders, "44", "50"),
    fault(TellsNoKey, "44", "50"),
    fault(TellsOneTime, "44"),
    fault(CountsRetries, "44", "51"),
    fault(TellsTheFirstError, "44", "55"),
    fault(OneLetterForAll, "45", "50"),
    fault(SettlesThenWrites, "47"),
    fault(HasNoneOfTheLonely, "46"),
    fault(ForgetsLetters, "46", "52"),
    fault(CountsForItself, "55"),
    fault(HandlesNothing, "48"),
    fault(TriesToDecode, "48", "56"),
    fault(LosesBytes, "48"),
    fault(PeekTakes, "49"),
    fault(NewestLetterFirst, "49"),
    fault(PeeksAtAll, "49"),
    fault(ReplaysToAll, "50"),
    fault(KeepsWhatIsReplayed, "50", "51", "96"),
    fault(CountsOn, "50", "51"),
    fault(ReplaysBare, "50"),
    fault(ReplaysToWhoIsThere, "51", "96"),
    fault(ReplaysToNobody, "46", "52"),
    fault(CreateReplaces, "53"),
    fault(UpdateCreates, "53"),
    fault(CreateLooksFirst, "102"),
    fault(UpdateLooksFirst, "102"),
    fault(DiscardIsGlad, "53"),
    fault(ReadsWhenClosed, "54"),
    fault(TakesAnyLimit, "49"),
    fault(ReplayDropsFirst, "96"),
]
