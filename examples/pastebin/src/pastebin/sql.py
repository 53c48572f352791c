"""Pastes in a SQL database: what all of them have in common."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from infra_compress import CompressionConfig, CompressionService
from infra_protocols import ConnectionPoolProtocol, EntityExistsError, EntityNotFoundError
from infra_result import Err
from pastebin.errors import DatabaseError
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


class SqlPasteRepository(ABC):
    """
    A `PasteRepository` in a SQL database; its engines differ in how they execute a statement.

    Each operation is one statement that commits by itself, on a connection from a pool. So there is no transaction that
    a cancelled call could leave open, or that the statement of another task could slip into.

    Contents are compressed where that makes them smaller. Statements name their parameters in braces.
    """

    parameter: ClassVar[str]
    """What the driver has in place of the braces, as `re.sub` takes it."""
    database: str
    """What the database is called in errors."""

    @property
    @abstractmethod
    def pools(self) -> Sequence[ConnectionPoolProtocol[Any]]:
        """The pools of its connections."""

    @abstractmethod
    async def _read(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]: ...

    @abstractmethod
    async def _write(self, statement: str, **parameters: Value) -> Sequence[tuple[Any, ...]]: ...

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
            "ON CONFLICT (id) DO NOTHING RETURNING id",
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
        if not await self._write(f"{_UPDATE} RETURNING id", **await _columns(entity)):
            message = PastebinMessages.ENTITY_NOT_FOUND.format(id=entity.id)
            raise EntityNotFoundError(message, operation="pastes.update", parameters={"id": entity.id})
        return entity

    async def delete(self, id: str) -> bool:
        """Remove the paste with this id; `True` to exactly one of any number of concurrent callers."""
        return bool(await self._write("DELETE FROM pastes WHERE id = {id} RETURNING id", id=id))

    async def replace(self, paste: Paste, author: str) -> bool:
        """Put `paste` in the place of the one with its id, provided that is still by `author`; say whether it was."""
        statement = _UPDATE + " AND author = {replaced} RETURNING id"
        return bool(await self._write(statement, **await _columns(paste), replaced=author))

    async def remove(self, id: str, author: str) -> bool:
        """Remove the paste with this id, provided it is still by `author`; say whether it was."""
        statement = "DELETE FROM pastes WHERE id = {id} AND author = {author} RETURNING id"
        return bool(await self._write(statement, id=id, author=author))

    async def exists(self, id: str) -> bool:
        """Say whether a paste has this id."""
        return bool(await self._read("SELECT id FROM pastes WHERE id = {id}", id=id))

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
