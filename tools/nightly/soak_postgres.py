"""
A pool of connections to PostgreSQL under everything at once: borrowers that are cancelled wherever they are, some of
them twice, queries that fail, transactions that are left open, backends that are terminated, the server stopped and
started.

What is counted as a fault must be 0 in the end:

- foreign: an answer that was another borrower's;
- dirty: a connection with something on it of the borrower before;
- failed: an error, while the server had been there all the time and nobody had terminated a backend;
- beyond: more connections than the pool may have, or counts that no pool can have;
- lost: connections that the pool cannot lend any more when all borrowers are gone;
- left: tasks of the pool, sockets, or backends of the server, when the pool is closed.
"""

import asyncio
import logging
import os
import random
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import psycopg

from infra_conformance.servers import EngineMissing, PostgresServer, wait_until
from infra_pool import ConnectionPool, PoolConfig
from infra_pool.postgres import PsycopgFactory
from infra_protocols import ValidationError

OPERATIONS: Final = 50_000
SIZE: Final = 8
BORROWERS: Final = 40
PATIENCE: Final = 60.0

type Pool = ConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]


@dataclass(slots=True)
class Tally:
    """What was done, and what went wrong."""

    operations: int = 0
    cancelled: int = 0
    away: int = 0
    terminated: int = 0
    restarts: int = 0
    foreign: int = 0
    dirty: int = 0
    failed: int = 0
    beyond: int = 0
    lost: int = 0
    left: int = 0
    examples: list[str] = field(default_factory=list[str])

    def faults(self) -> int:
        """Return how much went wrong."""
        return self.foreign + self.dirty + self.failed + self.beyond + self.lost + self.left

    def example(self, text: str) -> None:
        """Keep the first few faults, for whoever looks for their cause."""
        if len(self.examples) < 10:
            self.examples.append(text)


class Soak:
    """Borrowers of one pool, and what they find."""

    def __init__(self, pool: Pool, server: PostgresServer, operations: int, rng: random.Random) -> None:
        self.tally = Tally()
        self._pool = pool
        self._server = server
        self._left = operations
        self._rng = rng
        self._disturbed = 0
        self._disturbing = False

    async def run(self) -> Tally:
        """Run until all operations are done, and see what the pool is like then."""
        disturbing = asyncio.create_task(self._disturb())
        async with asyncio.TaskGroup() as group:
            for _ in range(BORROWERS):
                group.create_task(self._borrower())
        await disturbing
        self.tally.lost = SIZE - await self._lent_at_once()
        return self.tally

    async def _borrower(self) -> None:
        while self._left > 0:
            self._left -= 1
            before, disturbing = self._disturbed, self._disturbing
            task = asyncio.create_task(self._borrow(self._left))
            while not task.done() and self._rng.random() < 0.25:
                await asyncio.sleep(self._rng.choice((0, 0, 0.0005, 0.002, 0.01)))
                task.cancel()
            await asyncio.wait((task,))
            self.tally.operations += 1
            self._look()
            if task.cancelled():
                self.tally.cancelled += 1
            elif (error := task.exception()) is not None:
                if disturbing or self._disturbing or self._disturbed != before:
                    self.tally.away += 1
                else:
                    self.tally.failed += 1
                    self.tally.example(f"failed: {error!r}")

    async def _borrow(self, number: int) -> None:
        async with self._pool.connection(PATIENCE) as connection:
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.tally.dirty += 1
                self.tally.example(f"dirty: {connection.info.transaction_status.name}")
            choice = self._rng.random()
            if choice < 0.1:
                await connection.execute("SELECT pg_sleep(0.01)")
            elif choice < 0.2:
                try:
                    await connection.execute("SELECT 1 / 0")
                except psycopg.errors.DivisionByZero:
                    return
            cursor = await connection.execute("SELECT %s::int", (number,))
            if (found := await cursor.fetchone()) != (number,):
                self.tally.foreign += 1
                self.tally.example(f"foreign: {found} for {number}")
            if choice > 0.5:
                await connection.commit()

    def _look(self) -> None:
        try:
            stats = self._pool.stats()
        except ValidationError as impossible:
            self.tally.beyond += 1
            self.tally.example(f"beyond: {impossible}")
        else:
            if stats.total + stats.pending > SIZE:
                self.tally.beyond += 1
                self.tally.example(f"beyond: {stats}")

    async def _disturb(self) -> None:
        operations = self._left
        for number in range(20):
            while self._left > operations * (19 - number) / 20:  # noqa: ASYNC110 # the borrowers tell nobody
                await asyncio.sleep(0.01)
            if self._left <= 0:
                return
            self._disturbing = True
            if number % 4 == 3:
                await asyncio.to_thread(self._server.stop)
                await asyncio.to_thread(self._server.start)
                self.tally.restarts += 1
            else:
                self.tally.terminated += await asyncio.to_thread(self._server.terminate_backends)
            self._disturbing = False
            self._disturbed += 1

    async def _lent_at_once(self) -> int:
        leases = [await self._pool.acquire(PATIENCE) for _ in range(SIZE)]
        lent = [lease.unwrap() for lease in leases if lease.is_ok()]
        for lease in lent:
            lease.release().unwrap()
        return len(lent)


async def soak(operations: int, seed: int) -> Tally:
    """Do so many operations, against a server of their own, and return the tally."""
    with PostgresServer() as server:
        tasks, sockets = asyncio.all_tasks(), _sockets()
        config = PoolConfig(max_size=SIZE, acquire_timeout=PATIENCE, factory_timeout=PATIENCE)
        async with ConnectionPool(PsycopgFactory(server.url), config) as pool:
            tally = await Soak(pool, server, operations, random.Random(seed)).run()
        await asyncio.sleep(0)
        tally.left = len(asyncio.all_tasks() - tasks) + max(0, _sockets() - sockets)
        try:
            await asyncio.to_thread(wait_until, lambda: not server.backends(), "no backend is left")
        except TimeoutError:
            tally.left += len(server.backends())
    return tally


def _sockets() -> int:
    found = 0
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found += os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:")
    return found


def run(operations: int, seed: int) -> bool:
    """Soak, print the tally, and say whether nothing went wrong; without a PostgreSQL it is left out."""
    logging.disable(logging.WARNING)  # of all that fails here on purpose
    try:
        tally = asyncio.run(soak(operations, seed))
    except EngineMissing as missing:
        print(f"soak of the pool over PostgreSQL left out: {missing}")
        return True
    finally:
        logging.disable(logging.NOTSET)
    counts = {name: count for name, count in asdict(tally).items() if name != "examples"}
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    print(f"soak of the pool over PostgreSQL (seed {seed}): {told}")
    for example in tally.examples:
        print(f"  {example}")
    return tally.faults() == 0
