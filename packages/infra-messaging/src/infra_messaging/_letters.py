"""The dead letters of a broker, with their messages decoded."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from infra_messaging._codecs import Encoding
from infra_messaging._engine import Letters
from infra_messaging._operations import doing
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    DeadLetter,
    EntityExistsError,
    EntityNotFoundError,
    or_raise,
    require_group,
    require_headers,
    require_key,
    require_message_id,
    require_range,
    require_text,
    require_topic,
    require_type,
)


class LetterQueue[TMessage]:
    """A `DeadLetterQueue`."""

    __slots__ = ("_check_open", "_encoding", "_letters")

    def __init__(self, letters: Letters, encoding: Encoding, check_open: Callable[[], object]) -> None:
        self._letters = letters
        self._encoding = encoding
        self._check_open = check_open

    async def peek(self, limit: int = 100) -> list[DeadLetter[TMessage]]:
        or_raise(require_range(or_raise(require_type(limit, "limit", int)), "limit", min=1))
        with doing("dead_letters.peek"):
            return await self._oldest(limit)

    async def replay(self, id: str) -> bool:
        with doing("dead_letters.replay"):
            self._check_open()
            return await self._letters.replay(id)

    async def discard(self, id: str) -> bool:
        return await self._remove(id, "dead_letters.discard")

    async def get(self, id: str) -> DeadLetter[TMessage] | None:
        with doing("dead_letters.get"):
            letter = await self._find(id)
        return None if letter is None else self._decoded(letter)

    async def get_all(self) -> list[DeadLetter[TMessage]]:
        with doing("dead_letters.get_all"):
            return await self._oldest(None)

    async def create(self, entity: DeadLetter[TMessage]) -> DeadLetter[TMessage]:
        with doing("dead_letters.create"):
            return await self._put(entity, is_new=True)

    async def update(self, entity: DeadLetter[TMessage]) -> DeadLetter[TMessage]:
        with doing("dead_letters.update"):
            return await self._put(entity, is_new=False)

    async def delete(self, id: str) -> bool:
        return await self._remove(id, "dead_letters.delete")

    async def exists(self, id: str) -> bool:
        with doing("dead_letters.exists"):
            return await self._find(id) is not None

    async def _oldest(self, limit: int | None) -> list[DeadLetter[TMessage]]:
        self._check_open()
        return [self._decoded(letter) for letter in await self._letters.oldest(limit)]

    async def _find(self, id: str) -> DeadLetter[bytes] | None:
        self._check_open()
        return await self._letters.get(id)

    async def _remove(self, id: str, operation: str) -> bool:
        with doing(operation):
            self._check_open()
            return await self._letters.remove(id)

    async def _put(self, letter: DeadLetter[TMessage], *, is_new: bool) -> DeadLetter[TMessage]:
        encoded = self._encoded(letter)
        self._check_open()
        if await self._letters.put(encoded, is_new=is_new):
            return self._decoded(encoded)
        if is_new:
            raise EntityExistsError(MessagingMessages.ENTITY_EXISTS.format(id=letter.id))
        raise EntityNotFoundError(MessagingMessages.ENTITY_NOT_FOUND.format(id=letter.id))

    def _encoded(self, letter: DeadLetter[TMessage]) -> DeadLetter[bytes]:
        kind: type[DeadLetter[TMessage]] = DeadLetter
        or_raise(require_type(letter, "entity", kind))
        or_raise(require_text(letter.id, "id"))
        or_raise(require_message_id(letter.message_id))
        or_raise(require_topic(letter.topic))
        if letter.key is not None:
            or_raise(require_key(letter.key))
        if letter.group is not None:
            or_raise(require_group(letter.group))
        headers = dict(or_raise(require_headers(letter.headers)))
        data: Any = letter.data
        if data is None or letter.message is not None:
            data = self._encoding.encode(letter.topic, letter.message)
        return cast("DeadLetter[bytes]", replace(cast("Any", letter), message=None, data=data, headers=headers))

    def _decoded(self, letter: DeadLetter[bytes]) -> DeadLetter[TMessage]:
        """Return it with its message; it has none if that cannot be decoded."""
        try:
            message = self._encoding.decode(letter.topic, letter.data)
        except Exception:
            message = None
        data = letter.data if self._encoding.makes_bytes else None
        headers = dict(letter.headers)
        return cast("DeadLetter[TMessage]", replace(cast("Any", letter), message=message, data=data, headers=headers))
