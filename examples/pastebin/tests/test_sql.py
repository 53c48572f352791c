"""What pastes in SQLite and in PostgreSQL have in common."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra_protocols import EntityExistsError, EntityNotFoundError, Repository
from pastebin.paste import Paste
from pastebin.repository import PasteRepository
from pastebin.sql import SqlPasteRepository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

type OpenPastes = Callable[[], AbstractAsyncContextManager[SqlPasteRepository]]


def a_paste(id: str, *, author: str = "ada", content: str = "hello") -> Paste:
    return Paste(id, f"Title of {id}", content, author, NOON, NOON + timedelta(microseconds=1))


async def test_it_is_a_repository_of_pastes(open_pastes: OpenPastes) -> None:
    async with open_pastes() as pastes:
        assert isinstance(pastes, PasteRepository)
        assert isinstance(pastes, Repository)


async def test_the_refusals_are_typed_and_change_nothing(open_pastes: OpenPastes) -> None:
    async with open_pastes() as repository:
        paste = await repository.create(a_paste("1"))
        with pytest.raises(EntityExistsError):
            await repository.create(replace(paste, content="other"))
        with pytest.raises(EntityNotFoundError):
            await repository.update(a_paste("2"))
        assert await repository.get_all() == [paste]


async def test_a_paste_is_replaced_and_removed_only_while_it_is_by_a_given_author(open_pastes: OpenPastes) -> None:
    async with open_pastes() as repository:
        other, paste = [await repository.create(a_paste(id)) for id in ("2", "1")]
        bobs = replace(paste, author="bob", content="bye", updated_at=NOON + timedelta(hours=1))
        assert not await repository.replace(bobs, "bob")
        assert await repository.get_all() == [paste, other]
        assert await repository.replace(bobs, "ada")
        assert not await repository.remove("1", "ada")
        assert not await repository.replace(a_paste("3"), "ada")
        assert await repository.get_all() == [bobs, other]
        assert await repository.remove("1", "bob")
        assert not await repository.remove("1", "bob")
        assert await repository.get_all() == [other]


async def test_listings_are_newest_first_and_bounded(open_pastes: OpenPastes) -> None:
    async with open_pastes() as repository:
        for number, author in enumerate(["ada", "bob", "ada", "ada"]):
            await repository.create(a_paste(f"{number}", author=author))
        assert [paste.id for paste in await repository.by_author("ada", 2)] == ["3", "2"]
        assert [paste.id for paste in await repository.by_author("ada", 9)] == ["3", "2", "0"]
        assert [paste.id for paste in await repository.newest(3)] == ["3", "2", "1"]
        assert await repository.by_author("eve", 9) == []
        # An edit does not move a paste: it is the creation that counts.
        await repository.update(a_paste("0", author="bob"))
        assert [paste.id for paste in await repository.by_author("bob", 9)] == ["1", "0"]


async def test_times_come_back_exactly(open_pastes: OpenPastes) -> None:
    there = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    async with open_pastes() as repository:
        await repository.create(replace(a_paste("1"), created_at=there, updated_at=NOON))
        found = await repository.get("1")
        assert found is not None
        assert (found.created_at, found.updated_at) == (there, NOON)
