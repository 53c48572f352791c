"""What the outboxes have in common: how a message is a row, and how rows are published."""

import asyncio
import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from infra_messaging._codecs import Codecs, Messages
from infra_messaging._waiting import is_being_cancelled
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    BrokerRefusedError,
    BrokerUnavailableError,
    Header,
    InfrastructureError,
    MessageBroker,
    MessagingError,
    OutboxMessage,
    OutboxRefusedError,
    OutboxUnavailableError,
    correlation_id,
    delivery,
    or_raise,
    require_headers,
    require_match,
    require_range,
    require_text,
    require_type,
)

TABLE: Final = re.compile("[a-z_][a-z0-9_]{0,39}")
_NAME: Final = re.compile(r"[^\x00\ud800-\udfff]{1,255}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A message as a table has it."""

    id: str
    topic: str
    key: str | None
    headers: str
    carried: str
    """The headers that go with it from where it was written."""
    data: bytes = field(repr=False)
    number: int = 0
    """Its place in the order."""


class Rows[TMessage]:
    """Turns messages into rows, and back."""

    def __init__(self, messages: Messages[TMessage]) -> None:
        self._codecs = Codecs(messages)

    def written(self, entity: OutboxMessage[TMessage]) -> Row:
        kind: type[OutboxMessage[TMessage]] = OutboxMessage
        or_raise(require_type(entity, "entity", kind))
        data = self._codecs.encode(entity.topic, entity.message)
        carried = or_raise(require_headers(_carried()))
        return Row(entity.id, entity.topic, entity.key, _dumped(entity.headers), _dumped(carried), data)

    def read(self, row: Row, operation: str) -> OutboxMessage[TMessage]:
        with _readable(row, operation):
            message: TMessage = self._codecs.decode(row.topic, row.data)
            return OutboxMessage(row.topic, message, row.key, json.loads(row.headers), row.id)

    def outgoing(self, row: Row, operation: str) -> tuple[TMessage, dict[str, str]]:
        """Return the message, and its headers with those that go with it."""
        with _readable(row, operation):
            return self._codecs.decode(row.topic, row.data), json.loads(row.carried) | json.loads(row.headers)


class Claims(Protocol):
    """What one relay has to itself for the time being."""

    async def more(self, most: int, keys: Collection[str], numbers: Collection[int]) -> Sequence[Row]:
        """Claim rows, none of these keys and none with these numbers, and return them in their order."""
        ...

    async def forget(self, rows: Sequence[Row]) -> None:
        """Delete what was published, of what was claimed, and let go of the rest."""
        ...


@dataclass(slots=True)
class Passed:
    """What was refused, by its keys, or without a key by its numbers: what is behind has its turn first."""

    keys: set[str] = field(default_factory=set[str])
    numbers: set[int] = field(default_factory=set[int])


@dataclass(slots=True)
class Relayed:
    """What a relay has done."""

    published: int = 0
    refused: list[MessagingError] = field(default_factory=list[MessagingError])
    away: MessagingError | None = None
    """What the broker raised that does not answer: it would do so for the others too."""

    def told(self, on_refused: Callable[[MessagingError], None] | None) -> int:
        """Return how many were published, and tell of those that were not."""
        if on_refused is not None:
            for error in self.refused:
                on_refused(error)
        if self.away is not None:
            raise self.away
        if self.refused and on_refused is None:
            raise self.refused[0]
        return self.published


async def relay[TMessage](
    claims: Claims, rows: Rows[TMessage], broker: MessageBroker[TMessage], limit: int, passed: Passed
) -> Relayed:
    """Publish at most `limit` rows, up to `limit` refusals; what `passed` has comes behind, and is noted there."""
    relayed = Relayed()
    keys, numbers = {*passed.keys}, {*passed.numbers}
    while relayed.published < limit and len(relayed.refused) < limit and relayed.away is None:
        claimed = await claims.more(limit - relayed.published, keys, numbers)
        if not claimed:
            break
        batch = _Batch(rows, broker)
        await batch.publish(claimed)
        await claims.forget(batch.accepted)
        relayed.published += len(batch.accepted)
        for row, error in batch.failed:
            if row.key is None:
                numbers.add(row.number)
            else:
                keys.add(row.key)
            if isinstance(error, BrokerRefusedError | OutboxRefusedError):
                relayed.refused.append(error)
            else:
                relayed.away = relayed.away or error
    is_cut = len(relayed.refused) >= limit
    passed.keys, passed.numbers = (keys, numbers) if is_cut else (set(), set())
    return relayed


class _Batch[TMessage]:
    """Publishes rows: those of one key one after the other, up to one that fails, and keys side by side."""

    def __init__(self, rows: Rows[TMessage], broker: MessageBroker[TMessage]) -> None:
        self._rows = rows
        self._broker = broker
        self.accepted: list[Row] = []
        self.failed: list[tuple[Row, MessagingError]] = []

    async def publish(self, rows: Iterable[Row]) -> None:
        queues: dict[object, list[Row]] = {}
        for row in rows:
            queues.setdefault(row.number if row.key is None else row.key, []).append(row)
        if len(queues) == 1:
            await self._in_order(*queues.values())
            return
        async with asyncio.TaskGroup() as group:
            for queue in queues.values():
                group.create_task(self._in_order(queue))
        self.failed.sort(key=lambda failure: failure[0].number)

    async def _in_order(self, rows: Sequence[Row]) -> None:
        for row in rows:
            try:
                message, headers = self._rows.outgoing(row, "outbox.relay")
                with _as_nobody():
                    await self._broker.publish(row.topic, message, key=row.key, headers=headers, id=row.id)
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                text = MessagingMessages.MESSAGING_UNAVAILABLE.format(reason=reason(error))
                self._fail(row, BrokerUnavailableError(text, operation="outbox.relay"), error)
                return
            except MessagingError as error:
                self.failed.append((row, error))
                return
            except Exception as error:
                text = MessagingMessages.MESSAGING_REFUSED.format(reason=reason(error))
                self._fail(row, BrokerRefusedError(text, operation="outbox.relay"), error)
                return
            self.accepted.append(row)

    def _fail(self, row: Row, error: MessagingError, cause: BaseException) -> None:
        error.__cause__ = cause
        self.failed.append((row, error))


@contextmanager
def _as_nobody() -> Generator[None]:
    """Publish what was written elsewhere: what is handled here has no part in it."""
    correlation, handled = correlation_id.set(None), delivery.set(None)
    try:
        yield
    finally:
        correlation_id.reset(correlation)
        delivery.reset(handled)


@contextmanager
def _readable(row: Row, operation: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        message = MessagingMessages.OUTBOX_UNREADABLE.format(reason=reason(error))
        about = {"id": row.id, "topic": row.topic, "key": row.key}
        raise OutboxRefusedError(message, operation=operation, parameters=about) from error


def require_limit(limit: int) -> int:
    return or_raise(require_range(or_raise(require_type(limit, "limit", int)), "limit", min=1))


def require_table(table: str) -> str:
    return or_raise(require_match(table, "table", TABLE))


def schema_text(table: str, steps: Sequence[str]) -> str:
    """Return what is run on an empty database."""
    versions = f"CREATE TABLE {table}_schema (version integer NOT NULL);"
    noted = (f"{step}\nINSERT INTO {table}_schema VALUES ({number});" for number, step in enumerate(steps, 1))
    return "\n".join([versions, *noted])


def too_new(found: int, known: int, operation: str) -> OutboxRefusedError:
    return OutboxRefusedError(MessagingMessages.SCHEMA_TOO_NEW.format(found=found, known=known), operation=operation)


def unavailable(error: BaseException, operation: str) -> OutboxUnavailableError:
    message = MessagingMessages.MESSAGING_OUTBOX_UNAVAILABLE.format(reason=reason(error))
    return OutboxUnavailableError(message, operation=operation)


def refused(error: Exception, operation: str) -> OutboxRefusedError:
    message = MessagingMessages.MESSAGING_OUTBOX_REFUSED.format(reason=reason(error))
    return OutboxRefusedError(message, operation=operation)


def reason(error: BaseException) -> str:
    text = error.message if isinstance(error, InfrastructureError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _carried() -> dict[str, str]:
    carried: dict[str, str] = {}
    if (current := delivery.get()) is not None:
        for name in (Header.TRACE_PARENT, Header.TRACE_STATE):
            if name in current.headers:
                carried[name.value] = current.headers[name]
    if (correlation := correlation_id.get()) is not None:
        carried[Header.CORRELATION_ID.value] = correlation
    return carried


def _dumped(headers: Any) -> str:
    return json.dumps(dict(headers), separators=(",", ":"))


def require_name(value: str, field: str) -> str:
    """Return what names a consumer, or a message that it has acted on."""
    return or_raise(require_match(or_raise(require_text(value, field)), field, _NAME))
