"""What is particular to the outbox and the inbox in SQLite: one relay, one writer, and files."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from infra_conformance import RecordingBroker
from infra_messaging import InMemoryBroker
from infra_messaging.sqlite import SqliteInbox, SqliteOutbox
from infra_protocols import (
    BrokerRefusedError,
    BrokerUnavailableError,
    EntityNotFoundError,
    OutboxMessage,
    OutboxRefusedError,
    OutboxUnavailableError,
    ValidationError,
    correlation_id,
    delivery,
)

PATIENCE = 30.0

RELAY = """
import asyncio, sys
from infra_conformance import RecordingBroker
from infra_messaging.sqlite import SqliteOutbox

class Broker(RecordingBroker):
    async def publish(self, topic, message, **options):
        accepted = await super().publish(topic, message, **options)
        print(accepted, flush=True)
        if len(self.accepted) >= 3:
            await asyncio.Event().wait()
        return accepted

asyncio.run(SqliteOutbox(sys.argv[1], str).relay(Broker()))
"""


def message(id: str, key: str | None = None, text: str = "book") -> OutboxMessage[str]:
    return OutboxMessage("orders.new", text, key=key, id=id)


async def write(path: Path, *messages: OutboxMessage[str]) -> None:
    async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
        for each in messages:
            await SqliteOutbox(path, str).bind(connection).create(each)
        await connection.commit()


async def waiting(path: Path) -> list[str]:
    async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
        return [each.id for each in await SqliteOutbox(path, str).bind(connection).get_all()]


async def hung(broker: RecordingBroker) -> None:
    async with asyncio.timeout(PATIENCE):
        while not broker.hanging:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def only(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {"only": row}


@asynccontextmanager
async def opened(path: Path, timeout: float = PATIENCE) -> AsyncGenerator[SqliteOutbox[str]]:
    outbox = SqliteOutbox(path, str, timeout=timeout)
    await outbox.create_schema()
    yield outbox


async def test_a_relay_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    ids = [f"{number}{key}" for number in range(5) for key in "ab"]
    async with opened(path) as outbox:
        await write(path, *(message(id, id[-1]) for id in ids))
        command = [sys.executable, "-c", RELAY, os.fspath(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
            assert process.stdout is not None
            accepted = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(3)]
            assert set(accepted) <= {*ids}
            broker = RecordingBroker()
            assert await outbox.relay(broker) == 0  # while it lives, it has all to itself
            async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
                assert not await outbox.bind(connection).delete(ids[-1])
            os.kill(process.pid, signal.SIGKILL)
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            assert await outbox.bind(connection).delete(ids.pop())
            await connection.commit()
        assert await outbox.relay(broker) == len(ids)
        for key in "ab":
            assert [each.id for each in broker.accepted if each.key == key] == [id for id in ids if id[-1] == key]
        assert await waiting(path) == []


async def test_who_changes_what_is_being_published_comes_too_late(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1", "a"), message("2", "a"), message("3", "a"))
        broker = RecordingBroker()
        broker.hang()
        relaying = asyncio.ensure_future(outbox.relay(broker, limit=2))
        await hung(broker)
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            bound = outbox.bind(connection)
            with pytest.raises(EntityNotFoundError):
                await bound.update(message("1", "a", "other"))
            assert not await bound.delete("2")
            await bound.update(message("3", "a", "other"))
            await connection.commit()
        broker.mend()
        assert await relaying == 2
        assert await outbox.relay(broker) == 1
        published = [(each.id, each.message) for each in broker.accepted]
        assert published == [("1", "book"), ("2", "book"), ("3", "other")]
        assert await waiting(path) == []


@pytest.mark.parametrize("isolation", ["DEFERRED", None])
async def test_what_a_relay_had_in_hand_that_has_ended_can_be_changed(tmp_path: Path, isolation: Any) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1", "a"), message("2", "a"))
        broker = RecordingBroker()
        broker.hang(accepts=False)
        relaying = asyncio.ensure_future(outbox.relay(broker))
        await hung(broker)
        relaying.cancel()
        await asyncio.wait([relaying])
        async with aiosqlite.connect(path, timeout=PATIENCE, isolation_level=isolation) as connection:
            assert await outbox.bind(connection).delete("1")
            await outbox.bind(connection).update(message("2", "a", "other"))
            assert not await outbox.bind(connection).delete("3")
            await connection.commit()
        broker.mend()
        assert await outbox.relay(broker) == 1
        assert [(each.id, each.message) for each in broker.accepted] == [("2", "other")]


async def test_what_was_refused_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1", "a"), message("2", "a"), message("3", "b"))
        broker = RecordingBroker()
        broker.refuse("a")
        broker.hang()
        relaying = asyncio.ensure_future(outbox.relay(broker, limit=2))
        await hung(broker)  # in the midst of the third; the first was refused
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            assert await outbox.bind(connection).delete("1")
            await connection.commit()
        broker.mend()
        with pytest.raises(BrokerRefusedError):
            await relaying
        assert await waiting(path) == ["2"]


async def test_what_is_being_changed_is_published_as_it_is_then(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1", "a"), message("2", "a"))
        broker = RecordingBroker()
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            await outbox.bind(connection).update(message("1", "a", "other"))
            relaying = asyncio.ensure_future(outbox.relay(broker))
            await connection.commit()
        assert await relaying == 2
        assert [(each.id, each.message) for each in broker.accepted] == [("1", "other"), ("2", "book")]


async def test_two_outboxes_in_one_file_do_not_know_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        other = SqliteOutbox(path, str, table="others")
        await other.create_schema()
        await write(path, message("1"))
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            await other.bind(connection).create(message("2"))
            await connection.commit()
        slow, quick = RecordingBroker(), RecordingBroker()
        slow.hang()
        relaying = asyncio.ensure_future(outbox.relay(slow))
        await hung(slow)
        assert await other.relay(quick) == 1
        slow.mend()
        assert await relaying == 1


async def test_a_writer_that_takes_too_long_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path, timeout=0.2) as outbox:
        await write(path, message("1"))
        inbox = SqliteInbox(path, timeout=0.2)
        await inbox.create_schema()
        broker = RecordingBroker()
        async with aiosqlite.connect(path, isolation_level=None) as connection:
            await connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(OutboxUnavailableError):
                await outbox.relay(broker)
            with pytest.raises(OutboxUnavailableError):
                await inbox.forget(0)
            with pytest.raises(OutboxUnavailableError):
                async with inbox.once("shop", "1"):
                    pass
        assert await outbox.relay(broker) == 1
        assert [each.id for each in broker.accepted] == ["1"]


async def test_acts_wait_for_each_other_in_order(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "shop.db", timeout=PATIENCE)
    await inbox.create_schema()
    done: list[int] = []

    async def act(number: int) -> None:
        async with inbox.once("shop", f"{number}") as connection:
            assert connection is not None
            await asyncio.sleep(0.001)
        done.append(number)

    await asyncio.gather(*(act(number) for number in range(20)))
    assert done == [*range(20)]


async def test_who_is_cancelled_while_it_waits_goes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    inbox = SqliteInbox(path, timeout=3600)
    await inbox.create_schema()

    async def act() -> None:
        async with inbox.once("shop", "1"):
            pass

    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("BEGIN IMMEDIATE")
        acting = [asyncio.ensure_future(act()) for _ in range(3)]
        await asyncio.sleep(0.2)
        for each in acting:
            each.cancel()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait(acting)
        assert all(each.cancelled() for each in acting)


async def test_a_transaction_that_the_act_has_ended_is_told_of(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "shop.db")
    await inbox.create_schema()

    async def act() -> None:
        async with inbox.once("shop", "1") as connection:
            assert connection is not None
            await connection.rollback()

    with pytest.raises(OutboxRefusedError, match="ended"):
        await act()
    async with inbox.once("shop", "1") as connection:
        assert connection is not None


async def test_what_the_act_raises_comes_as_it_is(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "shop.db")
    await inbox.create_schema()
    for error in (sqlite3.OperationalError("mine"), TimeoutError("mine"), OSError("mine")):
        with pytest.raises(type(error)) as raised:
            async with inbox.once("shop", "1"):
                raise error
        assert raised.value is error


@pytest.mark.parametrize("factory", [sqlite3.Row, only])
async def test_connections_with_other_rows_will_do(tmp_path: Path, factory: Any) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox, aiosqlite.connect(path) as connection:
        connection.row_factory = factory
        bound = outbox.bind(connection)
        await bound.create(message("1", "a"))
        assert await bound.get("1") == message("1", "a")
        assert await bound.get_all() == [message("1", "a")]
        assert await bound.exists("1")
        assert await bound.delete("1")


async def test_a_message_that_cannot_be_read_holds_up_its_key_only(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1", "a"), message("2", "a"), message("3", "b"))
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            await connection.execute("UPDATE outbox SET message = x'00' WHERE id = '1'")
            await connection.commit()
        broker = RecordingBroker()
        with pytest.raises(OutboxRefusedError, match="Decode") as refusal:
            await outbox.relay(broker)
        assert refusal.value.parameters == {"id": "1", "topic": "orders.new", "key": "a"}
        assert "database" not in str(refusal.value)
        assert [each.id for each in broker.accepted] == ["3"]
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            bound = outbox.bind(connection)
            for reading in (bound.get("1"), bound.get_all()):
                with pytest.raises(OutboxRefusedError, match="id='1'"):
                    await reading
            assert await bound.exists("1")
            assert await bound.delete("1")
            await connection.commit()
        assert await outbox.relay(broker) == 1


@pytest.mark.parametrize("column", ["headers", "carried"])
async def test_headers_that_cannot_be_read_are_no_refusal_of_the_broker(tmp_path: Path, column: str) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, message("1"))
        async with aiosqlite.connect(path, timeout=PATIENCE) as connection:
            await connection.execute(f"UPDATE outbox SET {column} = '{{'")
            await connection.commit()
        with pytest.raises(OutboxRefusedError, match="id='1'"):
            await outbox.relay(RecordingBroker())


@pytest.mark.parametrize("count", [1, 2])
async def test_a_broker_that_gives_a_publication_up_does_not_answer(tmp_path: Path, count: int) -> None:
    class Cancelled(RecordingBroker):
        async def publish(self, topic: str, message: Any, **options: Any) -> str:
            raise asyncio.CancelledError

    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await write(path, *(message(f"{number}") for number in range(count)))
        with pytest.raises(BrokerUnavailableError):
            await asyncio.wait_for(outbox.relay(Cancelled()), PATIENCE)
        assert await outbox.relay(RecordingBroker()) == count


async def test_a_message_has_nothing_of_who_relays_it(tmp_path: Path) -> None:
    class Noting(RecordingBroker):
        async def publish(self, topic: str, message: Any, **options: Any) -> str:
            seen.append((correlation_id.get(), delivery.get()))
            return await super().publish(topic, message, **options)

    async def handle(text: str) -> None:
        handled.append(await outbox.relay(Noting()))
        assert delivery.get() is not None
        done.set()

    seen: list[Any] = []
    handled: list[int] = []
    done = asyncio.Event()
    path = tmp_path / "shop.db"
    async with opened(path) as outbox, InMemoryBroker[str]() as broker:
        await write(path, message("1"))
        await broker.subscribe("look", handle)
        await broker.publish("look", "now", headers={"correlation-id": "of the relay"})
        async with asyncio.timeout(PATIENCE):
            await done.wait()
    assert handled == [1]
    assert seen == [(None, None)]


async def test_the_schema_can_be_shown_and_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        await asyncio.gather(*(SqliteOutbox(path, str, timeout=PATIENCE).create_schema() for _ in range(4)))
        async with aiosqlite.connect(tmp_path / "other.db") as connection:
            await connection.executescript(outbox.schema)
            await connection.commit()
        other = SqliteOutbox(tmp_path / "other.db", str)
        await other.create_schema()
        assert await other.relay(RecordingBroker()) == 0
        async with aiosqlite.connect(path) as connection:
            await connection.execute("INSERT INTO outbox_schema VALUES (99)")
            await connection.commit()
        with pytest.raises(OutboxRefusedError, match="version 99"):
            await outbox.create_schema()


async def test_a_table_may_be_named_as_sql_has_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    outbox, inbox = SqliteOutbox(path, str, table="order"), SqliteInbox(path, table="table")
    await outbox.create_schema()
    await inbox.create_schema()
    async with aiosqlite.connect(path) as connection:
        bound = outbox.bind(connection)
        for each in (message("1", "a"), message("2", "a")):
            await bound.create(each)
        await bound.update(message("1", "b"))
        assert await bound.delete("2")
        assert [each.id for each in await bound.get_all()] == ["1"]
        await connection.commit()
    assert await outbox.relay(RecordingBroker()) == 1
    async with inbox.once("shop", "1") as connection:
        assert connection is not None
    assert await inbox.forget(0) == 1


async def test_a_closed_connection_is_away(tmp_path: Path) -> None:
    async with opened(tmp_path / "shop.db") as outbox:
        async with aiosqlite.connect(tmp_path / "shop.db") as connection:
            bound = outbox.bind(connection)
        with pytest.raises(OutboxUnavailableError, match="answer: ValueError: no active connection"):
            await bound.create(message("1"))


def test_one_inbox_serves_one_loop_after_another(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "shop.db", timeout=PATIENCE)

    async def act(id: str) -> bool:
        async with inbox.once("shop", id) as connection:
            await asyncio.sleep(0)
            return connection is not None

    async def main(day: str) -> list[bool]:
        await inbox.create_schema()
        return await asyncio.gather(*(act(f"{day} {number}") for number in range(3)))

    for day in ("monday", "tuesday"):
        assert asyncio.run(main(day)) == [True] * 3


async def test_very_many_are_forgotten_without_holding_up_an_act(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    inbox = SqliteInbox(path, timeout=PATIENCE)
    await inbox.create_schema()
    async with aiosqlite.connect(path) as connection:
        await connection.execute(
            "WITH RECURSIVE n (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < 25000)"
            " INSERT INTO inbox SELECT 'shop', at, at FROM n"
        )
        await connection.commit()
    forgetting = asyncio.ensure_future(inbox.forget(3600))
    await asyncio.sleep(0)
    async with inbox.once("shop", "young") as connection:
        assert connection is not None
        assert not forgetting.done()
    assert await forgetting == 25_000
    async with inbox.once("shop", "young") as connection:
        assert connection is None


async def test_what_waits_in_the_tables_of_an_earlier_release_is_published(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    outbox = SqliteOutbox(path, str)
    first, _, _ = outbox.schema.partition("INSERT INTO outbox_schema VALUES (1);")
    async with aiosqlite.connect(path) as connection:
        await connection.executescript(f"{first} INSERT INTO outbox_schema VALUES (1);")
        await connection.execute(
            "INSERT INTO outbox (id, topic, key, headers, carried, message, version)"
            """ VALUES ('1', 'orders.new', 'a', '{}', '{}', CAST('"book"' AS BLOB), 3)"""
        )
        await connection.commit()
    await outbox.create_schema()
    broker = RecordingBroker()
    assert await outbox.relay(broker) == 1
    assert [each.message for each in broker.accepted] == ["book"]


async def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, " * 100, encoding="utf-8")
    with pytest.raises(OutboxRefusedError):
        await SqliteOutbox(tmp_path / "text", str).create_schema()
    with pytest.raises(OutboxUnavailableError):
        await SqliteOutbox(tmp_path / "no" / "such" / "folder.db", str).create_schema()
    with pytest.raises(OutboxRefusedError, match="no such table"):
        await SqliteOutbox(tmp_path / "empty.db", str).relay(RecordingBroker())


@pytest.mark.parametrize(
    ("database", "options"),
    [
        (":memory:", {}),
        ("", {}),
        ("file:shop.db?mode=memory", {}),
        (7, {}),
        ("shop.db", {"table": "A"}),
        ("shop.db", {"timeout": 0}),
    ],
)
def test_what_makes_no_outbox_is_refused(database: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SqliteOutbox(database, str, **options)
    with pytest.raises(ValidationError):
        SqliteInbox(database, **options)


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    """The files that SQLite keeps while a database is open are gone."""
    path = tmp_path / "shop.db"
    async with opened(path) as outbox:
        inbox = SqliteInbox(path)
        await inbox.create_schema()
        await write(path, message("1"))
        await outbox.relay(RecordingBroker())
        with suppress(ZeroDivisionError):
            async with inbox.once("shop", "1"):
                raise ZeroDivisionError
    assert sorted(os.listdir(tmp_path)) == ["shop.db", "shop.db-outbox-relay"]
