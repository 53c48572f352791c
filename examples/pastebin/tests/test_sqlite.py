import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pastebin.errors import DatabaseError
from pastebin.paste import Paste
from pastebin.sqlite import MIGRATIONS, SqlitePasteRepository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_paste(id: str, *, author: str = "ada", content: str = "hello") -> Paste:
    return Paste(id, f"Title of {id}", content, author, NOON, NOON + timedelta(microseconds=1))


async def test_a_file_keeps_what_was_created(tmp_path: Path) -> None:
    texts = ["", "\0", "\r\n", "\ufeffBOM", "\N{GRINNING FACE} é", "x" * 100_000]
    pastes = [a_paste(f"{number}", content=text) for number, text in enumerate(texts)]
    async with SqlitePasteRepository.open(tmp_path / "pastes.db") as repository:
        for paste in pastes:
            assert await repository.create(paste) == paste
    async with SqlitePasteRepository.open(str(tmp_path / "pastes.db")) as repository:
        assert await repository.get_all() == pastes[::-1]
        assert [await repository.get(paste.id) for paste in pastes] == pastes


async def test_a_closed_file_is_one_file(tmp_path: Path) -> None:
    async with SqlitePasteRepository.open(tmp_path / "pastes.db") as repository:
        await repository.create(a_paste("1"))
        assert sorted(os.listdir(tmp_path)) == ["pastes.db", "pastes.db-shm", "pastes.db-wal"]
    assert os.listdir(tmp_path) == ["pastes.db"]


async def test_a_database_is_told_from_all_others(tmp_path: Path) -> None:
    async def identity(database: Path | None) -> str:
        async with SqlitePasteRepository.open(database) as repository:
            return await repository.identity()

    one, other = tmp_path / "one.db", tmp_path / "other.db"
    assert await identity(one) == await identity(one)
    assert len({await identity(each) for each in (one, other, None, None)}) == 4


async def test_a_cancelled_call_leaves_no_transaction_open(tmp_path: Path) -> None:
    """However early or late it is cancelled; another connection can write at once, and sees all or nothing."""
    path = tmp_path / "pastes.db"
    async with SqlitePasteRepository.open(path) as repository:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            for steps in range(6):
                paste = a_paste(f"{steps}")
                call = asyncio.create_task(repository.create(paste))
                for _ in range(steps):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait([call])
                # The connection works through its calls in turn: with this answer, the cancelled one is over.
                found = await repository.get(paste.id)
                assert found in (None, paste)
                other.execute("DELETE FROM pastes WHERE id = 'no such paste'")
                [(count,)] = other.execute("SELECT count(*) FROM pastes WHERE id = ?", (paste.id,))
                assert count == (found is not None)


async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "pastes.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO pastes (id, title, content, author, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
            tuple(a_paste("1").to_document().values()),
        )
    async with SqlitePasteRepository.open(path) as repository:
        await repository.create_schema()  # once more changes nothing
        assert await repository.get_all() == [a_paste("1")]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert {"pastes", "pastes_by_author", "identity"} <= names


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pastes.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE pastes_by_author (in_the_way)")
    with pytest.raises(DatabaseError, match="pastes_by_author"):
        async with SqlitePasteRepository.open(path):
            pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("pastes_by_author",)]


async def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    async def open_and_create(id: str) -> None:
        async with SqlitePasteRepository.open(tmp_path / "pastes.db") as repository:
            await repository.create(a_paste(id))

    await asyncio.gather(*(open_and_create(f"{number}") for number in range(4)))
    async with SqlitePasteRepository.open(tmp_path / "pastes.db") as repository:
        assert {paste.id for paste in await repository.get_all()} == {"0", "1", "2", "3"}


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pastes.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(DatabaseError, match=f"schema has version {len(MIGRATIONS) + 1}"):
        async with SqlitePasteRepository.open(path):
            pass


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look for a header in" * 100)
    for path in (tmp_path, tmp_path / "missing" / "pastes.db", tmp_path / "notes.txt"):
        with pytest.raises(DatabaseError) as caught:
            async with SqlitePasteRepository.open(path):
                pass
        assert str(path) in caught.value.message
        assert isinstance(caught.value.__cause__, sqlite3.Error)


async def test_an_engine_that_fails_raises_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "pastes.db"
    async with SqlitePasteRepository.open(path) as repository:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TABLE pastes")
        with pytest.raises(DatabaseError, match="no such table"):
            await repository.get("1")
