"""What is particular to the outbox in PostgreSQL: several relays at work, locks, the schema, and odd connections."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from infra_conformance import RecordingBroker
from infra_messaging.postgres import PostgresInbox, PostgresOutbox
from infra_messaging.postgres._sql import OutboxStatements
from infra_protocols import (
    BrokerRefusedError,
    EntityExistsError,
    EntityNotFoundError,
    OutboxMessage,
    OutboxRefusedError,
    OutboxUnavailableError,
    PoolExhaustedError,
    ValidationError,
)

type Pool = AsyncConnectionPool[AsyncConnection[Any]]

PATIENCE = 30.0


class Shop:
    """A pool, and a table of its own."""

    def __init__(self, pool: Pool, table: str) -> None:
        self.pool = pool
        self.table = table
        self.outbox = self.another()

    def another(self, timeout: float = PATIENCE) -> PostgresOutbox[str]:
        return PostgresOutbox(self.pool, str, table=self.table, timeout=timeout)

    async def write(self, *messages: OutboxMessage[str]) -> None:
        async with self.pool.connection() as connection:
            for message in messages:
                await self.outbox.bind(connection).create(message)

    async def call(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(sql.format(t=self.table).encode())
            return await cursor.fetchall() if cursor.description else []

    async def waiting(self) -> list[str]:
        return [id for (id,) in await self.call("SELECT id FROM {t} ORDER BY number")]


@asynccontextmanager
async def shop(url: str) -> AsyncGenerator[Shop]:
    table = f"t{uuid4().hex}"
    pool: Pool = AsyncConnectionPool(url, min_size=1, max_size=12, timeout=PATIENCE, open=False)
    async with pool:
        opened = Shop(pool, table)
        await opened.outbox.create_schema()
        yield opened
        await opened.call("DROP TABLE {t}, {t}_schema")


def message(id: str, key: str | None = None, text: str = "book") -> OutboxMessage[str]:
    return OutboxMessage("orders.new", text, key=key, id=id)


async def hung(broker: RecordingBroker) -> None:
    async with asyncio.timeout(PATIENCE):
        while not broker.hanging:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_while_one_relay_hangs_others_publish_other_keys(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.write(message("1a", "a"), message("1b", "b"), message("1"))
        slow, quick = RecordingBroker(), RecordingBroker()
        slow.hang()
        relaying = asyncio.ensure_future(db.another().relay(slow))
        await hung(slow)
        await db.write(message("2a", "a"), message("2c", "c"), message("2"))
        assert await db.another().relay(quick) == 2
        assert {each.id for each in quick.accepted} == {"2c", "2"}
        slow.mend()
        assert await relaying == 4  # with what had come by then
        assert [each.id for each in slow.accepted if each.key == "a"] == ["1a", "2a"]
        assert await db.waiting() == []


async def test_a_key_that_is_never_idle_is_published(postgres_url: str) -> None:
    """There is always a transaction that has written to the key and is not over: what was before it goes out."""
    async with shop(postgres_url) as db:
        broker = RecordingBroker()
        written: list[str] = []
        async with db.pool.connection() as one, db.pool.connection() as two:
            turns = [one, two]
            for number in range(12):
                connection = turns[number % 2]
                await db.outbox.bind(connection).create(message(f"{number}", "a"))
                written.append(f"{number}")
                if number:
                    await turns[(number + 1) % 2].commit()
                    await db.outbox.relay(broker)
                    assert [each.id for each in broker.accepted] == written[:-1]
        await db.outbox.relay(broker)
        assert [each.id for each in broker.accepted] == written


async def test_a_transaction_of_very_many_keys_takes_few_locks(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        broker = RecordingBroker()
        async with db.pool.connection() as connection:
            bound = db.outbox.bind(connection)
            for number in range(2000):
                await bound.create(message(f"{number}", f"key {number}"))
            pid = connection.info.backend_pid
            [(locks,)] = await db.call(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = {pid}")
            assert 200 <= locks <= 256
            assert await db.outbox.relay(broker) == 0
        assert await db.outbox.relay(broker, limit=2000) == 2000
        assert await db.call("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid = " + str(pid)) == []


async def test_a_claim_reads_little_of_what_waits(postgres_url: str) -> None:
    """Also where PostgreSQL thinks that the table is empty, as it is most of the time."""
    async with shop(postgres_url) as db:
        await db.write(*(message(f"{number}", f"key {number % 700}") for number in range(50)))
        await db.outbox.relay(RecordingBroker())
        await db.call("ANALYZE {t}")
        await db.call(
            "INSERT INTO {t} (slot, id, topic, key, headers, carried, message)"
            " SELECT n % 256, n::text, 't', n::text, '', '', '' FROM generate_series(1, 20000) n"
        )
        sql = OutboxStatements(db.table)
        values: dict[str, Any] = {"newest": 10**9, "slots": [], "bounds": [], "most": 100, "keys": [], "numbers": []}
        async with db.pool.connection() as connection:
            await connection.execute(sql.bounds)
            plan = await (await connection.execute(b"EXPLAIN (ANALYZE, TIMING OFF) " + sql.claim, values)).fetchall()
        scans = [line for (line,) in plan if f" on {db.table}" in line]
        counts = [re.findall(r"actual rows=(\d+) loops=(\d+)", line)[0] for line in scans]
        assert len(counts) == 6
        assert max(int(rows) * int(loops) for rows, loops in counts) < 1000


async def test_what_is_moved_to_another_key_is_before_what_is_written_to_it_later(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.write(message("1", "x"), message("2", "z"))
        broker = RecordingBroker()
        async with db.pool.connection() as connection:
            await db.outbox.bind(connection).update(message("1", "y"))
            await db.outbox.bind(connection).update(message("2", "z", "other"))
            await db.write(message("3", "y"))
            mine = f"locktype = 'advisory' AND pid = {connection.info.backend_pid}"
            [(marks,)] = await db.call(f"SELECT count(*) FROM pg_locks WHERE {mine}")
            assert marks == 1  # only where a key is new to a row
            assert await db.outbox.relay(broker) == 0
        assert await db.outbox.relay(broker) == 3
        assert [each.id for each in broker.accepted if each.key == "y"] == ["1", "3"]


async def test_a_mark_goes_with_its_savepoint(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        broker = RecordingBroker()
        async with db.pool.connection() as connection:
            bound = db.outbox.bind(connection)
            async with connection.transaction(force_rollback=True):
                await bound.create(message("1", "a"))
            await db.write(message("2", "a"))
            assert await db.outbox.relay(broker) == 1
            await bound.create(message("3", "a"))
            await db.write(message("4", "a"))
            assert await db.outbox.relay(broker) == 0
        assert await db.outbox.relay(broker) == 2
        assert [each.id for each in broker.accepted] == ["2", "3", "4"]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_relays_do_not_depend_on_how_transactions_are_isolated(postgres_url: str, level: str) -> None:
    async with shop(postgres_url) as db:
        broker = RecordingBroker()
        pool: Pool = AsyncConnectionPool(
            postgres_url,
            min_size=1,
            max_size=4,
            open=False,
            kwargs={"options": f"-c default_transaction_isolation={level.replace(' ', '\\ ')}"},
        )
        async with pool:
            outbox = PostgresOutbox(pool, str, table=db.table, timeout=PATIENCE)
            async with pool.connection() as one:
                await outbox.bind(one).create(message("1", "a"))
                await db.write(message("2", "a"))
                assert await outbox.relay(broker) == 0
            assert await outbox.relay(broker) == 2
            assert [each.id for each in broker.accepted] == ["1", "2"]


async def test_who_changes_what_is_being_published_comes_too_late(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.write(message("1", "a"), message("2", "a"))
        broker = RecordingBroker()
        broker.hang()
        relaying = asyncio.ensure_future(db.another().relay(broker))
        await hung(broker)
        async with db.pool.connection() as one, db.pool.connection() as two:
            updating = asyncio.ensure_future(db.outbox.bind(one).update(message("1", "a", "other")))
            deleting = asyncio.ensure_future(db.outbox.bind(two).delete("2"))
            await asyncio.sleep(0.2)
            assert not updating.done()
            assert not deleting.done()
            broker.mend()
            assert await relaying == 2
            with pytest.raises(EntityNotFoundError):
                await updating
            assert await deleting is False
        assert [each.message for each in broker.accepted] == ["book", "book"]


async def test_a_relay_outlives_what_bounds_idle_transactions(postgres_url: str) -> None:
    class Slow(RecordingBroker):
        async def publish(self, *arguments: Any, **options: Any) -> str:
            await asyncio.sleep(0.5)
            return await super().publish(*arguments, **options)

    async with shop(postgres_url) as db:
        await db.write(message("1", "a"), message("2", "a"))
        options = {"options": "-c idle_in_transaction_session_timeout=100ms"}
        pool: Pool = AsyncConnectionPool(postgres_url, min_size=1, open=False, kwargs=options)
        async with pool:
            assert await PostgresOutbox(pool, str, table=db.table, timeout=PATIENCE).relay(Slow()) == 2
        assert await db.waiting() == []


async def test_in_a_pipeline_answers_are_true(postgres_url: str) -> None:
    async with shop(postgres_url) as db, db.pool.connection() as connection, connection.pipeline():
        bound = db.outbox.bind(connection)
        assert await bound.create(message("1", "a")) == message("1", "a")
        with pytest.raises(EntityExistsError):
            await bound.create(message("1", "a"))
        assert await bound.get("1") == message("1", "a")
        assert await bound.get_all() == [message("1", "a")]
        assert await bound.update(message("1", "a", "other")) == message("1", "a", "other")
        with pytest.raises(EntityNotFoundError):
            await bound.update(message("2"))
        assert await bound.exists("1")
        assert await bound.delete("1")
        assert not await bound.delete("1")
        assert not await bound.exists("1")


async def test_what_meets_another_transaction_badly_is_refused(postgres_url: str) -> None:
    """PostgreSQL has answered: the whole transaction is to be tried again."""
    async with shop(postgres_url) as db:
        await db.write(message("1"), message("2"))
        async with db.pool.connection() as one, db.pool.connection() as two, db.pool.connection() as three:
            first, second, third = (db.outbox.bind(each) for each in (one, two, three))
            await three.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await third.get_all()
            await first.update(message("1"))
            await second.update(message("2"))
            crossing = (first.update(message("2")), second.update(message("1")))
            met = [
                each for each in await asyncio.gather(*crossing, return_exceptions=True) if isinstance(each, Exception)
            ]
            assert [type(each) for each in met] == [OutboxRefusedError]
            await one.rollback()
            await two.rollback()
            await first.update(message("1"))
            await two.execute(b"SET LOCAL statement_timeout = '50ms'")
            with pytest.raises(OutboxRefusedError, match="statement timeout"):
                await second.update(message("1"))
            await two.rollback()
            await one.commit()
            with pytest.raises(OutboxRefusedError, match="could not serialize"):
                await third.update(message("1"))
            await three.rollback()


async def test_what_somebody_is_changing_waits_and_those_behind_it(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.write(message("1", "a"), message("2", "a"), message("3", "b"))
        broker = RecordingBroker()
        async with db.pool.connection() as connection:
            await db.outbox.bind(connection).update(message("1", "a", "other"))
            assert await db.outbox.relay(broker) == 1
        assert await db.outbox.relay(broker) == 2
        assert [(each.id, each.message) for each in broker.accepted] == [("3", "book"), ("1", "other"), ("2", "book")]


async def test_many_writers_and_many_relays(postgres_url: str) -> None:
    """Each row is published once, and those of a key in the order in which the database numbered them."""
    async with shop(postgres_url) as db:
        broker = RecordingBroker()
        committed: dict[str, str] = {}
        keys = ["a", "b", "c"]

        async def write(writer: int) -> None:
            for at in range(15):
                async with db.pool.connection() as connection, connection.transaction() as transaction:
                    some = [f"{writer}-{at}-{part}" for part in range(random.randint(1, 3))]
                    chosen = {id: random.choice(keys) for id in some}
                    for id, key in chosen.items():
                        await db.outbox.bind(connection).create(message(id, key))
                        await asyncio.sleep(random.choice([0, 0.001, 0.005]))
                    numbers = await (await connection.execute(f"SELECT id, number FROM {db.table}".encode())).fetchall()
                    if random.random() < 0.2:
                        transaction.force_rollback = True
                        continue
                    placed.update({id: number for id, number in numbers if id in chosen})
                    committed.update(chosen)

        placed: dict[str, int] = {}
        writing = True

        async def relay(limit: int) -> None:
            outbox = db.another()
            while writing or await db.waiting():
                await outbox.relay(broker, limit=limit)
                await asyncio.sleep(0)

        relays = [asyncio.ensure_future(relay(limit)) for limit in (1, 7, 100)]
        await asyncio.gather(*(write(number) for number in range(5)))
        writing = False
        await asyncio.gather(*relays)
        assert sorted(str(each.id) for each in broker.accepted) == sorted(committed)
        for key in keys:
            got = [str(each.id) for each in broker.accepted if each.key == key]
            assert got == sorted(got, key=placed.__getitem__)


async def test_connections_with_other_rows_will_do(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        factory: Any = dict_row
        async with await AsyncConnection.connect(postgres_url, row_factory=factory, autocommit=True) as connection:
            bound = db.outbox.bind(connection)
            await bound.create(message("1", "a"))
            assert await bound.get("1") == message("1", "a")
            assert await bound.get_all() == [message("1", "a")]
            assert await bound.exists("1")
        broker = RecordingBroker()
        pool: Pool = AsyncConnectionPool(
            postgres_url, min_size=1, open=False, kwargs={"row_factory": dict_row, "autocommit": True}
        )
        async with pool:
            assert await PostgresOutbox(pool, str, table=db.table).relay(broker) == 1


async def test_a_message_that_cannot_be_read_holds_up_its_key_only(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.write(message("1", "a"), message("2", "a"), message("3", "b"))
        await db.call("UPDATE {t} SET message = 'nonsense' WHERE id = '1'")
        broker = RecordingBroker()
        with pytest.raises(OutboxRefusedError, match="Decode"):
            await db.outbox.relay(broker)
        assert await db.waiting() == ["1", "2"]
        async with db.pool.connection() as connection:
            bound = db.outbox.bind(connection)
            with pytest.raises(OutboxRefusedError):
                await bound.get_all()
            assert await bound.delete("1")
        assert await db.outbox.relay(broker) == 1
        assert {each.id for each in broker.accepted} == {"2", "3"}


async def test_what_a_broker_takes_for_a_fault_of_the_message_is_a_refusal(postgres_url: str) -> None:
    class Picky(RecordingBroker):
        async def publish(self, topic: str, message: Any, **options: Any) -> str:
            if message == "bad":
                raise ValidationError("no", field="message", kind="str")
            return await super().publish(topic, message, **options)

    async with shop(postgres_url) as db:
        await db.write(message("1", "a", "bad"), message("2", "b"))
        with pytest.raises(BrokerRefusedError, match="ValidationError: no") as refusal:
            await db.outbox.relay(Picky())
        assert isinstance(refusal.value.__cause__, ValidationError)
        assert await db.waiting() == ["1"]


async def test_what_no_broker_would_take_is_not_written(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        with pytest.raises(ValidationError):
            await db.write(OutboxMessage[Any]("t", 7))
        assert await db.waiting() == []


async def test_the_schema_can_be_shown_and_is_made_once(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await asyncio.gather(*(db.another().create_schema() for _ in range(4)))
        await db.call("DROP TABLE {t}, {t}_schema")
        for statement in filter(str.strip, db.outbox.schema.split(";")):
            await db.call(statement.replace("{", "{{"))
        await db.outbox.create_schema()
        await db.write(message("1"))
        assert await db.waiting() == ["1"]
        await db.call("INSERT INTO {t}_schema VALUES (99)")
        with pytest.raises(OutboxRefusedError, match="version 99"):
            await db.outbox.create_schema()


async def test_where_all_is_there_no_right_to_create_is_needed(postgres_url: str) -> None:
    async with shop(postgres_url) as db:
        await db.call("CREATE SCHEMA {t}_rights")
        await db.call("GRANT USAGE ON SCHEMA {t}_rights TO pg_monitor")
        try:
            kwargs = {"options": f"-c search_path={db.table}_rights"}
            pool: Pool = AsyncConnectionPool(postgres_url, min_size=1, open=False, kwargs=kwargs)
            async with pool:
                outbox, inbox = PostgresOutbox(pool, str, timeout=PATIENCE), PostgresInbox(pool, timeout=PATIENCE)
                await outbox.create_schema()
                await inbox.create_schema()
                await db.call("GRANT SELECT ON {t}_rights.outbox_schema, {t}_rights.inbox_schema TO pg_monitor")
                async with pool.connection() as connection:
                    await connection.execute(b"SET SESSION ROLE pg_monitor")
                await outbox.create_schema()
                await inbox.create_schema()
        finally:
            await db.call("DROP SCHEMA {t}_rights CASCADE")


@pytest.mark.parametrize("table", ["order", "user", "table"])
async def test_a_table_may_be_named_as_sql_has_it(postgres_url: str, table: str) -> None:
    async with shop(postgres_url) as db:
        await db.call("CREATE SCHEMA {t}_names")
        try:
            kwargs = {"options": f"-c search_path={db.table}_names"}
            pool: Pool = AsyncConnectionPool(postgres_url, min_size=1, open=False, kwargs=kwargs)
            async with pool:
                outbox = PostgresOutbox(pool, str, table=table, timeout=PATIENCE)
                await outbox.create_schema()
                async with pool.connection() as connection:
                    bound = outbox.bind(connection)
                    await bound.create(message("1", "a"))
                    await bound.update(message("1", "b"))
                    assert [each.id for each in await bound.get_all()] == ["1"]
                assert await outbox.relay(RecordingBroker()) == 1
                await pool.check()
                async with pool.connection() as connection:
                    await connection.execute(f'DROP TABLE "{table}", {table}_schema'.encode())
                inbox = PostgresInbox(pool, table=table, timeout=PATIENCE)
                await inbox.create_schema()
                async with inbox.once("shop", "1") as connection:
                    assert connection is not None
                assert await inbox.forget(0) == 1
        finally:
            await db.call("DROP SCHEMA {t}_names CASCADE")


async def test_without_tables_it_is_refused(postgres_url: str) -> None:
    pool: Pool = AsyncConnectionPool(postgres_url, min_size=1, open=False)
    async with pool:
        outbox = PostgresOutbox(pool, str, table="no_such_table")
        with pytest.raises(OutboxRefusedError, match="no_such_table"):
            await outbox.relay(RecordingBroker())
        async with pool.connection() as connection:
            with pytest.raises(OutboxRefusedError):
                await outbox.bind(connection).create(message("1"))
            with pytest.raises(OutboxRefusedError, match="aborted"):
                await outbox.bind(connection).get("1")


async def test_without_a_connection_to_be_had_it_is_unavailable(postgres_url: str) -> None:
    pool: Pool = AsyncConnectionPool(postgres_url, min_size=1, max_size=1, open=False)
    async with pool, pool.connection():
        with pytest.raises(OutboxUnavailableError):
            await PostgresOutbox(pool, str, timeout=0.1).relay(RecordingBroker())


async def test_a_pool_that_has_none_to_lend_is_away() -> None:
    class Pool:
        def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
            raise PoolExhaustedError("too many wait")

    with pytest.raises(OutboxUnavailableError, match="too many wait"):
        await PostgresOutbox(Pool(), str).relay(RecordingBroker())


@pytest.mark.parametrize("options", [{"table": "A"}, {"table": "a.b"}, {"table": "x" * 41}, {"timeout": 0}])
def test_what_makes_no_outbox_is_refused(options: dict[str, Any]) -> None:
    pool: Pool = AsyncConnectionPool("postgresql://127.0.0.1:1/x", open=False)
    with pytest.raises(ValidationError):
        PostgresOutbox(pool, str, **options)
