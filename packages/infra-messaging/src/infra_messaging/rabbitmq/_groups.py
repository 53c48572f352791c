"""The groups there are, a record each: into how many partitions each falls, and how much may wait for it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from infra_messaging._slots import slot
from infra_messaging.messages import MessagingMessages
from infra_messaging.rabbitmq._names import Names
from infra_messaging.rabbitmq._records import Record, Records
from infra_protocols import ValidationError


@dataclass(frozen=True, slots=True)
class Group:
    """A group, as its first member made it."""

    pattern: str
    name: str
    partitions: int | None
    max_backlog: int

    def queues(self, names: Names) -> list[str]:
        numbers = range(self.partitions or 1)
        return [names.queue(self.pattern, self.name, self.partitions, number) for number in numbers]

    def queue_for(self, names: Names, key: str | None, id: str) -> str:
        partition = 0 if self.partitions is None else slot(key, id) % self.partitions
        return names.queue(self.pattern, self.name, self.partitions, partition)


class Groups:
    """The groups of a namespace."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @asynccontextmanager
    async def joining(self, group: Group) -> AsyncGenerator[Group]:
        """
        Yield the group as it is, or make it so; nobody forgets it before this ends.

        Raises:
            ValidationError: it has other partitions.
        """
        async with self._records.reading() as records:
            record = _found(records, group.pattern, group.name)
            there = group if record is None else _read(record)
            if there.partitions != group.partitions:
                text = MessagingMessages.MESSAGING_PARTITIONS_DIFFER.format(
                    group=group.name, partitions=there.partitions
                )
                raise ValidationError(text, field="partitions", kind=type(group.partitions).__name__)
            if record is None:
                await self._records.add(json.dumps(asdict(group)).encode())
            yield there

    @asynccontextmanager
    async def rejoining(self, group: Group) -> AsyncGenerator[Group | None]:
        """Yield the group as it is, unless it was forgotten; nobody makes or forgets it before this ends."""
        async with self._records.reading() as records:
            record = _found(records, group.pattern, group.name)
            there = None if record is None else _read(record)
            yield there if there is not None and there.partitions == group.partitions else None

    @asynccontextmanager
    async def forgetting(self, pattern: str, name: str) -> AsyncGenerator[Group | None]:
        """Yield the group; it is forgotten if this ends well, and nobody joins it before."""
        async with self._records.reading() as records:
            record = _found(records, pattern, name)
            yield None if record is None else _read(record)
            if record is not None:
                record.drop()

    async def named(self, name: str) -> list[Group]:
        """Return the groups of this name, whatever their patterns."""
        async with self._records.reading() as records:
            return [there for there in map(_read, records) if there.name == name]


def _found(records: list[Record], pattern: str, name: str) -> Record | None:
    return next((it for it in records if (_read(it).pattern, _read(it).name) == (pattern, name)), None)


def _read(record: Record) -> Group:
    return Group(**json.loads(record.body))
