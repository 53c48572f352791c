import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from infra_conformance.servers import PostgresServer
from pastebin.errors import DatabaseError
from pastebin.paste import Paste
from pastebin.postgres import MIGRATIONS, PostgresPasteRepository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_paste(id: str, *, author: str = "ada", content: str = "hello") -> Paste:
    return Paste(id, f"Title of {id}", content, author, NOON, NOON + timedelta(microseconds=1))


@asynccontextmanager
async def asked(url: str) -> AsyncGenerator[psycopg.AsyncConnection[tuple[object, ...]]]:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        yield connection


async def test_a_database_keeps_what_was_created(postgres_database: str) -> None:
    there = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    texts = ["", "\0", "\r\n", "\ufeffBOM", "\N{GRINNING FACE} é", "%(id)s {id} \\", "x" * 100_000]
    pastes = [a_paste(text[:9], content=text, author=text[:9]) for text in texts]
    pastes.append(replace(a_paste("there"), created_at=there))
    async with PostgresPasteRepository.open(postgres_database) as repository:
        for paste in pastes:
            assert await repository.create(paste) == paste
    async with PostgresPasteRepository.open(postgres_database) as repository:
        assert await repository.get_all() == pastes[::-1]
        assert [await repository.get(paste.id) for paste in pastes] == pastes


async def test_several_processes_may_open_a_new_database_at_once(postgres_database: str) -> None:
    async def open_and_create(id: str) -> str:
        async with PostgresPasteRepository.open(postgres_database) as repository:
            await repository.create_schema()  # once more changes nothing
            await repository.create(a_paste(id))
            return await repository.identity()

    assert len(set(await asyncio.gather(*(open_and_create(f"{number}") for number in range(4))))) == 1
    async with PostgresPasteRepository.open(postgres_database) as repository:
        assert {paste.id for paste in await repository.get_all()} == {"0", "1", "2", "3"}


async def test_a_migration_that_fails_changes_nothing(postgres_database: str) -> None:
    async with asked(postgres_database) as connection:
        await connection.execute("CREATE TABLE identity (in_the_way int)")
        with pytest.raises(DatabaseError, match='relation "identity" already exists'):
            async with PostgresPasteRepository.open(postgres_database):
                pass
        cursor = await connection.execute("SELECT to_regclass('pastes'), to_regclass('migrations')")
        assert await cursor.fetchone() == (None, None)


async def test_a_newer_schema_is_refused(postgres_database: str) -> None:
    async with PostgresPasteRepository.open(postgres_database):
        pass
    async with asked(postgres_database) as connection:
        await connection.execute("INSERT INTO migrations VALUES (%s)", (len(MIGRATIONS) + 1,))
    with pytest.raises(DatabaseError, match=f"schema has version {len(MIGRATIONS) + 1}"):
        async with PostgresPasteRepository.open(postgres_database):
            pass


async def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(DatabaseError) as caught:
        async with PostgresPasteRepository.open("postgresql://ada:swordfish@127.0.0.1:1/pastes"):
            pass
    assert caught.value.message.startswith("Database PostgreSQL failed: ")
    assert "swordfish" not in caught.value.message


async def test_a_server_that_was_restarted_is_used_again_at_once(postgres_server: PostgresServer) -> None:
    async with PostgresPasteRepository.open(postgres_server.url) as repository:
        await asyncio.gather(*(repository.create(a_paste(f"{number}")) for number in range(5)))
        await asyncio.to_thread(postgres_server.terminate_backends)
        for number in range(10):
            assert await repository.get(f"{number}") == (a_paste(f"{number}") if number < 5 else None)
        await asyncio.to_thread(postgres_server.stop)
        await asyncio.to_thread(postgres_server.start)
        assert await repository.exists("1")
        [pool] = repository.pools
        assert pool.stats().in_use == 0


async def test_an_engine_that_fails_raises_a_typed_error(postgres_database: str) -> None:
    async with PostgresPasteRepository.open(postgres_database) as repository:
        async with asked(postgres_database) as connection:
            await connection.execute("DROP TABLE pastes")
        with pytest.raises(DatabaseError, match='relation "pastes" does not exist'):
            await repository.get("1")
