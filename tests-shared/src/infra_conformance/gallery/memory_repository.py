"""Correct repositories, as plain as can be: what the faulty ones of the gallery are made from."""

from dataclasses import dataclass, replace
from typing import NoReturn

from infra_conformance.gallery.memory_store import trip
from infra_protocols.clock import Clock
from infra_protocols.errors import EntityExistsError, EntityNotFoundError
from infra_protocols.messages import ErrorMessages


@dataclass
class Note:
    """
    What the repositories of the gallery hold; it can be changed.

    >>> Note(1, "buy milk")
    Note(id=1, text='buy milk')
    """

    id: int
    text: str


class MemoryRepository:
    """
    A correct `Repository[Note, int]`: a dict of copies.

    >>> import asyncio
    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryRepository(SystemClock()).get_all())
    []
    """

    def __init__(self, clock: Clock) -> None:
        self.data: dict[int, Note] = {}

    # -- What the faults change, in small pieces.

    def copy(self, entity: Note) -> Note:
        """Return a copy."""
        return replace(entity)

    def keep(self, entity: Note) -> Note:
        """Keep a copy and return another."""
        self.data[entity.id] = self.copy(entity)
        return self.copy(entity)

    def refuse_taken(self, id: int) -> None:
        """Refuse an id that is taken."""
        if id in self.data:
            raise EntityExistsError(ErrorMessages.ENTITY_EXISTS.format(id=id))

    def refuse_absent(self, id: int) -> None:
        """Refuse an id that is not there."""
        if id not in self.data:
            not_found(id)

    def remove(self, id: int) -> bool:
        """Remove an entity, and say whether there was one."""
        return self.data.pop(id, None) is not None

    def find(self, id: int) -> Note | None:
        """Return a copy of an entity, if there is one."""
        return self.copy(self.data[id]) if id in self.data else None

    def find_all(self) -> list[Note]:
        """Return a copy of each entity."""
        return [self.copy(entity) for entity in self.data.values()]

    # -- The port.

    async def get(self, id: int) -> Note | None:
        """Return an entity."""
        return self.find(id)

    async def get_all(self) -> list[Note]:
        """Return all entities."""
        return self.find_all()

    async def create(self, entity: Note) -> Note:
        """Add an entity."""
        self.refuse_taken(entity.id)
        return self.keep(entity)

    async def update(self, entity: Note) -> Note:
        """Replace an entity."""
        self.refuse_absent(entity.id)
        return self.keep(entity)

    async def delete(self, id: int) -> bool:
        """Remove an entity."""
        return self.remove(id)

    async def exists(self, id: int) -> bool:
        """Say whether there is an entity."""
        return id in self.data


class RemoteRepository(MemoryRepository):
    """
    A correct repository whose data are a round trip away: each call suspends, takes effect, and suspends again.

    >>> import asyncio
    >>> from infra_protocols import SystemClock
    >>> asyncio.run(RemoteRepository(SystemClock()).exists(1))
    False
    """

    async def get(self, id: int) -> Note | None:
        """Return an entity."""
        await trip()
        found = self.find(id)
        await trip()
        return found

    async def get_all(self) -> list[Note]:
        """Return all entities."""
        await trip()
        found = self.find_all()
        await trip()
        return found

    async def create(self, entity: Note) -> Note:
        """Add an entity."""
        entity = self.copy(entity)
        await trip()
        self.refuse_taken(entity.id)
        kept = self.keep(entity)
        await trip()
        return kept

    async def update(self, entity: Note) -> Note:
        """Replace an entity."""
        entity = self.copy(entity)
        await trip()
        self.refuse_absent(entity.id)
        kept = self.keep(entity)
        await trip()
        return kept

    async def delete(self, id: int) -> bool:
        """Remove an entity."""
        await trip()
        there = self.remove(id)
        await trip()
        return there

    async def exists(self, id: int) -> bool:
        """Say whether there is an entity."""
        return await self.get(id) is not None


def not_found(id: int) -> NoReturn:
    """
    Refuse what needs an entity that is not there.

    >>> not_found(7)
    Traceback (most recent call last):
    infra_protocols.EntityNotFoundError: No entity has this id: 7
    """
    raise EntityNotFoundError(ErrorMessages.ENTITY_NOT_FOUND.format(id=id))
