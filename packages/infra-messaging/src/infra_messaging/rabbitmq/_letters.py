"""The dead letters of a namespace: a record each."""

import json
from datetime import datetime
from typing import Any, Final

from aiormq.exceptions import DeliveryError, PublishError

from infra_messaging._engine import Envelope
from infra_messaging.messages import MessagingMessages
from infra_messaging.rabbitmq._groups import Groups
from infra_messaging.rabbitmq._line import Line
from infra_messaging.rabbitmq._names import Names, routing_key
from infra_messaging.rabbitmq._records import Record, Records
from infra_messaging.rabbitmq._wire import ROUTING_KEY, headers_of, properties
from infra_protocols import BacklogFullError, DeadLetter, topic_matches

_ABOUT: Final = "Infra-Letter"
_QUEUE: Final = "Infra-Queue"
_ID: Final = "Infra-Letter-Id"


class RabbitLetters:
    """Keeps dead letters, each with the name of the queue that its message was in."""

    def __init__(self, line: Line, names: Names, records: Records, groups: Groups) -> None:
        self._line = line
        self._names = names
        self._records = records
        self._groups = groups

    async def bury(self, letter: DeadLetter[bytes], queue: str | None) -> None:
        headers: dict[str, Any] = {_ID: letter.id, _ABOUT: _written(letter)}
        if queue is not None:
            headers[_QUEUE] = queue
        await self._records.add(letter.data or b"", headers)

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        async with self._records.reading() as records:
            earlier = _found(records, letter.id)
            if (earlier is not None) is is_new:
                return False
            same = earlier is not None and _read(earlier).group == letter.group
            await self.bury(letter, earlier.headers.get(_QUEUE) if earlier is not None and same else None)
            if earlier is not None:
                await earlier.drop()
            return True

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        async with self._records.reading() as records:
            record = _found(records, id)
            return None if record is None else _read(record)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        async with self._records.reading(limit) as records:
            return [_read(record) for record in records]

    async def remove(self, id: str) -> bool:
        async with self._records.reading() as records:
            record = _found(records, id)
            if record is not None:
                await record.drop()
            return record is not None

    async def replay(self, id: str) -> bool:
        async with self._records.reading() as records:
            record = _found(records, id)
            if record is None:
                return False
            letter = _read(record)
            queues = [record.headers[_QUEUE]] if _QUEUE in record.headers else []
            if not queues:
                named = [] if letter.group is None else await self._groups.named(letter.group)
                matching = [group for group in named if topic_matches(group.pattern, letter.topic)]
                queues = [group.queue_for(self._names, letter.key, letter.message_id) for group in matching]
            taken = [queue for queue in queues if await self._send(queue, letter)]
            if taken:
                await record.drop()
            return bool(taken)

    async def _send(self, queue: str, letter: DeadLetter[bytes]) -> bool:
        """Put the message into a queue, and say whether there is such a queue."""
        envelope = Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data or b"")
        headers = headers_of(envelope) | {ROUTING_KEY: routing_key(letter.key, letter.message_id, letter.topic)}
        async with self._line.lent() as channel:
            try:
                await channel.basic_publish(
                    envelope.data, routing_key=queue, properties=properties(headers), mandatory=True
                )
            except PublishError:
                return False
            except DeliveryError as error:
                text = MessagingMessages.RABBITMQ_BACKLOG_FULL.format(key=queue)
                raise BacklogFullError(text, operation="dead_letters.replay") from error
        return True


def _found(records: list[Record], id: str) -> Record | None:
    return next((record for record in records if record.headers.get(_ID) == id), None)


def _written(letter: DeadLetter[bytes]) -> str:
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
    }
    return json.dumps(about)


def _read(record: Record) -> DeadLetter[bytes]:
    about: dict[str, Any] = json.loads(record.headers[_ABOUT])
    for time in ("first_failed_at", "last_failed_at"):
        about[time] = datetime.fromisoformat(about[time])
    return DeadLetter[bytes](**about, message=None, data=record.body)
