"""The dead letters of a namespace: a hash of them by id, and their order."""

import json
from base64 import b64decode, b64encode
from datetime import datetime
from hashlib import sha1
from typing import Any, Final

from infra_messaging.redis._entry import fields_of
from infra_messaging.redis._groups import Group, Groups
from infra_messaging.redis._line import Line, run
from infra_messaging.redis._names import Names, text_bytes
from infra_messaging.redis._scripts import BURY, GROUPS, OLDEST, PUT, REMOVE, REPLAY
from infra_protocols import DeadLetter, topic_matches

_PAGE: Final = 1000
_ANOTHER: Final = 2


class RedisLetters:
    """Keeps dead letters, each below a line with the id of its group, which is empty if somebody has put it here."""

    def __init__(self, names: Names, line: Line) -> None:
        self._names = names
        self._line = line
        self._keys = (names.letters, names.order)

    async def bury(self, group: Group, stream: bytes, entry: bytes, letter: DeadLetter[bytes]) -> None:
        """Settle the message and keep the letter, in one step."""
        arguments = (text_bytes(letter.id), b"%b\n%b" % (group.id, _written(letter)), entry)
        await self._line.ask(run(BURY, [*self._keys, stream], *arguments))

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        arguments = (text_bytes(letter.id), _written(letter), letter.group or "", int(is_new))
        return bool(await self._line.ask(run(PUT, self._keys, *arguments)))

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        kept = await self._find(id)
        return None if kept is None else _read(kept)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        letters: list[DeadLetter[bytes]] = []
        behind: bytes = b"-inf"
        while limit is None or len(letters) < limit:
            page = _PAGE if limit is None else min(_PAGE, limit - len(letters))
            behind, found = await self._line.ask(run(OLDEST, self._keys, behind, page))
            letters += [_read(each) for each in found]
            if not behind:
                break
        return letters

    async def remove(self, id: str) -> bool:
        return bool(await self._line.ask(run(REMOVE, self._keys, text_bytes(id))))

    async def replay(self, id: str) -> bool:
        while (kept := await self._find(id)) is not None:
            groups = Groups(self._names, await self._line.ask(run(GROUPS, [self._names.groups])))
            letter = _read(kept)
            addressed = _addressed(kept.partition(b"\n")[0], letter, groups)
            streams = [group.stream(letter.key, letter.message_id) for group in addressed]
            fields = fields_of(letter.message_id, letter.topic, letter.key, letter.headers, letter.data or b"")
            told = [each for group in addressed for each in (group.id, group.count)]
            digest = sha1(kept, usedforsecurity=False).hexdigest()
            keys = [self._names.groups, *self._keys, *streams]
            reply = await self._line.ask(run(REPLAY, keys, text_bytes(id), digest, *fields, *told))
            if reply != _ANOTHER:
                return bool(reply)
        return False

    async def _find(self, id: str) -> bytes | None:
        return await self._line.ask(("HGET", self._names.letters, text_bytes(id)))


def _addressed(group_id: bytes, letter: DeadLetter[bytes], groups: Groups) -> list[Group]:
    """Return the group whose letter it is; of one that was put here by hand, those that it may be from."""
    if group_id:
        group = groups.all.get(group_id)
        return [] if group is None else [group]
    named = [group for group in groups.all.values() if group.name is not None and group.name == letter.group]
    return [group for group in named if topic_matches(group.pattern, letter.topic)]


def _written(letter: DeadLetter[bytes]) -> bytes:
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
    }
    return json.dumps(fields).encode()


def _read(kept: bytes) -> DeadLetter[bytes]:
    fields: dict[str, Any] = json.loads(kept.partition(b"\n")[2])
    for name in ("first_failed_at", "last_failed_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    fields["data"] = None if fields["data"] is None else b64decode(fields["data"])
    return DeadLetter(message=None, **fields)
