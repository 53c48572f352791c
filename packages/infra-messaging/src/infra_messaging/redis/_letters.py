"""The dead letters of a namespace: a hash of them by id, and their order."""

import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any, Final

from infra_messaging.redis._entry import fields_of
from infra_messaging.redis._groups import Group, Groups
from infra_messaging.redis._line import Line, run
from infra_messaging.redis._names import Names, text_bytes
from infra_messaging.redis._scripts import BURY, GROUPS, OLDEST, PUT, REMOVE, REPLAY
from infra_protocols import DeadLetter, topic_matches

_PAGE: Final = 1000


class RedisLetters:
    """Keeps dead letters, each with the id of its group."""

    def __init__(self, names: Names, line: Line) -> None:
        self._names = names
        self._line = line
        self._keys = (names.letters, names.order)

    async def bury(self, group: Group, stream: bytes, entry: bytes, letter: DeadLetter[bytes]) -> None:
        """Keep the letter and settle the message, in one step."""
        arguments = (text_bytes(letter.id), _written(letter, group.id.decode()), entry)
        await self._line.ask(run(BURY, [*self._keys, stream], *arguments))

    async def put(self, letter: DeadLetter[bytes]) -> None:
        found = await self._find(letter.id)
        group_id = found["group_id"] if found is not None and found["group"] == letter.group else None
        arguments = (text_bytes(letter.id), _written(letter, group_id))
        await self._line.ask(run(PUT, self._keys, *arguments))

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        found = await self._find(id)
        return None if found is None else _letter(found)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        letters: list[DeadLetter[bytes]] = []
        behind: bytes = b"-inf"
        while limit is None or len(letters) < limit:
            page = _PAGE if limit is None else min(_PAGE, limit - len(letters))
            behind, found = await self._line.ask(run(OLDEST, self._keys, behind, page))
            letters += [_letter(json.loads(each)) for each in found]
            if not behind:
                break
        return letters

    async def remove(self, id: str) -> bool:
        return bool(await self._line.ask(run(REMOVE, self._keys, text_bytes(id))))

    async def replay(self, letter: DeadLetter[bytes]) -> bool:
        found = await self._find(letter.id)
        if found is None:
            return False
        reply = await self._line.ask(run(GROUPS, [self._names.groups]))
        groups = Groups(self._names, reply)
        data = letter.data if letter.data is not None else b""
        fields = fields_of(letter.message_id, letter.topic, letter.key, letter.headers, data)
        for group in _addressed(found["group_id"], letter, groups):
            keys = [self._names.groups, *self._keys, group.stream(letter.key, letter.message_id)]
            command = run(REPLAY, keys, text_bytes(letter.id), group.id, group.count, *fields)
            if await self._line.ask(command):
                return True
        return False

    async def _find(self, id: str) -> dict[str, Any] | None:
        found = await self._line.ask(("HGET", self._names.letters, text_bytes(id)))
        return None if found is None else json.loads(found)


def _addressed(group_id: str | None, letter: DeadLetter[bytes], groups: Groups) -> list[Group]:
    """Return the group whose letter it is; of one that was put here by hand, those that it may be from."""
    if group_id is not None:
        group = groups.all.get(group_id.encode())
        return [] if group is None else [group]
    named = [group for group in groups.all.values() if group.name is not None and group.name == letter.group]
    return [group for group in named if topic_matches(group.pattern, letter.topic)]


def _written(letter: DeadLetter[bytes], group_id: str | None) -> bytes:
    fields: dict[str, Any] = {
        "id": letter.id,
        "message_id": letter.message_id,
        "topic": letter.topic,
        "key": letter.key,
        "headers": dict(letter.headers),
        "group": letter.group,
        "attempts": letter.attempts,
        "error": letter.error,
        "reason": letter.reason,
        "first_failed_at": letter.first_failed_at.isoformat(),
        "last_failed_at": letter.last_failed_at.isoformat(),
        "data": None if letter.data is None else b64encode(letter.data).decode(),
        "group_id": group_id,
    }
    return json.dumps(fields).encode()


def _letter(written: dict[str, Any]) -> DeadLetter[bytes]:
    fields = {name: value for name, value in written.items() if name != "group_id"}
    for name in ("first_failed_at", "last_failed_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    fields["data"] = None if fields["data"] is None else b64decode(fields["data"])
    return DeadLetter(message=None, **fields)
