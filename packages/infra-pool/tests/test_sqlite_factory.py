"""The factory of SQLite's connections keeps every promise that a pool relies on; a call that is cancelled has ended."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, override

import pytest

from infra_conformance import ConnectionFactorySuite, Trace
from infra_pool.sqlite import SqliteConnection, SqliteFactory
from infra_protocols import Clock, ConnectionFactory, PoolError, ValidationError

FOREVER = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class TestSqliteFactory(ConnectionFactorySuite[SqliteConnection]):
    real_time = True
    tick = 0.05
    engine_error = sqlite3.OperationalError
    can_linger = True
    can_count = True

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SqliteFactory]:
        self.before = threads()
        yield SqliteFactory(":memory:")

    @override
    async def echo(self, connection: SqliteConnection, number: int) -> int:
        [(said,)] = await connection.execute("SELECT ?", (number,))
        return said

    @override
    async def linger(self, connection: SqliteConnection, number: int) -> int:
        def late(raw: sqlite3.Connection) -> int:
            threading.Event().wait(10 * self.tick)
            return raw.execute("SELECT ?", (number,)).fetchone()[0]

        return await connection.run(late)

    @override
    async def count(self, factory: ConnectionFactory[SqliteConnection]) -> int:
        return len(threads() - self.before)

    @override
    def traces(self) -> Sequence[Trace[SqliteConnection]]:
        async def begin(connection: SqliteConnection) -> None:
            await connection.execute("BEGIN")

        async def in_transaction(connection: SqliteConnection) -> bool:
            return connection.in_transaction

        return (Trace("an open transaction", begin, in_transaction),)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("infra-pool-sqlite")}


@asynccontextmanager
async def made(path: Path | str, **options: Any) -> AsyncGenerator[tuple[SqliteFactory, SqliteConnection]]:
    factory = SqliteFactory(path, **options)
    connection = await factory.create()
    try:
        yield factory, connection
    finally:
        await factory.destroy(connection)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with the table `words`."""
    with closing(sqlite3.connect(tmp_path / "words.db")) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
    return tmp_path / "words.db"


async def test_a_query_that_is_cancelled_is_interrupted(path: Path) -> None:
    async with made(path) as (factory, connection):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await connection.execute(FOREVER)
        assert factory.is_alive(connection)
        assert await connection.execute("SELECT 1") == [(1,)]


async def test_it_is_interrupted_until_it_has_ended_however_often_it_is_cancelled(path: Path) -> None:
    begun, interrupted = threading.Event(), 0

    def stubborn(raw: sqlite3.Connection) -> None:
        nonlocal interrupted
        begun.set()
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError, match="interrupted"):
                raw.execute(FOREVER).fetchall()
            interrupted += 1

    async with made(path) as (factory, connection):
        call = asyncio.create_task(connection.run(stubborn))
        # What is cancelled before a thread has taken it up is not begun at all.
        assert await asyncio.to_thread(begun.wait, 30)
        while not call.done():
            call.cancel()
            await asyncio.sleep(0.01)
        assert call.cancelled()
        assert interrupted == 3
        assert factory.is_alive(connection)
        assert await connection.execute("SELECT 1") == [(1,)]


async def test_a_call_that_was_cancelled_takes_no_effect_afterwards(path: Path) -> None:
    async with made(path) as (_, connection), made(path, read_only=True) as (_, reader):
        for steps in range(30):
            word = f"word {steps}"
            call = asyncio.create_task(connection.execute("INSERT INTO words VALUES (?)", (word,)))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            seen = await reader.execute("SELECT count(*) FROM words WHERE word = ?", (word,))
            await connection.execute("SELECT 1")
            assert await reader.execute("SELECT count(*) FROM words WHERE word = ?", (word,)) == seen


async def test_one_that_reads_is_not_kept_waiting_by_one_that_writes(path: Path) -> None:
    async with made(path) as (_, writer), made(path, read_only=True, busy_timeout=0) as (_, reader):
        await writer.execute("BEGIN IMMEDIATE")
        await writer.execute("INSERT INTO words VALUES ('new')")
        assert await reader.execute("SELECT * FROM words") == []
        await reader.execute("BEGIN")
        assert await reader.execute("SELECT * FROM words") == []
        await writer.execute("COMMIT")
        assert await reader.execute("SELECT * FROM words") == []  # as it was when it began to read
        await reader.execute("COMMIT")
        assert await reader.execute("SELECT * FROM words") == [("new",)]


async def test_one_that_reads_writes_nothing(path: Path) -> None:
    async with made(path, read_only=True) as (_, reader):
        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
            await reader.execute("INSERT INTO words VALUES ('new')")
        assert await reader.execute("SELECT * FROM words") == []


async def test_one_that_writes_waits_for_another_process_that_does(path: Path) -> None:
    async with made(path, busy_timeout=30) as (_, patient), made(path, busy_timeout=0) as (_, hasty):
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                await hasty.execute("INSERT INTO words VALUES ('hasty')")
            waiting = asyncio.create_task(patient.execute("INSERT INTO words VALUES ('patient')"))
            await asyncio.sleep(0)
            assert patient.busy
            other.execute("COMMIT")
            await waiting
            assert other.execute("SELECT * FROM words").fetchall() == [("patient",)]


async def test_one_on_which_a_call_runs_is_not_lent_again(path: Path) -> None:
    async with made(path) as (factory, connection):
        running = asyncio.create_task(connection.execute(FOREVER))
        await asyncio.sleep(0)
        assert connection.busy
        assert not factory.is_alive(connection)
        with pytest.raises(PoolError, match="something still runs on it: it is in use"):
            await factory.reset(connection)
        await factory.destroy(connection)
        with pytest.raises(sqlite3.Error, match=r"interrupted|closed"):
            await running


async def test_one_that_is_closed_says_so(path: Path) -> None:
    async with made(path) as (factory, connection):
        await connection.execute("INSERT INTO words VALUES ('kept')")
        await factory.destroy(connection)
        assert connection.closed
        assert not connection.in_transaction
        with pytest.raises(sqlite3.ProgrammingError, match="The connection is closed"):
            await connection.execute("SELECT 1")


async def test_the_last_one_to_close_leaves_one_file(path: Path) -> None:
    for number in range(20):
        async with made(path, read_only=True), made(path) as (_, connection):
            await connection.execute("INSERT INTO words VALUES (?)", (number,))
        async with made(path):
            assert path.with_name("words.db-wal").exists()
        assert [each.name for each in path.parent.iterdir()] == ["words.db"]


async def test_what_is_no_database_is_told_and_leaves_no_thread(tmp_path: Path) -> None:
    before = threads()
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look for a header in" * 100)
    for path in (tmp_path, tmp_path / "missing" / "words.db", tmp_path / "notes.txt"):
        with pytest.raises(sqlite3.Error):
            await SqliteFactory(path).create()
    for thread in threads() - before:
        thread.join(30)
        assert not thread.is_alive()


async def test_a_uri_is_opened_as_one(path: Path) -> None:
    async with made(f"file:{path}?mode=rw") as (_, connection):
        assert await connection.execute("SELECT * FROM words") == []


def test_how_long_to_wait_is_no_negative_number() -> None:
    with pytest.raises(ValidationError, match="busy_timeout"):
        SqliteFactory("app.db", busy_timeout=-1)
