"""The dead letters of a namespace: a record each, of which the first line tells about the message, which follows."""

import json
from datetime import datetime
from typing import Any, cast

from aiormq.exceptions import DeliveryError, PublishError

from infra_messaging._engine import Envelope
from infra_messaging.messages import MessagingMessages
from infra_messaging.rabbitmq._groups import Groups
from infra_messaging.rabbitmq._line import Line
from infra_messaging.rabbitmq._names import Names, routing_key
from infra_messaging.rabbitmq._records import Record, Records
from infra_messaging.rabbitmq._wire import ROUTING_KEY, headers_of, properties, require_fitting
from infra_protocols import BacklogFullError, DeadLetter, topic_matches


class RabbitLetters:
    """Keeps dead letters, each with the name of the queue that its message was in."""

    def __init__(self, line: Line, names: Names, records: Records, groups: Groups) -> None:
        self._line = line
        self._names = names
        self._records = records
        self._groups = groups

    async def bury(self, letter: DeadLetter[bytes], queue: str | None) -> None:
        await self._records.add(_written(letter, queue))

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        async with self._records.reading() as records:
            earlier = _found(records, letter.id)
            if (earlier is not None) is is_new:
                return False
            same = earlier is not None and _read(earlier).group == letter.group
            await self.bury(letter, _about(earlier)["queue"] if earlier is not None and same else None)
            if earlier is not None:
                earlier.drop()
        return True

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        async with self._records.reading() as records:
            record = _found(records, id)
            return None if record is None else _read(record)

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        async with self._records.reading() as records:
            return [_read(record) for record in records[:limit]]

    async def remove(self, id: str) -> bool:
        async with self._records.reading() as records:
            record = _found(records, id)
            if record is not None:
                record.drop()
            return record is not None

    async def replay(self, id: str) -> bool:
        async with self._records.reading() as records:
            record = _found(records, id)
            if record is None:
                return False
            letter = _read(record)
            queue: str | None = _about(record)["queue"]
            queues = [] if queue is None else [queue]
            if queue is None:
                named = [] if letter.group is None else await self._groups.named(letter.group)
                matching = [group for group in named if topic_matches(group.pattern, letter.topic)]
                queues = [group.queue_for(self._names, letter.key, letter.message_id) for group in matching]
            taken = [queue for queue in queues if await self._send(queue, letter)]
            if taken:
                record.drop()
            return bool(taken)

    async def _send(self, queue: str, letter: DeadLetter[bytes]) -> bool:
        """Put the message into a queue, and say whether there is such a queue."""
        envelope = Envelope(letter.message_id, letter.topic, letter.key, letter.headers, letter.data or b"")
        headers = headers_of(envelope)
        async with self._line.lent() as channel:
            require_fitting(headers, cast("Any", channel.connection).connection_tune.frame_max)
            headers[ROUTING_KEY] = routing_key(letter.key, letter.message_id, letter.topic)
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
    return next((record for record in records if _about(record)["id"] == id), None)


def _written(letter: DeadLetter[bytes], queue: str | None) -> bytes:
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
        "queue": queue,
    }
    return json.dumps(about).encode() + b"\n" + (letter.data or b"")


def _about(record: Record) -> dict[str, Any]:
    return json.loads(record.body.partition(b"\n")[0])


def _read(record: Record) -> DeadLetter[bytes]:
    about = _about(record)
    del about["queue"]
    for time in ("first_failed_at", "last_failed_at"):
        about[time] = datetime.fromisoformat(about[time])
    return DeadLetter[bytes](**about, message=None, data=record.body.partition(b"\n")[2])
