"""From a transaction through outbox, relay and broker to an inbox: what comes more than once takes effect once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiosqlite

from infra_messaging import InMemoryBroker, OutboxRelay
from infra_messaging.sqlite import SqliteInbox, SqliteOutbox
from infra_protocols import BrokerUnavailableError, OutboxMessage, correlation_id, delivery

PATIENCE = 30.0
BOOKS = [f"book {number}" for number in range(12)]


class Forgetful(InMemoryBroker[str]):
    """Takes what is published, and often says that it does not know whether it has; ids it does not remember."""

    def __init__(self) -> None:
        super().__init__()
        self.published = 0

    async def publish(
        self,
        topic: str,
        message: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        self.published += 1
        await super().publish(topic, message, key=key, headers={**(headers or {}), "outbox-id": id or ""})
        if self.published % 3 == 0:
            raise BrokerUnavailableError("no answer")
        return id or ""


async def test_what_comes_more_than_once_takes_effect_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    outbox, inbox = SqliteOutbox(path, str, timeout=PATIENCE), SqliteInbox(path, timeout=PATIENCE)
    await outbox.create_schema()
    await inbox.create_schema()
    async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
        await connection.execute("CREATE TABLE sold (book TEXT, request TEXT)")
        await connection.commit()
    handled: list[str] = []
    failed: set[str] = set()

    async def count(book: str) -> None:
        current: Any = delivery.get()
        handled.append(book)
        async with inbox.once("statistics", current.headers["outbox-id"]) as transaction:
            if transaction is None:
                return
            await transaction.execute("INSERT INTO sold VALUES (?, ?)", (book, correlation_id.get()))
            if book not in failed:
                failed.add(book)
                raise RuntimeError("the first time, each fails")

    async def sell(book: str) -> None:
        correlation_id.set(f"request for {book}")
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            await outbox.bind(connection).create(OutboxMessage("sales.new", book, key="shop", id=book))
            if book == BOOKS[5]:
                await connection.rollback()
            await connection.commit()

    async def sold() -> list[Any]:
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            return list(await connection.execute_fetchall("SELECT book, request FROM sold"))

    wanted = [(book, f"request for {book}") for book in BOOKS if book != BOOKS[5]]
    async with Forgetful() as broker:
        await broker.subscribe("sales.*", count, group="statistics", partitions=1, retry_delay=0.001)
        async with OutboxRelay(outbox, broker, interval=0.05, retry_delay=0.01, retry_delay_max=0.05) as relay:
            for book in BOOKS:
                await asyncio.create_task(sell(book))
                relay.notify()
            async with asyncio.timeout(PATIENCE):
                while await sold() != wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        published = broker.published
    assert await sold() == wanted
    assert published > len(wanted)  # some came more than once
    assert len(handled) > len(wanted) + len(failed)
