"""Pastes in a SQL database: what all of them have in common."""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from infra_compress import CompressionConfig, CompressionService
from infra_protocols import ConnectionPoolProtocol, EntityExistsError, EntityNotFoundError, Inbox, Outbox
from infra_result import Err
from pastebin.errors import DatabaseError
from pastebin.events import PasteChanged, PasteCreated, PasteDeleted, PasteEvent
from pastebin.messages import PastebinMessages
from pastebin.paste import MAX_CONTENT, Paste

POOL_TIMEOUT: Final = 5.0
"""How many seconds to wait for a connection to the database."""

_COLUMNS: Final = "id, title, body, coding, author, created_at, updated_at"
_UPDATE: Final = (
    "UPDATE pastes SET title = {title}, body = {body}, coding = {coding}, author = {author}, "
    "created_at = {created_at}, updated_at = {updated_at} WHERE id = {id}"
)
_PLAIN: Final = "identity"
_CODING: Final = "zstd"
_PACKING: Final = CompressionService(CompressionConfig(encodings=(_CODING,), max_size=MAX_CONTENT))

type Value = str | int | bytes


def _nobody_is_told() -> None:
    pass


class SqlPasteRepository(ABC):
    """
    A `PasteRepository` in a SQL database; its engines differ in how they execute a statement.

    Each operation is one statement, on a connection from a pool. One that changes a paste writes an event into the
    outbox in the same transaction: what is told has happened, and what has happened is told.

    Contents are compressed where that makes them smaller. Statements name their parameters in braces.
    """

    parameter: ClassVar[str]
    """What the driver has in place of the braces, as `re.sub` takes it."""
    each_word: ClassVar[str]
    """What makes rows, of which `value` is a word, of the JSON in `{words}`."""
    database: str
    """What the database is called in errors."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = _nobody_is_told

    @property
    @abstractmethod
    def pools(self) -> Sequence[ConnectionPoolProtocol[Any]]:
        """The pools of its connections."""

    @abstractmethod
    async def _read(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]: ...

    @abstractmethod
    async def _write(
        self, statement: str, event: Callable[[str, str], PasteEvent], **parameters: Value
    ) -> Sequence[tuple[Any, ...]]:
        """Change one paste; `statement` returns its id and author, which the event tells."""

    @abstractmethod
    async def _execute(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]:
        """Change what nobody is told of."""

    def _spelled(self, statement: str) -> str:
        return re.sub(r"\{(\w+)\}", self.parameter, statement)

    async def identity(self) -> str:
        """Return what this database is told from all others by; only a copy of it has the same."""
        [(id,)] = await self._read("SELECT id FROM identity")
        return _text(id)

    async def get(self, id: str) -> Paste | None:
        """Return the paste with this id, or `None` when there is none."""
        found = await self._pastes("WHERE id = {id}", id=id)
        return found[0] if found else None

    async def get_all(self) -> list[Paste]:
        """Return every paste, newest first."""
        return await self._pastes("ORDER BY number DESC")

    async def newest(self, limit: int) -> list[Paste]:
        """Return the pastes that were created last, at most `limit` of them."""
        return await self._pastes("ORDER BY number DESC LIMIT {limit}", limit=limit)

    async def by_author(self, author: str, limit: int) -> list[Paste]:
        """Return the pastes of `author` that were created last, at most `limit` of them."""
        clauses = "WHERE author = {author} ORDER BY number DESC LIMIT {limit}"
        return await self._pastes(clauses, author=author, limit=limit)

    async def create(self, entity: Paste) -> Paste:
        """
        Add a paste and return it.

        Raises:
            EntityExistsError: its id is taken; nothing is changed.
        """
        created = await self._write(
            f"INSERT INTO pastes ({_COLUMNS}) "
            "VALUES ({id}, {title}, {body}, {coding}, {author}, {created_at}, {updated_at}) "
            "ON CONFLICT (id) DO NOTHING RETURNING id, author",
            PasteCreated,
            **await _columns(entity),
        )
        if not created:
            message = PastebinMessages.ENTITY_EXISTS.format(id=entity.id)
            raise EntityExistsError(message, operation="pastes.create", parameters={"id": entity.id})
        return entity

    async def update(self, entity: Paste) -> Paste:
        """
        Replace the paste that has the same id and return it.

        Raises:
            EntityNotFoundError: no paste has its id; nothing is changed.
        """
        if not await self._write(f"{_UPDATE} RETURNING id, author", PasteChanged, **await _columns(entity)):
            message = PastebinMessages.ENTITY_NOT_FOUND.format(id=entity.id)
            raise EntityNotFoundError(message, operation="pastes.update", parameters={"id": entity.id})
        return entity

    async def delete(self, id: str) -> bool:
        """Remove the paste with this id; `True` to exactly one of any number of concurrent callers."""
        return bool(await self._write("DELETE FROM pastes WHERE id = {id} RETURNING id, author", PasteDeleted, id=id))

    async def replace(self, paste: Paste, author: str) -> bool:
        """Put `paste` in the place of the one with its id, provided that is still by `author`; say whether it was."""
        statement = _UPDATE + " AND author = {replaced} RETURNING id, author"
        return bool(await self._write(statement, PasteChanged, **await _columns(paste), replaced=author))

    async def remove(self, id: str, author: str) -> bool:
        """Remove the paste with this id, provided it is still by `author`; say whether it was."""
        statement = "DELETE FROM pastes WHERE id = {id} AND author = {author} RETURNING id, author"
        return bool(await self._write(statement, PasteDeleted, id=id, author=author))

    async def exists(self, id: str) -> bool:
        """Say whether a paste has this id."""
        return bool(await self._read("SELECT id FROM pastes WHERE id = {id}", id=id))

    async def index(self, id: str, words: Collection[str]) -> None:
        """Have the paste with this id found by these words, and by no others."""
        # Should it end in between, whoever was told to index the paste is told so again.
        await self._execute("DELETE FROM words WHERE paste = {id}", id=id)
        if words:
            each = f"SELECT value, {{id}} FROM {self.each_word} WHERE true"
            statement = f"INSERT INTO words (word, paste) {each} ON CONFLICT DO NOTHING"
            await self._execute(statement, id=id, words=json.dumps([*words]))

    async def search(self, words: Sequence[str], limit: int) -> list[Paste]:
        """Return the pastes that are found by all of `words`, newest first, at most `limit` of them."""
        each = [f"SELECT paste FROM words WHERE word = {{word{place}}}" for place in range(len(words))]
        clauses = f"WHERE id IN ({' INTERSECT '.join(each)}) ORDER BY number DESC LIMIT {{limit}}"
        named: dict[str, Value] = {f"word{place}": word for place, word in enumerate(words)}
        return await self._pastes(clauses, **named, limit=limit)

    async def statistics(self) -> dict[str, tuple[int, int, int]]:
        """Return by author how many pastes were created, changed and deleted."""
        rows = await self._read("SELECT author, created, changed, deleted FROM statistics ORDER BY author")
        return {_text(author): (created, changed, deleted) for author, created, changed, deleted in rows}

    @property
    @abstractmethod
    def outbox(self) -> Outbox[PasteEvent, Any]:
        """The events that wait to be published."""

    @property
    @abstractmethod
    def inbox(self) -> Inbox[Any]:
        """What makes an act of those who follow, and that it was done, one."""

    async def count(self, connection: Any, event: PasteEvent) -> None:
        """Count `event`, in the transaction of a connection of the inbox."""
        statement = (
            "INSERT INTO statistics (author, created, changed, deleted) "
            "VALUES ({author}, {created}, {changed}, {deleted}) "
            "ON CONFLICT (author) DO UPDATE SET created = statistics.created + excluded.created, "
            "changed = statistics.changed + excluded.changed, deleted = statistics.deleted + excluded.deleted"
        )
        kinds = {"created": PasteCreated, "changed": PasteChanged, "deleted": PasteDeleted}
        counted = {name: int(type(event) is kind) for name, kind in kinds.items()}
        await connection.execute(*self._asked(statement, {"author": event.author, **counted}))

    @abstractmethod
    def _asked(self, statement: str, parameters: dict[str, Value]) -> tuple[Any, dict[str, Value]]:
        """Return a statement and its parameters as the driver takes them."""

    async def _pastes(self, clauses: str, **parameters: Value) -> list[Paste]:
        rows = await self._read(f"SELECT {_COLUMNS} FROM pastes {clauses}", **parameters)
        return await asyncio.to_thread(lambda: [self._paste(*row) for row in rows])

    def _paste(self, id: Any, title: Any, body: bytes, coding: Any, author: Any, created: Any, updated: Any) -> Paste:
        if _text(coding) != _PLAIN:
            unpacked = _PACKING.decompress(body, _text(coding))
            if isinstance(unpacked, Err):
                raise failure(self.database, str(unpacked.error)) from unpacked.error
            body = unpacked.value
        return Paste(
            _text(id),
            _text(title),
            body.decode(),
            _text(author),
            created_at=datetime.fromisoformat(_text(created)),
            updated_at=datetime.fromisoformat(_text(updated)),
        )


def failure(database: str, reason: str) -> DatabaseError:
    """Return the error of a database that has failed."""
    return DatabaseError(PastebinMessages.DATABASE_FAILED.format(database=database, reason=reason))


async def _columns(paste: Paste) -> dict[str, Value]:
    document = paste.to_document()
    content = document.pop("content").encode()
    packed = (await asyncio.to_thread(_PACKING.compress, content, accept_encoding=_CODING)).unwrap()
    return {**document, "body": packed.data, "coding": packed.encoding}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode()
