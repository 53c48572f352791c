"""Brokers that are wrong about who gets a message, and about what goes with it."""

import asyncio
from collections import ChainMap
from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_broker import TRACE, MemoryBroker
from infra_conformance.gallery.memory_brokers import fault
from infra_conformance.gallery.memory_hub import Envelope, Group, Hub, Item
from infra_conformance.gallery.memory_subscription import MemoryDelivery, MemorySubscription
from infra_protocols.clock import Clock
from infra_protocols.context import correlation_id
from infra_protocols.errors import ValidationError
from infra_protocols.messaging import Header, SubscriptionConfig, delivery

# -- Groups.


class EachMemberIsAGroup(Hub):
    """All members of a group get every message."""

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        group = super().group(pattern, None, partitions)
        group.name = name
        return group


class OneGroupWins(Hub):
    """The first group that a message is for has it for itself."""

    def accept(self, envelope: Envelope, max_backlog: int) -> None:
        for group in self.groups.values():
            if self.matches(group.pattern, envelope.topic):
                self.add(group, envelope)
                return


class TheLonelyShare(Hub):
    """All who subscribe to a pattern without a group are one group."""

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        return self.groups.setdefault((pattern, name, 0), Group(pattern, name, partitions))


class EndsWithItsMembers(MemorySubscription):
    """A group without members it forgets."""

    def resign(self) -> None:
        super().resign()
        if not self.members.members:
            self.hub.forget(self.members)


class NameMakesTheGroup(Hub):
    """It takes groups of one name for one group, whatever their patterns are."""

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        for group in self.groups.values():
            if name is not None and group.name == name:
                return group
        return super().group(pattern, name, partitions)


class GroupsOfSmallLetters(Hub):
    """Groups whose names differ in case are one to it."""

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        return super().group(pattern, None if name is None else name.lower(), partitions)


class KeysOfAscii(MemoryBroker):
    """What is not ASCII in a key it leaves out."""

    async def send(self, envelope: Envelope) -> None:
        key = None if envelope.key is None else envelope.key.encode("ascii", "ignore").decode()
        await super().send(replace(envelope, key=key))


class BeginsAtTheBeginning(Hub):
    """A new group gets what was published before."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.log: list[Envelope] = []

    def accept(self, envelope: Envelope, max_backlog: int) -> None:
        super().accept(envelope, max_backlog)
        self.log.append(envelope)

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        before = set(map(id, self.groups.values()))
        group = super().group(pattern, name, partitions)
        for envelope in self.log if id(group) not in before else []:
            if self.matches(pattern, envelope.topic):
                self.add(group, envelope)
        return group


class TakesTheTwin(MemorySubscription):
    """To end a subscription ends all of its handler."""

    async def unsubscribe(self, *, forget: bool = False) -> None:
        for each in self.broker.subscriptions:
            if each.handler is self.handler:
                await MemorySubscription.unsubscribe(each, forget=forget)


class TakesOn(MemorySubscription):
    """It takes messages after it has ended."""

    async def leave(self, timeout: float) -> None:
        self.active = False


class StaysActive(MemorySubscription):
    """It says that it is active when it is not."""

    async def leave(self, timeout: float) -> None:
        await super().leave(timeout)
        self.active = True


class ForgetsNothing(MemorySubscription):
    """It keeps a group that was to be forgotten."""

    async def unsubscribe(self, *, forget: bool = False) -> None:
        await super().unsubscribe()


class TakesAnyPartitions(MemoryBroker):
    """Who asks for other partitions than the group has gets them, for the whole group."""

    def enter(self, pattern: str, handler: Any, group: str | None, config: SubscriptionConfig) -> MemorySubscription:
        self.hub.group(pattern, group, config.partitions).partitions = config.partitions
        return super().enter(pattern, handler, group, config)


class TellsNoGroup(MemorySubscription):
    """Its deliveries tell no group."""

    async def call(self, item: Item, message: Any) -> Any:
        delivery.set(MemoryDelivery(item, None))
        return await self.handler(message)


# -- Topics.


class GreedyStar(Hub):
    """A `*` stands for several words."""

    def matches(self, pattern: str, topic: str) -> bool:
        return super().matches(pattern, topic) or (pattern.endswith("*") and super().matches(pattern[:-1] + ">", topic))


class EmptyTail(Hub):
    """A `>` stands for no word, too."""

    def matches(self, pattern: str, topic: str) -> bool:
        return super().matches(pattern, topic) or pattern == f"{topic}.>"


class ShortTail(Hub):
    """A `>` stands for one word."""

    def matches(self, pattern: str, topic: str) -> bool:
        return super().matches(pattern.replace(">", "*"), topic)


class TakesTheBeginning(Hub):
    """A topic stands for all that begin like it."""

    def matches(self, pattern: str, topic: str) -> bool:
        return super().matches(pattern, topic) or topic.startswith(pattern)


class CaseBlind(Hub):
    """Upper and lower case are one to it."""

    def matches(self, pattern: str, topic: str) -> bool:
        return super().matches(pattern.lower(), topic.lower())


class RefusesTooLate(MemoryBroker):
    """It publishes what is malformed, and then refuses it."""

    async def publish(self, topic: str, message: Any, **options: Any) -> str:
        try:
            return await super().publish(topic, message, **options)
        except ValidationError:
            await super().publish("a", message)
            raise


class TakesAnyPattern(MemoryBroker):
    """It takes any text for a pattern."""

    async def subscribe(self, pattern: str, *args: Any, **options: Any) -> MemorySubscription:
        return await super().subscribe(pattern.replace("*", "x").replace(" ", "x") or "x", *args, **options)


class MendsOptions(MemoryBroker):
    """What is out of bounds it takes for what is usual."""

    async def subscribe(self, *args: Any, **options: Any) -> MemorySubscription:
        try:
            return await super().subscribe(*args, **options)
        except ValidationError:
            return await super().subscribe(*args)


# -- What goes with a message.


class TellsNothing(MemorySubscription):
    """Its handlers are told of no delivery."""

    async def call(self, item: Item, message: Any) -> Any:
        return await self.handler(message)


class LeavesDelivery(MemoryBroker):
    """It sets the delivery for who publishes."""

    async def send(self, envelope: Envelope) -> None:
        await super().send(envelope)
        delivery.set(MemoryDelivery(Item(envelope, 0), None))


class CutsHeaders(MemoryBroker):
    """It cuts long headers."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        return {name: value[:255] for name, value in super().headers(topic, id, more).items()}


