"""The engine in memory: groups as queues of what nobody holds, in one event loop."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, cast

from infra_messaging._engine import Envelope, Received
from infra_messaging._handling import is_for
from infra_messaging._slots import slot
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    BacklogFullError,
    DeadLetter,
    SubscriptionConfig,
    ValidationError,
)

_REMEMBERED_IDS: Final = 10_000
_REMEMBERED_TOPICS: Final = 10_000
_TURN: Final = 100
_TURNS: Final = 5


class _Part:
    """The messages of a group, or of one of its partitions, that nobody holds."""

    __slots__ = ("claims", "sleeping", "waiting", "woken")

    def __init__(self) -> None:
        self.waiting: deque[Received] = deque()
        self.sleeping: deque[asyncio.Future[None]] = deque()
        self.woken = 0
        self.claims: list[_Feed] = []

    def wake(self) -> None:
        """Wake one who waits; where one has this to itself, all, for that one is among them."""
        if self.claims:
            self.wake_all()
            return
        self._wake_one()

    def _wake_one(self) -> None:
        while self.sleeping:
            sleeper = self.sleeping.popleft()
            if not sleeper.done():
                self.woken += 1
                sleeper.set_result(None)
                return

    def wake_all(self) -> None:
        for _ in range(len(self.sleeping)):
            self._wake_one()


class _Group:
    __slots__ = ("name", "part", "partitions", "parts", "pattern", "unsettled")

    def __init__(self, pattern: str, name: str | None, partitions: int | None) -> None:
        self.pattern = pattern
        self.name = name
        self.partitions = partitions
        self.parts = [_Part() for _ in range(partitions or 1)]
        self.part = self.parts[0]
        self.unsettled = 0

    @property
    def lags(self) -> bool:
        return any(len(part.waiting) >= _TURN for part in self.parts)

    def add(self, envelope: Envelope) -> None:
        self.unsettled += 1
        partitions = self.partitions
        part = self.part if partitions is None else self.parts[slot(envelope.key, envelope.id) % partitions]
        part.waiting.append(Received(envelope, 1, None))
        if part.sleeping:
            part.wake()


class _Feed:
    def __init__(self, engine: "MemoryEngine", group: _Group, part: _Part) -> None:
        self._engine = engine
        self._group = group
        self._part = part
        if group.partitions is not None:
            part.claims.append(self)

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        """What is held here nobody else has."""

    async def receive(self, most: int) -> Sequence[Received]:
        part = self._part
        waiting = part.waiting
        if part.woken:
            await asyncio.sleep(0)  # those first who have nothing
        while not waiting or (part.claims and part.claims[0] is not self):
            sleeper = asyncio.get_running_loop().create_future()
            part.sleeping.append(sleeper)
            try:
                await sleeper
            except asyncio.CancelledError:
                if sleeper in part.sleeping:
                    part.sleeping.remove(sleeper)
                elif sleeper.cancelled():
                    pass  # passed over
                else:
                    part.woken -= 1
                    part.wake()  # somebody else's turn
                raise
            part.woken -= 1
        if part.claims:
            return [waiting.popleft() for _ in range(min(most, len(waiting)))]
        # Those who were waiting too get their share.
        fair = -(-len(waiting) // (1 + part.woken + len(part.sleeping)))
        taken = [waiting.popleft() for _ in range(min(most, fair))]
        if waiting and part.sleeping:
            part.wake()
        return taken

    async def settle(self, received: Sequence[Received]) -> None:
        self._group.unsettled -= len(received)

    async def give_back(self, received: Sequence[Received]) -> None:
        part = self._part
        for each in reversed(received):
            each.attempt += 1
            part.waiting.appendleft(each)
        part.wake_all()

    async def renew(self, received: Sequence[Received]) -> None:
        """Nobody can die without the others."""

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        self._engine.letters.add(letter, self._group)
        self._group.unsettled -= 1

    async def close(self) -> None:
        if self in self._part.claims:
            self._part.claims.remove(self)
            self._part.wake_all()
        if self._group.name is None:
            self._engine.drop(self._group)


class _Letters:
    def __init__(self, engine: "MemoryEngine") -> None:
        self._engine = engine
        self._kept: dict[str, tuple[DeadLetter[bytes], _Group | None]] = {}

    def add(self, letter: DeadLetter[bytes], group: _Group | None) -> None:
        self._kept[letter.id] = letter, group

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        if (letter.id in self._kept) is is_new:
            return False
        _, group = self._kept.get(letter.id, (None, None))
        self.add(letter, group if group is not None and group.name == letter.group else None)
        return True

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        found = self._kept.get(id)
        return None if found is None else found[0]

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        return [letter for letter, _ in list(self._kept.values())[:limit]]

    async def remove(self, id: str) -> bool:
        return self._kept.pop(id, None) is not None

    async def replay(self, id: str) -> bool:
        found = self._kept.get(id)
        if found is None:
            return False
        letter, origin = found
        groups = self._engine.groups_for(letter, origin)
        envelope = Envelope(letter.message_id, letter.topic, letter.key, letter.headers, cast("bytes", letter.data))
        for group in groups:
            group.add(envelope)
        if groups:
            del self._kept[id]
        return bool(groups)


class MemoryEngine:
    """The engine of one broker, or of several, all in one event loop."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._groups: list[_Group] = []
        self._routes: dict[str, list[_Group]] = {}
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._published = 0
        self.letters = _Letters(self)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def publish(self, envelope: Envelope) -> Awaitable[None] | None:
        if envelope.named and envelope.id in self._ids:
            return None
        groups = self._routes.get(envelope.topic)
        if groups is None:
            groups = self._route(envelope.topic)
        full: _Group | None = None
        for group in groups:
            if group.unsettled >= self._max_backlog:
                full = group
            else:
                group.add(envelope)
        if full is not None:
            text = MessagingMessages.MESSAGING_BACKLOG_FULL.format(max=self._max_backlog, group=full.name)
            raise BacklogFullError(text)
        if envelope.named:
            self._remember(envelope.id)
        self._published = published = self._published + 1
        return None if published % _TURN else _give_turns(groups)

    async def subscribe(self, pattern: str, group: str | None, config: SubscriptionConfig) -> Sequence[_Feed]:
        found = next((each for each in self._groups if group is not None and _is(each, pattern, group)), None)
        if found is None:
            found = _Group(pattern, group, config.partitions)
            self._groups.append(found)
            self._routes.clear()
        elif found.partitions != config.partitions:
            text = MessagingMessages.MESSAGING_PARTITIONS_DIFFER.format(group=group, partitions=found.partitions)
            raise ValidationError(text, field="partitions", kind=type(config.partitions).__name__)
        return [_Feed(self, found, part) for part in found.parts]

    async def forget(self, pattern: str, group: str) -> None:
        for each in self._groups:
            if _is(each, pattern, group):
                self.drop(each)
                return

    def drop(self, group: _Group) -> None:
        if group in self._groups:
            self._groups.remove(group)
            self._routes.clear()

    def groups_for(self, letter: DeadLetter[bytes], group: _Group | None) -> list[_Group]:
        """Return the group that could not handle it; of a letter that was made by hand, those of its name."""
        if group is not None:
            return [group] if group in self._groups else []
        named = [each for each in self._groups if each.name is not None and each.name == letter.group]
        return [each for each in named if is_for(each.pattern, letter.topic)]

    def _route(self, topic: str) -> list[_Group]:
        if len(self._routes) >= _REMEMBERED_TOPICS:
            self._routes.clear()
        groups = self._routes[topic] = [each for each in self._groups if is_for(each.pattern, topic)]
        return groups

    def _remember(self, id: str) -> None:
        self._ids[id] = None
        if len(self._ids) > _REMEMBERED_IDS:
            self._ids.popitem(last=False)


async def _give_turns(groups: list[_Group]) -> None:
    """Let those work who handle what is published: one turn, and some more if they lag behind."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        if not any(group.lags for group in groups):
            return


def _is(group: _Group, pattern: str, name: str) -> bool:
    return group.pattern == pattern and group.name == name
