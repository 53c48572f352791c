"""The dead letters: a record each, of which the first line tells about the message, which follows."""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

from infra_messaging._engine import Envelope
from infra_messaging.nats._groups import Groups
from infra_messaging.nats._link import Link, Stored, code
from infra_messaging.nats._messages import Messages
from infra_messaging.nats._names import Names
from infra_messaging.nats._wire import NAMED, TARGET, written
from infra_protocols import BrokerRefusedError, DeadLetter, topic_matches

_LAST: Final = "Nats-Expected-Last-Subject-Sequence"
_ANOTHER_IS_LAST: Final = 10071


class Origin(NamedTuple):
    """Where a letter comes from: the group, and the consumer that had its message."""

    group: str
    consumer: str


class NatsLetters:
    """The dead letters of a namespace."""

    def __init__(self, link: Link, names: Names, messages: Messages, groups: Groups) -> None:
        self._link = link
        self._names = names
        self._messages = messages
        self._groups = groups

    async def bury(self, letter: DeadLetter[bytes], origin: Origin | None) -> None:
        await self._link.store(self._names.letter(letter.id), _written(letter, origin))

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        while True:
            earlier = await self._find(letter.id)
            if (earlier is not None) is is_new:
                return False
            same = earlier is not None and _read(earlier.data).group == letter.group
            record = _written(letter, _origin(earlier.data) if earlier is not None and same else None)
            place = 0 if earlier is None else earlier.place
            try:
                await self._link.store(self._names.letter(letter.id), record, {_LAST: str(place)})
            except BrokerRefusedError as error:
                if code(error) != _ANOTHER_IS_LAST:
                    raise
            else:
                return True

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        found = await self._find(id)
        return None if found is None else _read(found.data)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        return [_read(each) for each in await self._link.read(self._names.records, self._names.all_letters, limit)]

    async def remove(self, id: str) -> bool:
        return await self._link.remove(self._names.records, self._names.letter(id))

    async def replay(self, id: str) -> bool:
        found = await self._find(id)
        if found is None:
            return False
        letter = _read(found.data)
        targets = await self._targets(letter, _origin(found.data))
        if not targets:
            return False
        envelope = Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data or b"")
        for target in targets:
            # Twice at once, or once more after a failure, is one message.
            headers = written(envelope) | {TARGET: target, NAMED: f"{target}.{found.place}"}
            await self._messages.store(self._names.message(envelope), envelope.data, headers)
        return await self.remove(id)

    async def _targets(self, letter: DeadLetter[bytes], origin: Origin | None) -> list[str]:
        """Return the group that could not handle it, if it is there; of one made by hand those of its name."""
        if origin is not None:
            there = await self._link.find(f"CONSUMER.INFO.{self._names.messages}.{origin.consumer}")
            return [] if there is None else [origin.group]
        if letter.group is None:
            return []
        known = await self._groups.named(letter.group)
        return [each.name for each in known if topic_matches(each.pattern, letter.topic)]

    async def _find(self, id: str) -> Stored | None:
        return await self._link.last(self._names.records, self._names.letter(id))


def _written(letter: DeadLetter[bytes], origin: Origin | None) -> bytes:
    about = {
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
        "origin": origin,
    }
    return json.dumps(about, ensure_ascii=False).encode(errors="replace") + b"\n" + (letter.data or b"")


def _about(record: bytes) -> dict[str, Any]:
    return json.loads(record.partition(b"\n")[0])


def _read(record: bytes) -> DeadLetter[bytes]:
    about = _about(record)
    del about["origin"]
    for time in ("first_failed_at", "last_failed_at"):
        about[time] = datetime.fromisoformat(about[time])
    return DeadLetter[bytes](**about, message=None, data=record.partition(b"\n")[2])


def _origin(record: bytes) -> Origin | None:
    origin = _about(record)["origin"]
    return None if origin is None else Origin(*origin)