class KeepsTheDict(MemoryBroker):
    """It keeps the headers in the dict of who gave them."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        given: Any = more
        return ChainMap(given, dict(super().headers(topic, id, {})))


class LeaksCorrelation(MemorySubscription):
    """A message without a correlation id is handled under that of another."""

    def start(self, item: Item) -> None:
        id = item.envelope.headers.get(Header.CORRELATION_ID.value)
        if id is not None:
            correlation_id.set(id)
        task = asyncio.get_running_loop().create_task(self.handle(item), context=copy_context())
        self.running[item] = task
        task.add_done_callback(lambda _: self.ended(item))

    async def call(self, item: Item, message: Any) -> Any:
        delivery.set(MemoryDelivery(item, self.group))
        return await self.handler(message)


class CorrelationOfTheCaller(MemoryBroker):
    """The correlation id of the moment is more to it than the one in the headers."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        made = dict(super().headers(topic, id, more))
        if (current := correlation_id.get()) is not None:
            made[Header.CORRELATION_ID.value] = current
        return made


class LosesTheTrace(MemoryBroker):
    """What a handler publishes has no trace."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        made = super().headers(topic, id, more)
        return {name: value for name, value in made.items() if name in more or name not in TRACE}


class KeepsTheTrace(MemoryBroker):
    """What a handler publishes has the trace of its message, whatever it says."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        current = delivery.get()
        own = {} if current is None else {name: current.headers[name] for name in TRACE if name in current.headers}
        return {**super().headers(topic, id, more), **own}


class PassesAllOn(MemoryBroker):
    """What a handler publishes has all the headers of its message."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        current = delivery.get()
        return {**({} if current is None else current.headers), **super().headers(topic, id, more)}


class OldEvents(MemoryBroker):
    """Its messages say another version of CloudEvents."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        return {**super().headers(topic, id, more), Header.SPEC_VERSION.value: "0.3"}


class HasOneType(MemoryBroker):
    """The type of its messages is the topic, whatever is given."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        return {**super().headers(topic, id, more), Header.TYPE.value: topic}


class NaiveTime(MemoryBroker):
    """Its times have no offset."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        made = super().headers(topic, id, more)
        time = datetime.fromisoformat(made[Header.TIME.value]).replace(tzinfo=None)
        return {**made, Header.TIME.value: time.isoformat()}


class BelievesAnything(MemoryBroker):
    """What is given for its own headers it believes."""

    def headers(self, topic: str, id: str, more: Mapping[str, str]) -> Mapping[str, str]:
        return {**super().headers(topic, id, more), **more}


class SendsAnything(MemoryBroker):
    """What is no message of its own it sends as text."""

    async def publish(self, topic: str, message: Any, **options: Any) -> str:
        return await super().publish(topic, message if isinstance(message, str) else repr(message), **options)


FAULTS: Final[list[Fault]] = [
    fault(EachMemberIsAGroup, "16", "18"),
    fault(OneGroupWins, "15", "17", "19", "28"),
    fault(TheLonelyShare, "17", "21"),
    fault(EndsWithItsMembers, "10", "18", "22", "63", "64", "97"),
    fault(NameMakesTheGroup, "19", "23", "97"),
    fault(GroupsOfSmallLetters, "25"),
    fault(KeysOfAscii, "41"),
    fault(BeginsAtTheBeginning, "20", "23"),
    fault(TakesTheTwin, "21"),
    fault(TakesOn, "18", "22", "62", "97"),
    fault(StaysActive, "21", "22", "93"),
    fault(ForgetsNothing, "23", "52"),
    fault(TakesAnyPartitions, "24"),
    fault(TellsNoGroup, "15", "34"),
    fault(GreedyStar, "28", "29"),
    fault(EmptyTail, "28", "29"),
    fault(ShortTail, "28", "29"),
    fault(TakesTheBeginning, "28", "29"),
    fault(CaseBlind, "28", "29"),
    fault(RefusesTooLate, "30", "31"),
    fault(TakesAnyPattern, "30"),
    fault(MendsOptions, "32"),
    fault(TellsNothing, "34"),
    fault(LeavesDelivery, "34"),
    fault(CutsHeaders, "35"),
    fault(KeepsTheDict, "35"),
    fault(LeaksCorrelation, "36"),
    fault(CorrelationOfTheCaller, "36"),
    fault(LosesTheTrace, "37"),
    fault(KeepsTheTrace, "37"),
    fault(PassesAllOn, "37"),
    fault(OldEvents, "38"),
    fault(HasOneType, "38"),
    fault(NaiveTime, "38"),
    fault(BelievesAnything, "39"),
    fault(SendsAnything, "40"),
]
