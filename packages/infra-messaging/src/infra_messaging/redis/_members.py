"""That a subscription is a member of its group, also when Redis has lost the group."""

from typing import Final

from infra_messaging.redis._groups import Group
from infra_messaging.redis._line import Line, run
from infra_messaging.redis._names import Names
from infra_messaging.redis._scripts import FORGET, JOIN
from infra_protocols import ErrorMessages, ValidationError

_LEAST: Final = 10.0
"""For how many seconds at least a group that is a subscription's own outlasts its last sign of life."""
_FORGOTTEN: Final = 7 * 86_400_000
"""For how many milliseconds it is known that a group was forgotten: to members that are cut off as long as that."""


class Membership:
    """The membership of one subscription, which all of its feeds share."""

    def __init__(self, group: Group, lease: float, names: Names, line: Line) -> None:
        self.group = group
        self.lease = lease
        self.lifetime: int = round(max(lease, _LEAST) * 1000) if group.is_own else 0
        """For how many milliseconds the group lasts without being used; 0: for ever."""
        self._names = names
        self._line = line
        self._joined: int | None = None
        self._left = False

    async def join(self) -> bool:
        """
        Make the group if it is not there; `False` if it was there, when it was last joined, and was forgotten since.

        Raises:
            ValidationError: the group has other partitions.
        """
        group = self.group
        before = "" if group.is_own or self._joined is None else self._joined
        keys = [self._names.groups, self._names.forgotten, *group.streams]
        partitions, at = await self._line.ask(run(JOIN, keys, group.id, group.count, before, self.lifetime))
        if not partitions:
            return False
        if int(partitions) != group.count:
            told = int(partitions) or None
            message = ErrorMessages.MESSAGING_PARTITIONS_DIFFER.format(group=group.name, partitions=told)
            raise ValidationError(message, field="partitions", kind=type(group.partitions).__name__)
        self._joined = at
        return True

    async def rejoin(self) -> bool:
        """Make the group anew if Redis has lost it; `False` if it was forgotten."""
        return not self._left and await self.join()

    async def leave(self) -> None:
        """Have the group forgotten, which is the subscription's own."""
        self._left = True
        await forget(self.group, self._names, self._line)


async def forget(group: Group, names: Names, line: Line) -> None:
    """Have a group forgotten, however many partitions it has."""
    known = 0 if group.is_own else _FORGOTTEN
    while True:
        keys = [names.groups, names.forgotten, *group.streams, *group.owners]
        others = await line.ask(run(FORGET, keys, group.id, group.count, known))
        if others is None:
            return
        group = Group(names, group.id, int(others) or None)
