"""The suite of `Repository`: what every collection of entities promises."""

import inspect
from abc import abstractmethod
from collections.abc import Hashable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, ClassVar, Final, cast

from hypothesis import strategies as st

from infra_conformance.history import Call, Ending
from infra_conformance.linearize import linearize
from infra_conformance.machine import Machine, rule
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, modelled, swept
from infra_conformance.suite import Suite
from infra_conformance.trial import (
    Broken,
    Trial,
    different,
    expect,
    expect_one_of,
    expect_same_members,
    refused,
    simplest,
)
from infra_protocols.errors import EntityExistsError, EntityNotFoundError
from infra_protocols.protocols import Repository

METHODS: Final[dict[str, list[str]]] = {
    "get": ["id"],
    "get_all": [],
    "create": ["entity"],
    "update": ["entity"],
    "delete": ["id"],
    "exists": ["id"],
}


class RepositorySuite[E, Id: Hashable](Suite[Repository[E, Id]]):
    """
    Checks a `Repository` whose entities carry their ids; they are compared with `==`.

    Type parameters:
        E: the entities.
        Id: what names them.

    >>> class TestMyRepository(RepositorySuite[tuple[int, str], int]):
    ...     def make(self, clock): ...
    ...     def ids(self): return st.integers(0, 99)
    ...     def entities(self, id): return st.tuples(st.just(id), st.text())
    """

    @abstractmethod
    def ids(self) -> st.SearchStrategy[Id]:
        """Return a strategy of ids; it must know a few different ones."""

    @abstractmethod
    def entities(self, id: Id) -> st.SearchStrategy[E]:
        """Return a strategy of entities with this id; it must know a few different ones."""

    def some_ids(self, count: int) -> st.SearchStrategy[list[Id]]:
        """Return a strategy of `count` different ids."""
        return st.lists(self.ids(), min_size=count, max_size=count, unique=True)

    def versions(self, id: Id, count: int) -> st.SearchStrategy[list[E]]:
        """Return a strategy of `count` different entities with this id."""
        return different(self.entities(id), count)

    def spoil(self, entity: E) -> None:
        """
        Change `entity` in place, as a careless caller might; one that cannot be changed is left as it is.

        Lists, sets and dicts are emptied, and the attributes of other objects set to `None`.
        """
        match entity:
            case list() | set() | dict():
                entity.clear()
            case _:
                for name in getattr(entity, "__dict__", ()):
                    with suppress(AttributeError):
                        setattr(entity, name, None)

    def fixed_versions(self, count: int = 2) -> tuple[Id, list[E]]:
        """Return an id and `count` of its entities, the same every time, for checks that draw nothing."""
        id = simplest(self.ids())
        return id, simplest(self.versions(id, count))

    @check("repository-01", validates="1.1")
    async def test_it_is_a_repository(self, trial: Trial[Repository[E, Id]]) -> None:
        """It has the methods of a Repository, and they are coroutine functions with its parameter names."""
        expect("isinstance(subject, Repository)", isinstance(trial.raw, Repository), True)
        for name, wanted in METHODS.items():
            method = getattr(trial.raw, name)
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(method), True)
            expect(f"parameters of {name}", list(inspect.signature(method).parameters)[: len(wanted)], wanted)

    @check("repository-02", validates="1.1")
    async def test_create_then_get(self, trial: Trial[Repository[E, Id]]) -> None:
        """What was created is what create returns, what get returns, and what exists knows."""
        repository, id = trial.subject, trial.draw(self.ids())
        entity = trial.draw(self.entities(id))
        expect("create", await repository.create(entity), entity)
        expect("get after create", await repository.get(id), entity)
        expect("exists after create", await repository.exists(id), True)

    @check("repository-03", validates="1.1")
    async def test_absent(self, trial: Trial[Repository[E, Id]]) -> None:
        """What was never created is not there: get says None, exists and delete say False, get_all is empty."""
        repository, id = trial.subject, trial.draw(self.ids())
        expect("get of an absent id", await repository.get(id), None)
        expect("exists of an absent id", await repository.exists(id), False)
        expect("delete of an absent id", await repository.delete(id), False)
        expect("get_all of an empty repository", await repository.get_all(), [])

    @check("repository-04", validates="1.1")
    async def test_create_taken(self, trial: Trial[Repository[E, Id]]) -> None:
        """A create with an id that is taken raises EntityExistsError and changes nothing."""
        repository, id = trial.subject, trial.draw(self.ids())
        first, second = trial.draw(self.versions(id, 2))
        await repository.create(first)
        await refused("create with a taken id", repository.create(second), EntityExistsError)
        expect("get after the refusal", await repository.get(id), first)

    @check("repository-05", validates="1.1")
    async def test_update(self, trial: Trial[Repository[E, Id]]) -> None:
        """An update replaces the entity with its id, and no other, and returns it as kept."""
        repository = trial.subject
        id, other_id = trial.draw(self.some_ids(2))
        first, second = trial.draw(self.versions(id, 2))
        other = trial.draw(self.entities(other_id))
        await repository.create(first)
        await repository.create(other)
        expect("update", await repository.update(second), second)
        expect("get after update", await repository.get(id), second)
        expect("get of another id", await repository.get(other_id), other)

    @check("repository-06", validates="1.1")
    async def test_update_absent(self, trial: Trial[Repository[E, Id]]) -> None:
        """An update of what is not there raises EntityNotFoundError and creates nothing."""
        repository, id = trial.subject, trial.draw(self.ids())
        entity = trial.draw(self.entities(id))
        await refused("update of an absent id", repository.update(entity), EntityNotFoundError)
        expect("exists after the refusal", await repository.exists(id), False)

    @check("repository-07", validates="1.1")
    async def test_delete(self, trial: Trial[Repository[E, Id]]) -> None:
        """A delete removes the entity with its id, and no other, and says True, once."""
        repository = trial.subject
        id, other_id = trial.draw(self.some_ids(2))
        entity, other = trial.draw(self.entities(id)), trial.draw(self.entities(other_id))
        await repository.create(entity)
        await repository.create(other)
        expect("delete of a present id", await repository.delete(id), True)
        expect("get after delete", await repository.get(id), None)
        expect("a second delete", await repository.delete(id), False)
        expect("get of another id", await repository.get(other_id), other)
        expect("create after delete", await repository.create(entity), entity)

    @check("repository-08", validates="1.1")
    async def test_get_all(self, trial: Trial[Repository[E, Id]]) -> None:
        """get_all returns each entity once, in a list that is the caller's own."""
        repository = trial.subject
        entities = [trial.draw(self.entities(id)) for id in trial.draw(self.some_ids(3))]
        for entity in entities:
            await repository.create(entity)
        found = await repository.get_all()
        expect_same_members("get_all", found, entities)
        found.clear()
        expect_same_members("get_all after the caller emptied its list", await repository.get_all(), entities)

    @check("repository-09", validates="1.1")
    async def test_snapshots(self, trial: Trial[Repository[E, Id]]) -> None:
        """An entity that is handed in or out is a snapshot: to change it changes nothing in the repository."""
        repository, id = trial.subject, trial.draw(self.ids())
        first, second = trial.draw(self.versions(id, 2))
        for write, entity in ((repository.create, first), (repository.update, second)):
            kept = deepcopy(entity)
            self.spoil(await write(entity))
            self.spoil(entity)
            expect("get after what was written was changed", await repository.get(id), kept)
            self.spoil(cast("E", await repository.get(id)))
            for found in await repository.get_all():
                self.spoil(found)
            expect("get after what was read was changed", await repository.get(id), kept)

    @modelled("repository-20", validates="1.1")
    def test_model(self) -> type[Machine[Repository[E, Id]]]:
        """Any sequence of calls gives the answers that a dict gives."""
        ids = simplest(self.some_ids(3))
        return RepositoryMachine.over(ids=st.sampled_from(ids), entities={id: self.entities(id) for id in ids})

    @check("repository-21", validates="1.1")
    async def test_linearizable(self, trial: Trial[Repository[E, Id]]) -> None:
        """Concurrent calls answer as if each happened at one moment between its start and its end."""
        repository, id = trial.subject, trial.draw(self.ids())
        versions = trial.draw(self.versions(id, 3))
        step = st.tuples(st.sampled_from(["get", "create", "update", "delete", "exists"]), st.sampled_from(versions))
        parts = trial.draw(st.lists(st.lists(step, min_size=1, max_size=5), min_size=2, max_size=4))

        async def part(steps: list[tuple[str, E]]) -> None:
            for name, entity in steps:
                # A refusal is an answer like any other: the model judges it.
                with suppress(EntityExistsError, EntityNotFoundError):
                    await getattr(repository, name)(entity if name in ("create", "update") else id)

        if trial.draw(st.booleans()):
            await repository.create(versions[0])
        await trial.together(**{name: part(steps) for name, steps in zip("ABCD", parts, strict=False)})
        await repository.get(id)  # what is left must be explained too
        if linearize(trial.history.calls, None, repository_step) is None:
            raise Broken(ConformanceMessages.NO_ORDER)

    @check("repository-22", validates="1.1")
    async def test_one_creator(self, trial: Trial[Repository[E, Id]]) -> None:
        """Of several concurrent creates with one id exactly one succeeds, and of several deletes exactly one."""
        repository, id = trial.subject, trial.draw(self.ids())
        versions = trial.draw(self.versions(id, 3))

        async def created(entity: E) -> E | None:
            try:
                return await repository.create(entity)
            except EntityExistsError:
                return None

        said = await trial.together(**{name: created(entity) for name, entity in zip("ABC", versions, strict=True)})
        winners = [entity for entity in said if entity is not None]
        expect("how many creates succeeded", len(winners), 1)
        expect("get after the creates", await repository.get(id), winners[0])
        deleted = await trial.together(A=repository.delete(id), B=repository.delete(id), C=repository.delete(id))
        expect("answers of three deletes", sorted(deleted), [False, False, True])

    @swept("repository-30", validates="1.1")
    async def test_interrupted_create(self, trial: Trial[Repository[E, Id]]) -> None:
        """A create that is interrupted happened wholly or not at all, not later either, and the repository goes on."""
        repository, (id, (old, new)) = trial.subject, self.fixed_versions()
        outcome = await trial.interrupt(repository.create(old))
        found = await repository.get(id)
        expect_one_of("get", found, [old] if outcome.finished else [old, None])
        await trial.elapse(self.tick)
        expect("get some time afterwards", await repository.get(id), found)
        kept = await (repository.create(new) if found is None else repository.update(new))
        await trial.elapse(self.tick)
        expect("what is kept afterwards", await repository.get(id), kept)

    @swept("repository-31", validates="1.1")
    async def test_interrupted_update(self, trial: Trial[Repository[E, Id]]) -> None:
        """An update that is interrupted happened wholly or not at all, not later either, and the repository goes on."""
        repository, (id, (old, new, last)) = trial.subject, self.fixed_versions(3)
        await repository.create(old)
        outcome = await trial.interrupt(repository.update(new))
        found = await repository.get(id)
        expect_one_of("get", found, [new] if outcome.finished else [old, new])
        await trial.elapse(self.tick)
        expect("get some time afterwards", await repository.get(id), found)
        await repository.update(last)
        await trial.elapse(self.tick)
        expect("get after another update", await repository.get(id), last)

    @swept("repository-32", validates="1.1")
    async def test_interrupted_delete(self, trial: Trial[Repository[E, Id]]) -> None:
        """A delete that is interrupted happened wholly or not at all, not later either, and the repository goes on."""
        repository, (id, (old, new)) = trial.subject, self.fixed_versions()
        await repository.create(old)
        outcome = await trial.interrupt(repository.delete(id))
        there = await repository.exists(id)
        if outcome.finished:
            expect("exists after delete", there, False)
        await trial.elapse(self.tick)
        expect("get some time afterwards", await repository.get(id), old if there else None)
        expect("delete afterwards", await repository.delete(id), there)
        expect("create afterwards", await repository.create(new), new)

    @swept("repository-33", validates="1.1")
    async def test_interrupted_reads(self, trial: Trial[Repository[E, Id]]) -> None:
        """A get or get_all that is interrupted changes nothing."""
        repository, (id, (old, _)) = trial.subject, self.fixed_versions()
        await repository.create(old)

        async def reads() -> tuple[E | None, list[E]]:
            return await repository.get(id), await repository.get_all()

        outcome = await trial.interrupt(reads())
        if outcome.finished:
            expect("get and get_all", outcome.value, (old, [old]))
        expect("get and get_all afterwards", await reads(), (old, [old]))


