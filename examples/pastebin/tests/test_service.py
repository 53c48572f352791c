from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_cache import InMemoryCacheProvider
from infra_protocols import EntityExistsError, EntityNotFoundError, SystemClock, ValidationError
from infra_result import Ok
from pastebin.paste import Draft, Paste
from pastebin.service import MAX_LIMIT, PasteService, Read
from pastebin.sqlite import SqlitePasteRepository

DRAFT = Draft("Greeting", "hello", "ada")


class TurnedClock:
    """A clock that goes on by a minute whenever it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()


async def test_a_paste_lives_and_goes(service: PasteService) -> None:
    created = (await service.create(DRAFT)).unwrap()
    assert (created.title, created.content, created.author) == ("Greeting", "hello", "ada")
    assert created.created_at == created.updated_at
    assert await service.get(created.id) == Ok(created)

    updated = (await service.update(created.id, Draft("Farewell", "bye", "bob"))).unwrap()
    assert (updated.id, updated.title, updated.content, updated.author) == (created.id, "Farewell", "bye", "bob")
    assert await service.get(created.id) == Ok(updated)

    assert await service.delete(created.id) == Ok(None)
    assert isinstance((await service.get(created.id)).unwrap_err(), EntityNotFoundError)


async def test_times_go_by_the_clock() -> None:
    async with SqlitePasteRepository.open() as pastes:
        service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=10), TurnedClock())
        created = (await service.create(DRAFT)).unwrap()
        updated = (await service.update(created.id, DRAFT)).unwrap()
        assert created.created_at == datetime(2026, 11, 23, 12, 1, tzinfo=UTC)
        assert updated.created_at == created.created_at
        assert updated.updated_at == created.created_at + timedelta(minutes=1)


async def test_what_is_not_there_is_an_err(service: PasteService) -> None:
    for result in (await service.get("7f"), await service.update("7f", DRAFT), await service.delete("7f")):
        error = result.unwrap_err()
        assert isinstance(error, EntityNotFoundError)
        assert error.message == "There is no paste 7f"


async def test_an_id_that_is_taken_is_an_err() -> None:
    async with SqlitePasteRepository.open() as pastes:
        cache = InMemoryCacheProvider[Read](max_size=10)
        service = PasteService(pastes, cache, SystemClock(), new_id=lambda: "always the same")
        first = (await service.create(DRAFT)).unwrap()
        second = await service.create(Draft("Other", "other", "bob"))
        assert isinstance(second.unwrap_err(), EntityExistsError)
        assert await service.get("always the same") == Ok(first)


async def test_ids_are_not_guessed(service: PasteService) -> None:
    ids = {(await service.create(DRAFT)).unwrap().id for _ in range(50)}
    assert len(ids) == 50
    assert {len(id) for id in ids} == {32}


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_range_is_an_err(service: PasteService, limit: int) -> None:
    for result in (await service.newest(limit), await service.by_author("ada", limit)):
        error = result.unwrap_err()
        assert error.field == "limit"


@pytest.mark.parametrize("author", ["", " ", "x" * 101])
async def test_nobody_by_that_name_is_an_err(service: PasteService, author: str) -> None:
    error = (await service.by_author(author)).unwrap_err()
    assert isinstance(error, ValidationError)
    assert error.field == "author"


async def test_reads_are_served_from_the_cache() -> None:
    async with SqlitePasteRepository.open() as pastes:
        cache = InMemoryCacheProvider[Read](max_size=10)
        service = PasteService(pastes, cache, SystemClock())
        paste = (await service.create(DRAFT)).unwrap()
        for _ in range(3):
            assert await service.get(paste.id) == Ok(paste)
            assert await service.by_author("ada") == Ok((paste,))
        assert (cache.stats().loads, cache.stats().hits) == (2, 4)
        # A paste of bob's is none of ada's: her reads stay.
        await service.create(Draft("Other", "other", "bob"))
        await service.get(paste.id)
        await service.by_author("ada")
        assert cache.stats().loads == 2


async def test_wrong_ids_push_nothing_out_of_the_cache() -> None:
    async with SqlitePasteRepository.open() as pastes:
        cache = InMemoryCacheProvider[Read](max_size=2)
        service = PasteService(pastes, cache, SystemClock())
        paste = (await service.create(DRAFT)).unwrap()
        await service.get(paste.id)
        for number in range(10):
            assert (await service.get(f"{number}")).is_err()
        before = cache.stats().hits
        assert await service.get(paste.id) == Ok(paste)
        assert cache.stats().hits == before + 1


# **Feature: infrastructure-generics-review-2025, Property 4: Cache Type Preservation**
# **Validates: Requirements 6.2, 6.3, 6.4**
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
async def test_what_is_read_is_what_was_written(texts: list[str]) -> None:
    async with SqlitePasteRepository.open() as pastes:
        service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=10), SystemClock())
        created: list[Paste] = [(await service.create(Draft("t", text, "ada"))).unwrap() for text in texts]
        assert [paste.content for paste in created] == texts
        for _ in range(2):  # the first read loads, the second finds
            assert [await service.get(paste.id) for paste in created] == [Ok(paste) for paste in created]
            assert await service.by_author("ada") == Ok(tuple(reversed(created)))
