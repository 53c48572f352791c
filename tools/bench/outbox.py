"""
The outbox and the inbox against the bare statements that they are made of.

PostgreSQL needs a server, `INFRA_POSTGRES_URL`. All is by the clock on the wall, the databases included.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiosqlite
from psycopg_pool import AsyncConnectionPool

from infra_messaging.postgres import PostgresInbox, PostgresOutbox
from infra_messaging.sqlite import SqliteInbox, SqliteOutbox
from infra_protocols import OutboxMessage
from tools.bench.harness import Row, Table

URL = os.environ.get("INFRA_POSTGRES_URL", "postgresql://127.0.0.1/test")
MESSAGES = 500
LIMIT = 100
ROUNDS = 11
BARE = "CREATE TABLE {t} (number {serial}, id text NOT NULL UNIQUE, topic text, key text, headers text, message text)"

type Work = Callable[[], Awaitable[object]]
type Contenders = Mapping[str, tuple[Work, Work, float | None]]
"""By name: what is done before, outside of the time; what is measured; and the ratio that is promised, if any."""


def tables() -> list[Table]:
    """Measure writing, relaying and acting once, on both databases."""
    return asyncio.run(_tables())


async def _tables() -> list[Table]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sqlite, postgres = await Sqlite.open(stack, Path(folder) / "shop.db"), await Postgres.open(stack)
        found: list[Table] = []
        for name, of in (("PostgreSQL", postgres), ("SQLite", sqlite)):
            found += [await _writing(name, of), await _relaying(name, of), await _acting(name, of)]
        return found


class Nobody:
    """A broker that takes all there is."""

    async def publish(self, topic: str, message: Any, **options: Any) -> str:
        return ""


NOBODY: Any = Nobody()


def _messages() -> list[OutboxMessage[str]]:
    return [OutboxMessage("orders.new", "book", key=f"customer {number % 50}") for number in range(MESSAGES)]


class Postgres:
    """What is measured on PostgreSQL."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.pool = pool
        self.table = f"bench_{uuid4().hex[:12]}"
        self.outbox = PostgresOutbox(pool, str, table=self.table)
        self.inbox = PostgresInbox(pool, table=f"{self.table}_inbox")
        self.bare = f"{self.table}_bare"

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Postgres":
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(URL, min_size=2, open=False)
        self = cls(await stack.enter_async_context(pool))
        await self.outbox.create_schema()
        await self.inbox.create_schema()
        await self.call(BARE.format(t=self.bare, serial="bigserial PRIMARY KEY"))
        tables = (self.table, f"{self.table}_inbox", self.bare)
        names = ", ".join([*tables, f"{self.table}_schema", f"{self.table}_inbox_schema"])
        stack.push_async_callback(self.call, f"DROP TABLE {names}")
        return self

    async def call(self, sql: str) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(sql.encode())

    async def write(self) -> None:
        async with self.pool.connection() as connection:
            bound = self.outbox.bind(connection)
            for message in _messages():
                await bound.create(message)

    async def write_bare(self) -> None:
        sql = f"INSERT INTO {self.bare} (id, topic, key, headers, message) VALUES (%s, %s, %s, '{{}}', %s)".encode()
        async with self.pool.connection() as connection:
            for message in _messages():
                await connection.execute(sql, (message.id, message.topic, message.key, message.message))

    async def relay(self) -> None:
        while await self.outbox.relay(NOBODY, limit=LIMIT):
            pass

    async def relay_bare(self) -> None:
        select = f"SELECT * FROM {self.bare} ORDER BY number LIMIT {LIMIT} FOR UPDATE SKIP LOCKED".encode()
        delete = f"DELETE FROM {self.bare} WHERE number = ANY (%s)".encode()
        while True:
            async with self.pool.connection() as connection:
                rows = await (await connection.execute(select)).fetchall()
                if not rows:
                    return
                for row in rows:
                    await NOBODY.publish(row[2], row[5], key=row[3], id=row[1])
                await connection.execute(delete, ([row[0] for row in rows],))

    async def act(self) -> None:
        for number in range(MESSAGES):
            async with self.inbox.once("bench", f"{self.run} {number}") as connection:
                assert connection is not None

    async def act_bare(self) -> None:
        sql = f"INSERT INTO {self.table}_inbox VALUES ('bench', %s)".encode()
        for number in range(MESSAGES):
            async with self.pool.connection() as connection:
                await connection.execute(sql, (f"{self.run} {number}",))

    async def clear(self) -> None:
        self.run = uuid4().hex
        await self.call(f"TRUNCATE {self.table}, {self.bare}, {self.table}_inbox")