class RepositoryMachine(Machine[Repository[Any, Any]]):
    """Random calls, against a dict."""

    ids: ClassVar[st.SearchStrategy[Any]]
    entities: ClassVar[Mapping[Any, st.SearchStrategy[Any]]]
    """The entities of each id."""

    def opened(self) -> None:
        """Draw up the model."""
        self.kept: dict[Any, Any] = {}

    def glance(self) -> None:
        """Look at all there is."""
        expect_same_members("get_all", self.do(lambda trial: trial.subject.get_all()), list(self.kept.values()))

    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        """Create an entity, or fail to."""
        id = data.draw(self.ids)
        entity = data.draw(self.entities[id])
        if id in self.kept:
            self.do(lambda trial: refused("create", trial.subject.create(entity), EntityExistsError))
        else:
            expect("create", self.do(lambda trial: trial.subject.create(entity)), entity)
            self.kept[id] = entity

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        """Update an entity, or fail to."""
        id = data.draw(self.ids)
        entity = data.draw(self.entities[id])
        if id in self.kept:
            expect("update", self.do(lambda trial: trial.subject.update(entity)), entity)
            self.kept[id] = entity
        else:
            self.do(lambda trial: refused("update", trial.subject.update(entity), EntityNotFoundError))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete an entity."""
        id = data.draw(self.ids)
        expect("delete", self.do(lambda trial: trial.subject.delete(id)), id in self.kept)
        self.kept.pop(id, None)

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """Read in all the ways there are."""
        id = data.draw(self.ids)
        expect("get", self.do(lambda trial: trial.subject.get(id)), self.kept.get(id))
        expect("exists", self.do(lambda trial: trial.subject.exists(id)), id in self.kept)
        self.glance()


def repository_step(state: Any, call: Call) -> tuple[bool, Any]:
    """
    The model of one id for concurrent calls: its state is the entity, or `None`.

    >>> repository_step(None, Call("A", "update", (7,), {}, 1, Ending.RETURNED, value=7, ended=2))[0]
    False
    """
    taken = state is not None
    silent = call.ending is not Ending.RETURNED
    match call.name, call.ending:
        case "create", Ending.RAISED:
            return taken, state
        case "update", Ending.RAISED:
            return not taken, state
        case "create", _:
            return not taken, call.args[0]
        case "update", _:
            return taken, call.args[0]
        case "get", _:
            return silent or call.value == state, state
        case "exists", _:
            return silent or call.value == taken, state
        case _:
            return silent or call.value == taken, None
