"""The groups there are, a record each: into how many partitions each falls, and how much may wait for it."""

import json
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

    async def join(self, group: Group) -> Group:
        """
        Return the group as it is, or make it so.

        Raises:
            ValidationError: it has other partitions.
        """
        async with self._records.reading() as records:
            for there in map(_read, records):
                if (there.pattern, there.name) != (group.pattern, group.name):
                    continue
                if there.partitions != group.partitions:
                    text = MessagingMessages.MESSAGING_PARTITIONS_DIFFER.format(
                        group=group.name, partitions=there.partitions
                    )
                    raise ValidationError(text, field="partitions", kind=type(group.partitions).__name__)
                return there
            await self._records.add(json.dumps(asdict(group)).encode())
        return group

    async def drop(self, pattern: str, name: str) -> Group | None:
        """Forget the group, and return what it was."""
        async with self._records.reading() as records:
            for record in records:
                there = _read(record)
                if (there.pattern, there.name) == (pattern, name):
                    record.drop()
                    return there
        return None

    async def named(self, name: str) -> list[Group]:
        """Return the groups of this name, whatever their patterns."""
        async with self._records.reading() as records:
            return [there for there in map(_read, records) if there.name == name]


def _read(record: Record) -> Group:
    return Group(**json.loads(record.body))
