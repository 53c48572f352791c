"""The outbox and the inbox in PostgreSQL keep every promise of their ports."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, override
from uuid import uuid4

import hypothesis
import pytest
from hypothesis import strategies as st
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from infra_conformance import CheckedInbox, CheckedOutbox, InboxSuite, OutboxSuite, RepositorySuite
from infra_messaging.postgres import PostgresInbox, PostgresOutbox
from infra_protocols import Clock, OutboxMessage

type Connection = AsyncConnection[Any]

PATIENCE = 30.0
"""More seconds than a busy machine may keep PostgreSQL from answering."""


@asynccontextmanager
async def pooled(url: str, *tables: str) -> AsyncGenerator[AsyncConnectionPool[Connection]]:
    """Open a pool, and drop the tables at the end."""
    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        url, min_size=2, max_size=8, timeout=PATIENCE, open=False
    )
    async with pool:
        yield pool
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"DROP TABLE IF EXISTS {', '.join(tables)}".encode())


class PostgresOutboxDesk(CheckedOutbox[Connection]):
    def __init__(self, pool: AsyncConnectionPool[Connection], table: str) -> None:
        self.pool = pool
        self.table = table
        self.outbox = self.another()

    @override
    def another(self) -> PostgresOutbox[str]:
        return PostgresOutbox(self.pool, str, table=self.table, timeout=PATIENCE)

    @override
    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        async with self.pool.connection() as connection:
            try:
                yield connection
            finally:
                await connection.rollback()

    @override
    async def commit(self, connection: Connection) -> None:
        await connection.commit()

    @override
    async def rollback(self, connection: Connection) -> None:
        await connection.rollback()


@asynccontextmanager
async def outbox_desk(url: str) -> AsyncGenerator[PostgresOutboxDesk]:
    table = f"t{uuid4().hex}"
    async with pooled(url, table, f"{table}_schema") as pool:
        await PostgresOutbox(pool, str, table=table, timeout=PATIENCE).create_schema()
        yield PostgresOutboxDesk(pool, table)


class TestPostgresOutbox(OutboxSuite[Connection]):
    real_time = True
    tick = 0.1
    engine_error = OperationalError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_url: str) -> None:
        type(self).url = postgres_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=15)

    def make(self, clock: Clock) -> AbstractAsyncContextManager[PostgresOutboxDesk]:
        return outbox_desk(self.url)


class PostgresInboxDesk(CheckedInbox[Connection]):
    def __init__(self, pool: AsyncConnectionPool[Connection], table: str) -> None:
        self.pool = pool
        self.table = table
        self.inbox = self.another()

    @override
    def another(self) -> PostgresInbox:
        return PostgresInbox(self.pool, table=self.table, timeout=PATIENCE)

    @override
    async def act(self, connection: Connection, effect: str) -> None:
        await connection.execute(f"INSERT INTO {self.table}_effects VALUES (%s)".encode(), (effect,))

    @override
    async def effects(self) -> list[str]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(f"SELECT * FROM {self.table}_effects".encode())
            return [effect for (effect,) in await cursor.fetchall()]


class TestPostgresInbox(InboxSuite[Connection]):
    real_time = True
    tick = 0.1
    engine_error = OperationalError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_url: str) -> None:
        type(self).url = postgres_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=15)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PostgresInboxDesk]:
        table = f"t{uuid4().hex}"
        async with pooled(self.url, table, f"{table}_schema", f"{table}_effects") as pool:
            await PostgresInbox(pool, table=table, timeout=PATIENCE).create_schema()
            async with pool.connection() as connection:
                await connection.execute(f"CREATE TABLE {table}_effects (effect text)".encode())
            yield PostgresInboxDesk(pool, table)


class Messages:
    """The outbox as a repository: each call in a transaction of its own."""

    def __init__(self, desk: PostgresOutboxDesk) -> None:
        self.desk = desk

    async def get(self, id: str) -> OutboxMessage[str] | None:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).get(id)

    async def get_all(self) -> list[OutboxMessage[str]]:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).get_all()

    async def create(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).create(entity)

    async def update(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).update(entity)

    async def delete(self, id: str) -> bool:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).delete(id)

    async def exists(self, id: str) -> bool:
        async with self.desk.pool.connection() as connection:
            return await self.desk.outbox.bind(connection).exists(id)


class TestBoundPostgresOutbox(RepositorySuite[OutboxMessage[str], str]):
    real_time = True
    tick = 0.1
    engine_error = OperationalError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_url: str) -> None:
        type(self).url = postgres_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Messages]:
        async with outbox_desk(self.url) as desk:
            yield Messages(desk)

    def ids(self) -> st.SearchStrategy[str]:
        return st.sampled_from(["a", "A", "é", "e\u0301", "a:b", "%", "x" * 200])

    def entities(self, id: str) -> st.SearchStrategy[OutboxMessage[str]]:
        keys = st.none() | st.sampled_from(["k", "K", "\u00e9"])
        headers = st.sampled_from([{}, {"tenant": "acme"}, {"tenant": "\u00fcber", "x": ""}])
        topics = st.sampled_from(["orders", "orders.new"])
        return st.builds(OutboxMessage[str], topics, st.text(max_size=5), keys, headers, st.just(id))
