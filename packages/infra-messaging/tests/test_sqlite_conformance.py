"""The outbox and the inbox in SQLite keep every promise of their ports."""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import override

import aiosqlite
import hypothesis
from hypothesis import strategies as st

from infra_conformance import CheckedInbox, CheckedOutbox, InboxSuite, OutboxSuite, RepositorySuite
from infra_messaging.sqlite import SqliteInbox, SqliteOutbox
from infra_protocols import Clock, OutboxMessage

PATIENCE = 30.0
"""More seconds than a busy machine may keep a transaction from ending."""
FEW = hypothesis.settings(max_examples=25)


@asynccontextmanager
async def folder() -> AsyncGenerator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name) / "shop.db"


@asynccontextmanager
async def connections(path: Path) -> AsyncGenerator["asyncio.Queue[aiosqlite.Connection]"]:
    """Open a few: aiosqlite loses a connection when it is cancelled while it opens one."""
    free: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        for _ in range(4):
            free.put_nowait(await stack.enter_async_context(aiosqlite.connect(path, timeout=PATIENCE)))
        yield free


class SqliteOutboxDesk(CheckedOutbox[aiosqlite.Connection]):
    def __init__(self, path: Path, free: "asyncio.Queue[aiosqlite.Connection]") -> None:
        self.path = path
        self.free = free
        self.outbox = self.another()

    @override
    def another(self) -> SqliteOutbox[str]:
        return SqliteOutbox(self.path, str, timeout=PATIENCE)

    @override
    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[aiosqlite.Connection]:
        connection = await self.free.get()
        try:
            yield connection
        finally:
            self.free.put_nowait(connection)
            await connection.rollback()

    @override
    async def commit(self, connection: aiosqlite.Connection) -> None:
        await connection.commit()

    @override
    async def rollback(self, connection: aiosqlite.Connection) -> None:
        await connection.rollback()


class TestSqliteOutbox(OutboxSuite[aiosqlite.Connection]):
    real_time = True
    tick = 0.1
    engine_error = sqlite3.OperationalError
    concurrent_writers = False

    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SqliteOutboxDesk]:
        async with folder() as path:
            await SqliteOutbox(path, str).create_schema()
            async with connections(path) as free:
                yield SqliteOutboxDesk(path, free)


class SqliteInboxDesk(CheckedInbox[aiosqlite.Connection]):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.inbox = self.another()

    @override
    def another(self) -> SqliteInbox:
        return SqliteInbox(self.path, timeout=PATIENCE)

    @override
    async def act(self, connection: aiosqlite.Connection, effect: str) -> None:
        await connection.execute_fetchall("INSERT INTO effects VALUES (?)", (effect,))

    @override
    async def effects(self) -> list[str]:
        async with aiosqlite.connect(self.path) as connection:
            return [effect for (effect,) in await connection.execute_fetchall("SELECT * FROM effects")]


class TestSqliteInbox(InboxSuite[aiosqlite.Connection]):
    real_time = True
    tick = 0.1
    engine_error = sqlite3.OperationalError

    def settings(self) -> hypothesis.settings:
        return FEW

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[SqliteInboxDesk]:
        async with folder() as path:
            desk = SqliteInboxDesk(path)
            await SqliteInbox(path).create_schema()
            async with aiosqlite.connect(path) as connection:
                await connection.execute("CREATE TABLE effects (effect TEXT)")
                await connection.commit()
            yield desk


class Messages:
    """The outbox as a repository: each call on a connection of its own, in a transaction of its own."""

    def __init__(self, desk: SqliteOutboxDesk) -> None:
        self.desk = desk

    async def get(self, id: str) -> OutboxMessage[str] | None:
        async with self.desk.connect() as connection:
            return await self.desk.outbox.bind(connection).get(id)

    async def get_all(self) -> list[OutboxMessage[str]]:
        async with self.desk.connect() as connection:
            return await self.desk.outbox.bind(connection).get_all()

    async def create(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        async with self.desk.connect() as connection:
            kept = await self.desk.outbox.bind(connection).create(entity)
            await connection.commit()
            return kept

    async def update(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        async with self.desk.connect() as connection:
            kept = await self.desk.outbox.bind(connection).update(entity)
            await connection.commit()
            return kept

    async def delete(self, id: str) -> bool:
        async with self.desk.connect() as connection:
            was_there = await self.desk.outbox.bind(connection).delete(id)
            await connection.commit()
            return was_there

    async def exists(self, id: str) -> bool:
        async with self.desk.connect() as connection:
            return await self.desk.outbox.bind(connection).exists(id)


class TestBoundSqliteOutbox(RepositorySuite[OutboxMessage[str], str]):
    real_time = True
    tick = 0.1

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Messages]:
        async with folder() as path:
            await SqliteOutbox(path, str).create_schema()
            async with connections(path) as free:
                yield Messages(SqliteOutboxDesk(path, free))

    def ids(self) -> st.SearchStrategy[str]:
        return st.sampled_from(["a", "A", "é", "e\u0301", "a:b", "%", "x" * 200])

    def entities(self, id: str) -> st.SearchStrategy[OutboxMessage[str]]:
        keys = st.none() | st.sampled_from(["k", "K", "\u00e9"])
        headers = st.sampled_from([{}, {"tenant": "acme"}, {"tenant": "\u00fcber", "x": ""}])
        topics = st.sampled_from(["orders", "orders.new"])
        return st.builds(OutboxMessage[str], topics, st.text(max_size=5), keys, headers, st.just(id))
