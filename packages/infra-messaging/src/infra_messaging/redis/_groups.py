"""The groups that there are, as Redis knew them at some moment, and where the messages on a topic go."""

from collections.abc import Iterable, Sequence
from typing import Final, Self
from uuid import uuid4

from infra_messaging._handling import is_for
from infra_messaging._slots import slot
from infra_messaging.redis._names import Names

_KNOWN: Final = 10_000
_VERSION: Final = b"version"


class Group:
    """
    A group, and the keys of what waits for it.

    Its id is its pattern and its name, with a colon in between; a group that is a subscription's own has no name, and
    instead a hash sign and what tells it from others. No pattern has either.
    """

    __slots__ = ("id", "is_own", "name", "owners", "partitions", "pattern", "streams")

    def __init__(self, names: Names, id: bytes, partitions: int | None) -> None:
        self.id = id
        self.partitions = partitions
        self.is_own: bool = b":" not in id
        pattern, _, name = id.decode().partition("#" if self.is_own else ":")
        self.pattern: str = pattern
        self.name: str | None = None if self.is_own else name
        self.streams: tuple[bytes, ...] = tuple(names.stream(id, at) for at in range(partitions or 1))
        self.owners: tuple[bytes, ...] = tuple(names.owner(id, at) for at in range(partitions or 0))

    @classmethod
    def of(cls, names: Names, pattern: str, name: str | None, partitions: int | None) -> Self:
        """Return a group; without a name, one that nobody else has."""
        id = f"{pattern}#{uuid4().hex}" if name is None else f"{pattern}:{name}"
        return cls(names, id.encode(), partitions)

    @property
    def count(self) -> int:
        """The partitions, as they are written in Redis."""
        return self.partitions or 0

    def stream(self, key: str | None, message_id: str) -> bytes:
        """Return where a message goes."""
        return self.streams[slot(key, message_id) % len(self.streams)]


class Route:
    """Where the messages of a topic go: to these groups, in this order."""

    __slots__ = ("arguments", "groups", "keys", "sorts")

    def __init__(self, groups: Iterable[Group], registry: bytes) -> None:
        self.groups: tuple[Group, ...] = tuple(groups)
        self.keys: tuple[bytes, ...] = (registry, *(stream for group in self.groups for stream in group.streams))
        told = [(group.id, int(group.is_own), len(group.streams)) for group in self.groups]
        self.arguments: tuple[bytes | int, ...] = (len(told), *(each for group in told for each in group))
        self.sorts: bool = any(group.partitions for group in self.groups)
        """Whether it matters in which slot a message is."""


class Groups:
    """All groups of one moment; `version` tells it from others."""

    def __init__(self, names: Names, reply: Sequence[bytes]) -> None:
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        self.version: bytes = fields.pop(_VERSION, b"")
        self.all: dict[bytes, Group] = {
            id: Group(names, id, int(partitions) or None) for id, partitions in fields.items()
        }
        self._registry = names.groups
        self._routes: dict[str, Route] = {}
        self._known: dict[frozenset[bytes], Route] = {}

    def route(self, topic: str) -> Route:
        """Return where messages on `topic` go: the same route for all topics that go to the same groups."""
        route = self._routes.get(topic)
        if route is None:
            groups = [group for group in self.all.values() if is_for(group.pattern, topic)]
            alike = frozenset(group.id for group in groups)
            if len(self._routes) >= _KNOWN:
                self._routes.clear()
                self._known.clear()
            route = self._known.setdefault(alike, Route(groups, self._registry))
            self._routes[topic] = route
        return route
