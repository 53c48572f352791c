"""The outbox in PostgreSQL when connections are cut, the server ends, and relays are killed: nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra_conformance import RecordingBroker
from infra_conformance.engines import provided
from infra_conformance.servers import PostgresServer, wait_until
from infra_messaging.postgres import PostgresInbox, PostgresOutbox
from infra_protocols import OutboxMessage, OutboxUnavailableError

type Pool = AsyncConnectionPool[AsyncConnection[Any]]

PATIENCE = 30.0
IDS = [f"{number}{key}" for number in range(5) for key in "ab"]

RELAY = """
import asyncio, sys
from infra_conformance import RecordingBroker
from infra_messaging.postgres import PostgresOutbox
from psycopg_pool import AsyncConnectionPool

class Broker(RecordingBroker):
    async def publish(self, topic, message, **options):
        accepted = await super().publish(topic, message, **options)
        print(accepted, flush=True)
        if len(self.accepted) >= 3:
            await asyncio.Event().wait()
        return accepted

async def main():
    async with AsyncConnectionPool(sys.argv[1], min_size=1, open=False) as pool:
        await PostgresOutbox(pool, str).relay(Broker())

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def shared() -> Generator[PostgresServer]:
    with provided(PostgresServer("max_connections = 30")) as server:
        yield server


@pytest.fixture
def server(shared: PostgresServer) -> Generator[PostgresServer]:
    yield shared
    shared.kill()
    shared.start()


@asynccontextmanager
async def opened(server: PostgresServer, timeout: float = PATIENCE) -> AsyncGenerator[tuple[PostgresOutbox[str], Pool]]:
    """Have ten messages of two keys wait."""
    pool: Pool = AsyncConnectionPool(server.url, min_size=1, max_size=4, timeout=PATIENCE, open=False)
    async with pool:
        outbox = PostgresOutbox(pool, str, timeout=timeout)
        async with pool.connection() as connection:
            await connection.execute(b"DROP TABLE IF EXISTS outbox, outbox_schema, inbox, inbox_schema")
        await outbox.create_schema()
        async with pool.connection() as connection:
            for id in IDS:
                await outbox.bind(connection).create(OutboxMessage("orders.new", f"book {id}", key=id[-1], id=id))
        yield outbox, pool


async def published(outbox: PostgresOutbox[str], broker: RecordingBroker) -> list[tuple[Any, ...]]:
    """Relay until all is published, over whatever is left of the connections."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            while await outbox.relay(broker):
                pass
            break
        except OutboxUnavailableError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)
    return [(each.id, each.message, each.key) for each in broker.accepted]


async def hung(broker: RecordingBroker) -> None:
    async with asyncio.timeout(PATIENCE):
        while not broker.hanging:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def whole(got: list[tuple[Any, ...]]) -> None:
    """See that all is there, as it was written, and the first of each in order for each key."""
    assert {*got} == {(id, f"book {id}", id[-1]) for id in IDS}
    for key in "ab":
        assert [*dict.fromkeys(id for id, _, its in got if its == key)] == [id for id in IDS if id[-1] == key]


def terminated(server: PostgresServer) -> None:
    assert server.terminate_backends() >= 1


def restarted(server: PostgresServer) -> None:
    server.stop()
    server.start()


def crashed(server: PostgresServer) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize("end", [terminated, restarted, crashed])
async def test_a_relay_that_loses_its_connection(server: PostgresServer, end: Callable[[PostgresServer], None]) -> None:
    async with opened(server) as (outbox, _):
        broker = RecordingBroker()
        broker.hang(after=4)
        relaying = asyncio.ensure_future(outbox.relay(broker))
        await hung(broker)
        await asyncio.to_thread(end, server)
        other = RecordingBroker()
        whole(await published(outbox, other))  # its claim has ended with its connection
        broker.mend()
        with pytest.raises(OutboxUnavailableError):
            await relaying
        assert await outbox.relay(broker) == 0


async def test_a_relay_that_is_killed(server: PostgresServer) -> None:
    """It is killed when it has published some, and deleted none: these come twice, with the same ids."""
    async with opened(server) as (outbox, pool):
        command = [sys.executable, "-c", RELAY, server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
            assert process.stdout is not None
            accepted = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(3)]
            assert set(accepted) <= {*IDS}
            assert await outbox.relay(RecordingBroker()) == 0  # while it lives, it has them to itself
            os.kill(process.pid, signal.SIGKILL)
        locks = "SELECT pid FROM pg_locks WHERE mode = 'RowShareLock'"
        await asyncio.to_thread(wait_until, lambda: not server.call(locks), "its transaction has ended")
        broker = RecordingBroker()
        whole(await published(outbox, broker))
        assert len(broker.accepted) == len(IDS)
        async with pool.connection() as connection:
            assert await outbox.bind(connection).get_all() == []


async def test_a_server_that_says_nothing_is_away_in_bounded_time(server: PostgresServer) -> None:
    async with opened(server, timeout=0.5) as (outbox, _):
        broker = RecordingBroker()
        server.pause()
        try:
            with pytest.raises(OutboxUnavailableError):
                await asyncio.wait_for(outbox.relay(broker), PATIENCE)
        finally:
            server.resume()
        whole(await published(outbox, broker))


async def test_an_act_whose_connection_is_lost_is_done_again(server: PostgresServer) -> None:
    async with opened(server) as (_, pool):
        inbox = PostgresInbox(pool, timeout=PATIENCE)
        await inbox.create_schema()

        async def act() -> bool:
            async with inbox.once("shop", "1") as connection:
                if connection is not None and not server_was_ended:
                    server_was_ended.append(True)
                    await asyncio.to_thread(server.terminate_backends)
                return connection is not None

        server_was_ended: list[bool] = []
        with pytest.raises(OutboxUnavailableError):
            await act()
        results: list[bool] = []
        while len(results) < 2:
            try:
                results.append(await act())
            except OutboxUnavailableError:  # the pool had more connections that are lost
                await asyncio.sleep(0.05)
        assert results == [True, False]
