"""What brokers in memory share: groups, what waits for them, and dead letters. It stands for a server."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from infra_protocols.clock import Clock
from infra_protocols.errors import BacklogFullError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import DeadLetter, SubscriptionConfig, topic_matches


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way."""

    id: str
    topic: str
    key: str | None
    headers: Mapping[str, str]
    data: bytes


@dataclass(slots=True, eq=False)
class Item:
    """A message that waits for a group, or is held by a member of it."""

    envelope: Envelope
    place: int
    partition: int | None = None
    attempts: int = 0
    holder: "Member | None" = None
    taken: float = 0.0
    due: float = 0.0
    """When it may be handled again, if it failed."""
    first_failed: datetime | None = None


class Member:
    """One who takes the messages of a group; a subscription is one."""

    def __init__(self, config: SubscriptionConfig) -> None:
        self.config: Final = config
        self.wake: Final = asyncio.Event()
        self.lost: float | None = None
        """When its process died."""

    def is_dead(self, now: float) -> bool:
        """Whether it died so long ago that others have what it held."""
        return self.lost is not None and now >= self.lost + self.config.lease


@dataclass(slots=True, eq=False)
class Group:
    """Those who share messages, and the messages that are not settled, in order."""

    pattern: str
    name: str | None
    partitions: int | None
    items: dict[int, Item] = field(default_factory=dict[int, Item])
    members: list[Any] = field(default_factory=list[Any])
    owners: dict[int, Any] = field(default_factory=dict[int, Any])

    def wake(self) -> None:
        """Have all members look again."""
        for member in self.members:
            member.wake.set()


class Hub:
    """What one engine keeps: brokers that share it see each other's messages."""

    def __init__(self, clock: Clock) -> None:
        self.clock: Final = clock
        self.groups: dict[tuple[str, str | None, int], Group] = {}
        self.letters: dict[str, DeadLetter[bytes]] = {}
        self.known: set[str] = set()
        self._places = 0
        self._ungrouped = 0

    async def trip(self) -> None:
        """Take the time that a way to the engine takes."""
        await asyncio.sleep(0)

    def group(self, pattern: str, name: str | None, partitions: int | None) -> Group:
        """Return the group, a new one if there is none, or it has no name."""
        self._ungrouped += name is None
        key = (pattern, name, self._ungrouped if name is None else 0)
        return self.groups.setdefault(key, Group(pattern, name, partitions))

    def find(self, pattern: str, name: str | None) -> Group | None:
        """Return the group of that name, if there is one."""
        return self.groups.get((pattern, name, 0))

    def forget(self, group: Group) -> None:
        """Drop the group, and all that waits for it."""
        self.groups = {key: each for key, each in self.groups.items() if each is not group}
        group.items.clear()

    def accept(self, envelope: Envelope, max_backlog: int) -> None:
        """Keep a message for each of the groups that it is for, but for those for which too much waits."""
        if self.is_known(envelope):
            return
        full: list[Group] = []
        for group in self.groups.values():
            if not self.matches(group.pattern, envelope.topic):
                continue
            if self.is_full(group, max_backlog):
                full.append(group)
            else:
                self.add(group, envelope)
        if full:
            message = ErrorMessages.MESSAGING_BACKLOG_FULL.format(max=max_backlog, group=full[0].name)
            raise BacklogFullError(message, operation="publish")
        self.known.add(envelope.id)

    def is_known(self, envelope: Envelope) -> bool:
        """Whether a message with this id was kept already."""
        return envelope.id in self.known

    def matches(self, pattern: str, topic: str) -> bool:
        """Whether the pattern stands for the topic."""
        return topic_matches(pattern, topic)

    def is_full(self, group: Group, max_backlog: int) -> bool:
        """Whether too much waits for the group."""
        return len(group.items) >= max_backlog

    def add(self, group: Group, envelope: Envelope) -> None:
        """Keep a message for the group."""
        self._places += 1
        partition = None if group.partitions is None else self.slot(envelope) % group.partitions
        group.items[self._places] = Item(envelope, self._places, partition)
        group.wake()

    def slot(self, envelope: Envelope) -> int:
        """Return the slot that the message falls into."""
        return crc32((envelope.key or envelope.id).encode()) % 64

    def is_free(self, item: Item) -> bool:
        """Whether a member may take the item."""
        return item.holder is None or item.holder.is_dead(self.clock.monotonic())

    def settle(self, group: Group, item: Item) -> None:
        """Forget the item."""
        group.items.pop(item.place, None)
        group.wake()

    def give_back(self, group: Group, item: Item) -> None:
        """Let others have the item at once."""
        item.holder = None
        group.wake()

    def put(self, letter: DeadLetter[bytes]) -> None:
        """Keep a letter."""
        self.letters[letter.id] = letter

    def replay(self, letter: DeadLetter[bytes], group: Group) -> None:
        """Have the message of a letter handed out to its group as if never before, and drop the letter."""
        assert letter.data is not None
        self.add(group, Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data))
        self.letters.pop(letter.id, None)

    def group_of(self, letter: DeadLetter[bytes]) -> Group | None:
        """Return the group whose letter it is."""
        pattern, _, _ = letter.id.partition("/")
        return self.find(pattern, letter.group) if letter.group is not None else None


def as_sent(letter: DeadLetter[Any], data: bytes | None) -> DeadLetter[bytes]:
    """Return a letter as the hub keeps it: with the message as it was sent."""
    return replace(letter, message=None, data=data if letter.data is None else letter.data)
