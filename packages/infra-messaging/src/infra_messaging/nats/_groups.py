"""The groups there are, and into how many partitions each falls: a record each, written before there is a consumer."""

import json
from typing import NamedTuple

from infra_messaging.messages import MessagingMessages
from infra_messaging.nats._link import Link, Stored, only_after, was_behind
from infra_messaging.nats._names import Names, group_name
from infra_protocols import BrokerRefusedError, ValidationError


class Group(NamedTuple):
    """A group, as its record has it."""

    pattern: str
    group: str
    partitions: int | None

    @property
    def name(self) -> str:
        return group_name(self.pattern, self.group)


class Groups:
    """Those of a namespace."""

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names

    async def join(self, group: Group) -> int:
        """
        Register the group, and return the place of its record: `is_there` knows by it whether it was forgotten since.

        Of two that differ in `partitions` one is refused, whichever comes second.
        """
        while True:
            try:
                await self._link.store(self._subject(group), json.dumps(group).encode(), only_after(0))
            except BrokerRefusedError as error:
                if not was_behind(error):
                    raise
            found = await self._find(group)
            if found is not None:
                break
        known = Group(*json.loads(found.data))
        if known.partitions != group.partitions:
            text = MessagingMessages.MESSAGING_PARTITIONS_DIFFER.format(group=group.group, partitions=known.partitions)
            raise ValidationError(text, field="partitions", kind=type(group.partitions).__name__)
        return found.place

    async def is_there(self, group: Group, place: int) -> bool:
        found = await self._find(group)
        return found is not None and found.place == place

    async def named(self, group: str) -> list[Group]:
        found = await self._link.read(self._names.records, self._names.group(group))
        return [Group(*json.loads(each)) for each in found]

    async def drop(self, group: Group) -> bool:
        return await self._link.remove(self._names.records, self._subject(group))

    async def _find(self, group: Group) -> Stored | None:
        return await self._link.last(self._names.records, self._subject(group))

    def _subject(self, group: Group) -> str:
        return self._names.group(group.group, group.name)
