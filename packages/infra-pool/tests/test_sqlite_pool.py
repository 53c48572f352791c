"""SQLite behind two pools: those that read beside the one that writes, and nobody is told that it is locked."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from infra_pool import ConnectionPool, PoolConfig
from infra_pool.sqlite import SqliteConnection, SqliteFactory

type Pools = tuple[ConnectionPool[SqliteConnection], ConnectionPool[SqliteConnection]]

ACCOUNTS = 5
MONEY = 100


@asynccontextmanager
async def pools_of(path: Path) -> AsyncGenerator[Pools]:
    """Yields the pool of the writer and that of the readers, of a database of accounts."""
    async with (
        ConnectionPool(SqliteFactory(path, busy_timeout=30), PoolConfig(max_size=1)) as writer,
        ConnectionPool(SqliteFactory(path, read_only=True), PoolConfig(max_size=4)) as readers,
    ):
        async with writer.connection() as connection:
            await connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, money INTEGER)")
            for id in range(ACCOUNTS):
                await connection.execute("INSERT INTO accounts VALUES (?, ?)", (id, MONEY))
        yield writer, readers
    for pool in (writer, readers):
        assert pool.stats().total == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bank.db"


async def move(writer: ConnectionPool[SqliteConnection], rng: random.Random) -> None:
    """Moves money, in a transaction of several calls."""
    one, other, sum = rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(MONEY)
    async with writer.connection() as connection:
        assert not connection.in_transaction
        await connection.execute("BEGIN IMMEDIATE")
        await connection.execute("UPDATE accounts SET money = money - ? WHERE id = ?", (sum, one))
        await connection.execute("UPDATE accounts SET money = money + ? WHERE id = ?", (sum, other))
        await connection.execute("COMMIT")


async def total(readers: ConnectionPool[SqliteConnection]) -> int:
    async with readers.connection() as connection:
        [(sum,)] = await connection.execute("SELECT sum(money) FROM accounts")
    return sum


async def test_who_reads_sees_whole_transactions_and_none_is_refused(path: Path) -> None:
    rng = random.Random(7)
    async with pools_of(path) as (writer, readers):

        async def read() -> None:
            for _ in range(40):
                assert await total(readers) == ACCOUNTS * MONEY

        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(read())
            for _ in range(60):
                group.create_task(move(writer, rng))


async def test_whatever_is_cancelled_and_whenever_no_half_of_it_is_seen(path: Path) -> None:
    rng = random.Random(7)
    async with pools_of(path) as (writer, readers):

        async def some_move() -> None:
            task = asyncio.create_task(move(writer, rng))
            await asyncio.sleep(rng.choice((0, 0.0005, 0.001, 0.002, 0.01)))
            if rng.random() < 0.6:
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
            assert await total(readers) == ACCOUNTS * MONEY

        for _ in range(20):
            await asyncio.gather(*(some_move() for _ in range(8)))
        stats = writer.stats()
        assert (stats.total, stats.in_use, stats.waiting) == (1, 0, 0)


async def test_another_process_that_writes_is_waited_for(path: Path) -> None:
    rng = random.Random(7)
    async with pools_of(path) as (writer, readers):
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)) as other:

            def write() -> None:
                for _ in range(30):
                    other.execute("BEGIN IMMEDIATE")
                    other.execute("UPDATE accounts SET money = money + 1 WHERE id = 0")
                    other.execute("UPDATE accounts SET money = money - 1 WHERE id = 0")
                    other.execute("COMMIT")

            writing = asyncio.create_task(asyncio.to_thread(write))
            for _ in range(30):
                await move(writer, rng)
                assert await total(readers) == ACCOUNTS * MONEY
            await writing
