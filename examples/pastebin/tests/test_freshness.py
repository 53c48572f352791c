"""
No read that begins after a write has returned sees what was there before it, in whatever process it was written.

With memory in front of Redis the other process is told a little later, so there only a process's own writes count.

The property runs services on pastes in memory that take as many turns of the event loop as Hypothesis says, before and
after each operation has its effect: so it finds the interleavings that a database only has on a bad day.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import cycle

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from infra_cache import TieredCacheProvider
from infra_protocols import CacheProvider, EntityExistsError, EntityNotFoundError, SystemClock
from infra_result import Result
from pastebin.messages import PastebinMessages
from pastebin.paste import Draft, Paste
from pastebin.service import PasteService, Read

AUTHORS = ["ada", "bob", "eve"]

type Caches = Callable[[], AbstractAsyncContextManager[list[CacheProvider[Read]]]]
type State = dict[str, Paste]


class SlowPastes:
    """Pastes in memory that take their time, and remember each state that they were in."""

    def __init__(self, delays: Iterator[int]) -> None:
        self._delays = delays
        self.states: list[State] = [{}]

    async def get(self, id: str) -> Paste | None:
        await self._turns()
        found = self.states[-1].get(id)
        await self._turns()
        return found

    async def get_all(self) -> list[Paste]:
        return await self.newest(len(self.states))

    async def newest(self, limit: int) -> list[Paste]:
        await self._turns()
        found = list(self.states[-1].values())[:limit]
        await self._turns()
        return found

    async def by_author(self, author: str, limit: int) -> list[Paste]:
        return [paste for paste in await self.newest(limit) if paste.author == author]

    async def create(self, entity: Paste) -> Paste:
        await self._turns()
        if entity.id in self.states[-1]:
            raise EntityExistsError(PastebinMessages.ENTITY_EXISTS.format(id=entity.id))
        return await self._become(self.states[-1] | {entity.id: entity}, entity)

    async def update(self, entity: Paste) -> Paste:
        await self._turns()
        if entity.id not in self.states[-1]:
            raise EntityNotFoundError(PastebinMessages.ENTITY_NOT_FOUND.format(id=entity.id))
        return await self._become(self.states[-1] | {entity.id: entity}, entity)

    async def delete(self, id: str) -> bool:
        await self._turns()
        present = id in self.states[-1]
        return await self._become({key: paste for key, paste in self.states[-1].items() if key != id}, present)

    async def exists(self, id: str) -> bool:
        return await self.get(id) is not None

    async def replace(self, paste: Paste, author: str) -> bool:
        await self._turns()
        if not self._is_by(author, paste.id):
            return False
        return await self._become(self.states[-1] | {paste.id: paste}, True)

    async def remove(self, id: str, author: str) -> bool:
        await self._turns()
        return self._is_by(author, id) and await self.delete(id)

    def _is_by(self, author: str, id: str) -> bool:
        return id in self.states[-1] and self.states[-1][id].author == author

    async def _become[T](self, state: State, answer: T) -> T:
        self.states.append(state)
        await self._turns()
        return answer

    async def search(self, words: Sequence[str], limit: int) -> list[Paste]:
        raise NotImplementedError

    async def statistics(self) -> dict[str, tuple[int, int, int]]:
        raise NotImplementedError

    async def _turns(self) -> None:
        for _ in range(next(self._delays)):
            await asyncio.sleep(0)


type Step = tuple[str, int, str]
"""What to do, to which paste, and for which author."""
type Program = tuple[list[list[Step]], list[int]]
"""What each task does in turn, and how long the repository takes."""


def programs(*things: str, pastes: int = 2) -> st.SearchStrategy[Program]:
    step = st.tuples(st.sampled_from(things), st.integers(0, pastes - 1), st.sampled_from(AUTHORS))
    return st.tuples(
        st.lists(st.lists(step, min_size=1, max_size=6), min_size=2, max_size=4),
        st.lists(st.sampled_from([0, 0, 1, 3, 10]), min_size=1, max_size=12),
    )


broad = programs("get", "list", "update", "create", "delete")
narrow = programs("get", "list", "update", pastes=1)
"""Edits of one paste, where the races are."""


async def find_stale_read(kind: type[PasteService], program: Program, open_caches: Caches) -> str | None:
    """Run `program` in two processes, and tell what was read that had been overwritten when the read began."""
    async with open_caches() as caches:
        tasks, delays = program
        pastes = SlowPastes(cycle(delays))
        services = [kind(pastes, cache, SystemClock()) for cache in caches]
        ids = [(await services[0].create(Draft("first", str(number), "ada"))).unwrap().id for number in range(2)]
        alone = isinstance(caches[0], TieredCacheProvider)
        acknowledged: dict[int, list[int]] = defaultdict(lambda: [1, 2])
        stale: list[str] = []

        async def check[T](read: Awaitable[T], view: Callable[[State], T], known: list[int]) -> None:
            seen = [view(state) for state in pastes.states]
            oldest = max((n for n in known if seen[n] != seen[n - 1]), default=0)
            found = await read
            if all(view(state) != found for state in pastes.states[oldest:]):
                stale.append(f"read {found}, not one of {pastes.states[oldest:]}")

        async def work(name: int, todo: list[Step]) -> None:
            service, known = services[name % 2], acknowledged[name % 2 if alone else 0]

            def acknowledge(written: Callable[[State], bool]) -> None:
                # Contents are unique and ids do not come back: the write is the first state that shows it.
                known.append(next(n for n, state in enumerate(pastes.states) if n >= 2 and written(state)))

            for number, (what, which, author) in enumerate(todo):
                id, draft = ids[which], Draft("title", f"{name}-{number}", author)
                match what:
                    case "create":
                        created = (await service.create(draft)).unwrap()
                        acknowledge(partial(shows, created))
                    case "update":
                        (await service.update(id, draft)).inspect(lambda paste: acknowledge(partial(shows, paste)))
                    case "delete":
                        if (await service.delete(id)).is_ok():
                            acknowledge(partial(lacks, id))
                    case "get":
                        await check(ok(service.get(id)), partial(by_id, id), known)
                    case _:
                        await check(ok(service.by_author(author)), partial(by_author, author), known)

        await asyncio.gather(*(work(name, todo) for name, todo in enumerate(tasks)))
        return stale[0] if stale else None


async def ok[T](read: Awaitable[Result[T, object]]) -> T | None:
    return (await read).ok()


def shows(paste: Paste, state: State) -> bool:
    return state.get(paste.id) == paste


def lacks(id: str, state: State) -> bool:
    return id not in state


def by_id(id: str, state: State) -> Paste | None:
    return state.get(id)


def by_author(author: str, state: State) -> tuple[Paste, ...]:
    return tuple(paste for paste in state.values() if paste.author == author)


# **Feature: infrastructure-generics-review-2025, Property 5: Cache Tag Invalidation**
# **Validates: Requirements 6.5**
@settings(max_examples=200)
@given(program=broad | narrow)
def test_no_read_is_staler_than_the_last_write_that_returned(open_caches: Caches, program: Program) -> None:
    assert asyncio.run(find_stale_read(PasteService, program, open_caches)) is None


class ForgetsNothing(PasteService):
    async def _forget(self, *tags: str) -> None:
        pass


class ForgetsPastesOnly(PasteService):
    async def _forget(self, *tags: str) -> None:
        await super()._forget(*(tag for tag in tags if tag.startswith("paste:")))


class ForgetsTheNewAuthorOnly(PasteService):
    async def _forget(self, *tags: str) -> None:
        await super()._forget(tags[0], tags[-1])


class ForgetsBeforehandOnly(PasteService):
    @asynccontextmanager
    async def _forgetting(self, *tags: str) -> AsyncGenerator[None]:
        await self._forget(*tags)
        yield


class ForgetsTooLate(PasteService):
    async def _forget(self, *tags: str) -> None:
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, super()._forget(*tags))


FAULTS = [ForgetsNothing, ForgetsPastesOnly, ForgetsTheNewAuthorOnly, ForgetsBeforehandOnly, ForgetsTooLate]


@pytest.mark.parametrize("faulty", FAULTS)
def test_the_property_catches_a_service_that(open_caches: Caches, faulty: type[PasteService]) -> None:
    caught = False

    def is_caught(program: Program) -> bool:
        # Once is enough: with a real engine no program need have the same outcome twice.
        nonlocal caught
        caught = caught or asyncio.run(find_stale_read(faulty, program, open_caches)) is not None
        return caught

    try:
        find(narrow, is_caught, settings=settings(max_examples=5_000, phases=[Phase.generate], database=None))
    except NoSuchExample:
        pytest.fail(f"{faulty.__name__} was not caught")
