"""Repositories that answer wrongly even when they are asked one thing at a time."""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_repository import MemoryRepository, Note, not_found
from infra_protocols.clock import Clock
from infra_protocols.errors import EntityExistsError
from infra_protocols.messages import ErrorMessages


class LacksGetAll(MemoryRepository):
    """It has no get_all."""

    get_all: Any = None


class PlainFunction(MemoryRepository):
    """Its delete is no coroutine function, though it returns a coroutine."""

    def delete(self, id: int) -> CoroutineType[Any, Any, bool]:
        return super().delete(id)


class CreateReturnsNothing(MemoryRepository):
    """Its create has no return."""

    async def create(self, entity: Note) -> Note:
        await super().create(entity)
        nothing: Any = None
        return nothing


class TrimsTexts(MemoryRepository):
    """It changes what it keeps, and does not tell."""

    def keep(self, entity: Note) -> Note:
        self.data[entity.id] = Note(entity.id, entity.text.strip())
        return self.copy(entity)


class GetRaisesOnAbsence(MemoryRepository):
    """Its get raises where it should say None."""

    async def get(self, id: int) -> Note | None:
        return self.find(id) or not_found(id)


class EverythingExists(MemoryRepository):
    """Its exists asks whether the id could be one."""

    async def exists(self, id: int) -> bool:
        return id >= 0


class CreateOverwrites(MemoryRepository):
    """It does not look whether the id is taken: an upsert."""

    def refuse_taken(self, id: int) -> None:
        pass


class OverwritesThenRefuses(MemoryRepository):
    """It looks whether the id is taken when the entity is already kept."""

    async def create(self, entity: Note) -> Note:
        taken = entity.id in self.data
        kept = self.keep(entity)
        if taken:
            self.refuse_taken(entity.id)
        return kept


class RefusesInItsOwnWords(MemoryRepository):
    """It raises a plain KeyError for a taken id."""

    def refuse_taken(self, id: int) -> None:
        if id in self.data:
            raise KeyError(id)


class UpdateForgets(MemoryRepository):
    """Its update returns the new entity and keeps the old."""

    async def update(self, entity: Note) -> Note:
        self.refuse_absent(entity.id)
        return self.copy(entity)


class UpdatesAll(MemoryRepository):
    """Its update has no where clause."""

    async def update(self, entity: Note) -> Note:
        self.refuse_absent(entity.id)
        for id in self.data:
            self.data[id] = Note(id, entity.text)
        return self.copy(entity)


class UpdateReturnsTheOld(MemoryRepository):
    """Its update returns what was there before."""

    async def update(self, entity: Note) -> Note:
        old = self.find(entity.id)
        await super().update(entity)
        return old or entity


class UpdateCreates(MemoryRepository):
    """It does not look whether there is something to update: an upsert."""

    def refuse_absent(self, id: int) -> None:
        pass


class UpdateOfNothingIsFine(MemoryRepository):
    """An update of what is not there updates nothing, and says nothing."""

    async def update(self, entity: Note) -> Note:
        return self.keep(entity) if entity.id in self.data else entity


class ForgetsToDelete(MemoryRepository):
    """It says that it deleted, and did not."""

    def remove(self, id: int) -> bool:
        return id in self.data


class DeleteSaysTrue(MemoryRepository):
    """It says of every delete that there was something to delete."""

    async def delete(self, id: int) -> bool:
        self.remove(id)
        return True


class DeletesSoftly(MemoryRepository):
    """What is deleted is only hidden: its id stays taken."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.hidden: dict[int, Note] = {}

    def remove(self, id: int) -> bool:
        self.hidden |= {id: self.data[id]} if id in self.data else {}
        return super().remove(id)

    def refuse_taken(self, id: int) -> None:
        super().refuse_taken(id)
        if id in self.hidden:
            raise EntityExistsError(ErrorMessages.ENTITY_EXISTS.format(id=id))


class GetAllForgetsTheLast(MemoryRepository):
    """Its pages are counted from zero to the last but one."""

    async def get_all(self) -> list[Note]:
        return self.find_all()[:-1]


class GetAllRepeats(MemoryRepository):
    """Its pages overlap."""

    async def get_all(self) -> list[Note]:
        return [*self.find_all(), *self.find_all()[:1]]


class HandsOutItsList(MemoryRepository):
    """The list that get_all returns is its own."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.all: list[Note] = []

    async def get_all(self) -> list[Note]:
        return self.all

    def keep(self, entity: Note) -> Note:
        kept = super().keep(entity)
        self.all = self.find_all()
        return kept

    def remove(self, id: int) -> bool:
        gone = super().remove(id)
        self.all = self.find_all()
        return gone


class HandsOutItsEntities(MemoryRepository):
    """It returns the very objects that it keeps."""

    def find(self, id: int) -> Note | None:
        return self.data.get(id)


class KeepsTheCallersEntity(MemoryRepository):
    """It keeps the very object that it was given."""

    def keep(self, entity: Note) -> Note:
        self.data[entity.id] = entity
        return self.copy(entity)


FAULTS: Final = [
    Fault.of(LacksGetAll, "repository-01"),
    Fault.of(PlainFunction, "repository-01"),
    Fault.of(CreateReturnsNothing, "repository-02", "repository-20"),
    Fault.of(TrimsTexts, "repository-02", "repository-05"),
    Fault.of(GetRaisesOnAbsence, "repository-03", "repository-07", "repository-20"),
    Fault.of(EverythingExists, "repository-03", "repository-06", "repository-20"),
    Fault.of(CreateOverwrites, "repository-04", "repository-20", "repository-22"),
    Fault.of(OverwritesThenRefuses, "repository-04", "repository-20", "repository-22"),
    Fault.of(RefusesInItsOwnWords, "repository-04", "repository-20"),
    Fault.of(UpdateForgets, "repository-05", "repository-20", "repository-31"),
    Fault.of(UpdatesAll, "repository-05", "repository-20"),
    Fault.of(UpdateReturnsTheOld, "repository-05", "repository-20"),
    Fault.of(UpdateCreates, "repository-06", "repository-20"),
    Fault.of(UpdateOfNothingIsFine, "repository-06", "repository-20"),
    Fault.of(ForgetsToDelete, "repository-07", "repository-20", "repository-32"),
    Fault.of(DeleteSaysTrue, "repository-03", "repository-07", "repository-22"),
    Fault.of(DeletesSoftly, "repository-07", "repository-20", "repository-32"),
    Fault.of(GetAllForgetsTheLast, "repository-08", "repository-20"),
    Fault.of(GetAllRepeats, "repository-08", "repository-20"),
    Fault.of(HandsOutItsList, "repository-08"),
    Fault.of(HandsOutItsEntities, "repository-09"),
    Fault.of(KeepsTheCallersEntity, "repository-09"),
]
