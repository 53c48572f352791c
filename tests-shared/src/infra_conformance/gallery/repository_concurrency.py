"""Repositories that answer well one call at a time, and wrongly when calls overlap, are interrupted or end."""

import asyncio
from typing import Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_repository import MemoryRepository, Note, RemoteRepository
from infra_conformance.gallery.memory_store import trip
from infra_protocols.clock import Clock


class ChecksThenCreates(RemoteRepository):
    """It asks whether the id is taken, and creates a round trip later: two creators succeed."""

    async def create(self, entity: Note) -> Note:
        self.refuse_taken(entity.id)
        await trip()
        return self.keep(entity)


class ChecksThenUpdates(RemoteRepository):
    """It asks whether the entity is there, and updates a round trip later: what was deleted is back."""

    async def update(self, entity: Note) -> Note:
        self.refuse_absent(entity.id)
        await trip()
        return self.keep(entity)


class ChecksThenDeletes(RemoteRepository):
    """It asks whether the entity is there, and deletes a round trip later: two callers hear True."""

    async def delete(self, id: int) -> bool:
        there = await self.exists(id)
        await super().delete(id)
        return there


class UpdatesByDeleting(RemoteRepository):
    """It replaces an entity in two steps: others see neither, and an interrupted update leaves none."""

    async def update(self, entity: Note) -> Note:
        self.refuse_absent(entity.id)
        self.remove(entity.id)
        await trip()
        return self.keep(entity)


class CreatesByHalves(RemoteRepository):
    """It takes the id first, and fills in the rest a round trip later."""

    async def create(self, entity: Note) -> Note:
        self.refuse_taken(entity.id)
        self.keep(Note(entity.id, "?"))
        await trip()
        return self.keep(entity)


class UndoesTooMuch(RemoteRepository):
    """Its create, when interrupted, removes the entity, though another may have been created since."""

    async def create(self, entity: Note) -> Note:
        try:
            return await super().create(entity)
        except (asyncio.CancelledError, ConnectionError):
            asyncio.get_running_loop().call_later(0.5, self.remove, entity.id)
            raise


class WritesOnWhenCancelled(RemoteRepository):
    """Its work is shielded, and takes a while: a caller that is cancelled leaves, and the effect comes later."""

    async def create(self, entity: Note) -> Note:
        async def work() -> Note:
            await asyncio.sleep(0.5)
            return await super(WritesOnWhenCancelled, self).create(entity)

        return await asyncio.shield(asyncio.create_task(work()))

    async def delete(self, id: int) -> bool:
        async def work() -> bool:
            await asyncio.sleep(0.5)
            return await super(WritesOnWhenCancelled, self).delete(id)

        return await asyncio.shield(asyncio.create_task(work()))


class DeletesByMoving(RemoteRepository):
    """It moves what is deleted out of the way first: an interrupted delete leaves an id that nobody can use."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.going: set[int] = set()

    async def delete(self, id: int) -> bool:
        there = self.remove(id)
        if there:
            self.going.add(id)
            await trip()
            self.going.discard(id)
        return there

    def refuse_taken(self, id: int) -> None:
        super().refuse_taken(id)
        if id in self.going:
            raise BlockingIOError(id)


class TakesOutToRead(RemoteRepository):
    """Its get_all takes everything out, and puts it back a round trip later."""

    async def get_all(self) -> list[Note]:
        taken, self.data = self.data, {}
        await trip()
        self.data: dict[int, Note] = taken
        return self.find_all()


class SwallowsCancellation(RemoteRepository):
    """Its get takes being cancelled for a miss."""

    async def get(self, id: int) -> Note | None:
        try:
            return await super().get(id)
        except asyncio.CancelledError:
            return None


class FailsOpen(RemoteRepository):
    """It hides that its engine is lost."""

    async def get_all(self) -> list[Note]:
        try:
            return await super().get_all()
        except ConnectionError:
            return []

    async def create(self, entity: Note) -> Note:
        try:
            return await super().create(entity)
        except ConnectionError:
            return entity

    async def update(self, entity: Note) -> Note:
        try:
            return await super().update(entity)
        except ConnectionError:
            return entity

    async def delete(self, id: int) -> bool:
        try:
            return await super().delete(id)
        except ConnectionError:
            return False


class LeavesATask(MemoryRepository):
    """It starts a task that tells others of a new entity, and never ends it."""

    async def create(self, entity: Note) -> Note:
        self.telling: asyncio.Task[None] = asyncio.create_task(asyncio.sleep(3600))
        return await super().create(entity)


FAULTS: Final = [
    Fault.of(ChecksThenCreates, "repository-21", "repository-22"),
    Fault.of(ChecksThenUpdates, "repository-21"),
    Fault.of(ChecksThenDeletes, "repository-21", "repository-22"),
    Fault.of(UpdatesByDeleting, "repository-21", "repository-31"),
    Fault.of(CreatesByHalves, "repository-21", "repository-30"),
    Fault.of(UndoesTooMuch, "repository-30"),
    Fault.of(WritesOnWhenCancelled, "repository-30", "repository-32"),
    Fault.of(DeletesByMoving, "repository-32"),
    Fault.of(TakesOutToRead, "repository-33"),
    Fault.of(SwallowsCancellation, "repository-33"),
    Fault.of(FailsOpen, "repository-30", "repository-31", "repository-32", "repository-33"),
    Fault.of(LeavesATask, "repository-02", "repository-20", "repository-30"),
]
