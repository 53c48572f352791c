"""
The dead letters: a record each. The first line tells about the message; its headers and its bytes follow.

The headers are written as they are sent, a line each, and an empty line ends them. So a letter has more bytes than its
message by no more than the first line has, which is bounded as all in it is.
"""

import json
from datetime import datetime
from typing import Any, NamedTuple

from infra_messaging._engine import Envelope
from infra_messaging.messages import MessagingMessages
from infra_messaging.nats._groups import Groups
from infra_messaging.nats._link import Link, Stored, refused
from infra_messaging.nats._locks import Locks
from infra_messaging.nats._messages import Messages
from infra_messaging.nats._names import Names
from infra_messaging.nats._wire import NAMED, TARGET, read, write, written
from infra_protocols import DeadLetter, topic_matches


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
        self._locks = Locks(link, names.records)

    async def bury(self, letter: DeadLetter[bytes], origin: Origin | None) -> None:
        record, most = _written(letter, origin), self._link.client.max_payload
        if len(record) > most:
            raise refused(MessagingMessages.NATS_TOO_LARGE.format(size=len(record), max=most))
        await self._link.store(self._names.letter(letter.id), record)

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        async with self._locks.lock(self._names.letter(letter.id)):
            earlier = await self._find(letter.id)
            if (earlier is not None) is is_new:
                return False
            same = earlier is not None and _read(earlier.data).group == letter.group
            await self.bury(letter, _origin(earlier.data) if earlier is not None and same else None)
            return True

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        found = await self._find(id)
        return None if found is None else _read(found.data)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        return [_read(each) for each in await self._link.read(self._names.records, self._names.letters, limit)]

    async def remove(self, id: str) -> bool:
        subject = self._names.letter(id)
        async with self._locks.lock(subject):
            return await self._link.remove(self._names.records, subject)

    async def replay(self, id: str) -> bool:
        subject = self._names.letter(id)
        # First kept as a message, then dropped as a letter: nowhere it would be lost, and under the lock nobody else
        # can drop it in between.
        async with self._locks.lock(subject):
            return await self._keep_again(id) and await self._link.remove(self._names.records, subject)

    async def _keep_again(self, id: str) -> bool:
        """Keep the message for the group that the letter is of, if both are there."""
        found = await self._find(id)
        if found is None:
            return False
        letter = _read(found.data)
        targets = await self._targets(letter, _origin(found.data))
        envelope = Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data or b"")
        for target in targets:
            # Once more after a failure is one message.
            headers = {NAMED: f"{target}.{found.place}", TARGET: target} | written(envelope)
            await self._messages.store(self._names.message(envelope), envelope.data, headers, replayed=True)
        return bool(targets)

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
        "group": letter.group,
        "attempts": letter.attempts,
        "error": letter.error,
        "reason": letter.reason,
        "first_failed_at": letter.first_failed_at.isoformat(),
        "last_failed_at": letter.last_failed_at.isoformat(),
        "origin": origin,
    }
    lines = [
        json.dumps(about, ensure_ascii=False),
        *(f"{name}:{write(value)}" for name, value in letter.headers.items()),
    ]
    return "\n".join([*lines, "", ""]).encode(errors="replace") + (letter.data or b"")


def _about(record: bytes) -> dict[str, Any]:
    return json.loads(record.partition(b"\n")[0])


def _read(record: bytes) -> DeadLetter[bytes]:
    about = _about(record)
    del about["origin"]
    lines, _, data = record.partition(b"\n\n")
    headers = (line.partition(":") for line in lines.decode().split("\n")[1:])
    about["headers"] = {name: read(value) for name, _, value in headers}
    for time in ("first_failed_at", "last_failed_at"):
        about[time] = datetime.fromisoformat(about[time])
    return DeadLetter[bytes](**about, message=None, data=data)


def _origin(record: bytes) -> Origin | None:
    origin = _about(record)["origin"]
    return None if origin is None else Origin(*origin)