class Sqlite:
    """What is measured on SQLite."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self.connection = connection
        self.outbox = SqliteOutbox(path, str)
        self.inbox = SqliteInbox(path)

    @classmethod
    async def open(cls, stack: AsyncExitStack, path: Path) -> "Sqlite":
        self = cls(path, await stack.enter_async_context(aiosqlite.connect(path, timeout=30)))
        await self.outbox.create_schema()
        await self.inbox.create_schema()
        await self.connection.execute(BARE.format(t="bare", serial="INTEGER PRIMARY KEY AUTOINCREMENT"))
        return self

    async def write(self) -> None:
        bound = self.outbox.bind(self.connection)
        for message in _messages():
            await bound.create(message)
        await self.connection.commit()

    async def write_bare(self) -> None:
        sql = "INSERT INTO bare (id, topic, key, headers, message) VALUES (?, ?, ?, '{}', ?)"
        for message in _messages():
            await self.connection.execute_fetchall(sql, (message.id, message.topic, message.key, message.message))
        await self.connection.commit()

    async def relay(self) -> None:
        while await self.outbox.relay(NOBODY, limit=LIMIT):
            pass

    async def relay_bare(self) -> None:
        while rows := list(await self.connection.execute_fetchall(f"SELECT * FROM bare ORDER BY number LIMIT {LIMIT}")):
            for row in rows:
                await NOBODY.publish(row[2], row[5], key=row[3], id=row[1])
            await self.connection.executemany("DELETE FROM bare WHERE number = ?", [(row[0],) for row in rows])
            await self.connection.commit()

    async def act(self) -> None:
        for number in range(MESSAGES):
            async with self.inbox.once("bench", f"{self.run} {number}") as connection:
                assert connection is not None

    async def act_bare(self) -> None:
        for number in range(MESSAGES):
            await self.connection.execute("INSERT INTO inbox VALUES ('bench', ?, 0)", (f"{self.run} {number}",))
            await self.connection.commit()

    async def clear(self) -> None:
        self.run = uuid4().hex
        for table in ("outbox", "bare", "inbox"):
            await self.connection.execute(f"DELETE FROM {table}")
        await self.connection.commit()


async def _writing(name: str, of: Postgres | Sqlite) -> Table:
    return await _compare(
        f"{name}: writing {MESSAGES} messages in a transaction",
        "as many `INSERT`s into a table with the same columns",
        {
            "INSERT": (of.clear, of.write_bare, None),
            f"{type(of.outbox).__name__}.bind(...).create": (of.clear, of.write, None),
        },
    )


async def _relaying(name: str, of: Postgres | Sqlite) -> Table:
    async def fill() -> None:
        await of.clear()
        await of.write()

    async def fill_bare() -> None:
        await of.clear()
        await of.write_bare()

    return await _compare(
        f"{name}: relaying {MESSAGES} messages, {LIMIT} at a time, to a broker that does nothing",
        "`SELECT`, `DELETE` and commit, for one relay, without decoding, order after a failure, or a word on who waits",
        {
            "SELECT and DELETE": (fill_bare, of.relay_bare, None),
            f"{type(of.outbox).__name__}.relay": (fill, of.relay, None),
        },
    )


async def _acting(name: str, of: Postgres | Sqlite) -> Table:
    return await _compare(
        f"{name}: {MESSAGES} acts, each a transaction",
        "an `INSERT` into the same table and a commit, on a connection that is there",
        {
            "INSERT": (of.clear, of.act_bare, None),
            f"{type(of.inbox).__name__}.once": (of.clear, of.act, None),
        },
    )


async def _compare(title: str, floor: str, contenders: Contenders) -> Table:
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for warm in [True, *[False] * ROUNDS]:
        for name in random.sample(list(contenders), len(contenders)):
            before, work, _ = contenders[name]
            await before()
            start = time.perf_counter()
            await work()
            if not warm:
                took[name].append((time.perf_counter() - start) / MESSAGES)
    base = next(iter(took.values()))
    table = Table(title, floor, "µs", note="By the clock on the wall, the database included; per message.")
    for name, times in took.items():
        ratio = statistics.median(one / least for one, least in zip(times, base, strict=True))
        table.rows.append(Row(name, statistics.median(times) * 1e6, ratio, contenders[name][2]))
    return table
