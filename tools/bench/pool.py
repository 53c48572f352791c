"""
infra-pool against a bare deque, and the asyncio pools of the drivers in use.

The PostgreSQL tables need a server, `INFRA_POSTGRES_URL`; all CPU time is that of this process, not of the server.
"""

import asyncio
import gc
import logging
import os
import statistics
import time
import tracemalloc
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import greenlet_spawn

from infra_pool import ConnectionFactory, ConnectionPool, PoolConfig
from infra_pool.postgres import AsyncpgFactory, PsycopgFactory
from tools.bench.harness import AsyncLoop, Contender, Row, Table, compare

URL = os.environ.get("INFRA_POSTGRES_URL", "postgresql://127.0.0.1/test")
SIZE = 10
TASKS = 100
POOLS = 100

type Borrow = Callable[[], AbstractAsyncContextManager[Any]]


def tables() -> list[Table]:
    """Measure borrows alone and in a crowd, what a pool takes, an outage, and the same on PostgreSQL."""
    with asyncio.Runner() as runner:
        dropped = runner.run(_dropped())  # first: with all the others there would be too many connections
        stack = AsyncExitStack()
        try:
            subjects = runner.run(Subjects.open(stack))
            return [
                _alone(subjects, runner),
                _liveness(subjects, runner),
                _crowd(subjects, runner),
                runner.run(_waits(subjects)),
                runner.run(_footprint()),
                runner.run(_outage()),
                _queries(subjects, runner),
                dropped,
            ]
        finally:
            runner.run(stack.aclose())


class Bare:
    """The floor: connections in a deque, those who wait in another, and no promise at all."""

    def __init__(self, connections: list[Any]) -> None:
        self.free = deque(connections)
        self.waiting: deque[asyncio.Future[Any]] = deque()

    def connection(self) -> "_BareBorrow":
        return _BareBorrow(self)


class _BareBorrow:
    __slots__ = ("_bare", "_connection")

    def __init__(self, bare: Bare) -> None:
        self._bare = bare

    async def __aenter__(self) -> Any:
        bare = self._bare
        if bare.free:
            self._connection = bare.free.popleft()
        else:
            waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            bare.waiting.append(waiter)
            self._connection = await waiter
        return self._connection

    async def __aexit__(self, *about: object) -> None:
        bare = self._bare
        if bare.waiting:
            bare.waiting.popleft().set_result(self._connection)
        else:
            bare.free.append(self._connection)


class Objects:
    """A factory of what costs nothing."""

    async def create(self) -> object:
        return object()

    async def destroy(self, connection: object) -> None: ...

    async def validate(self, connection: object) -> bool:
        return True


class Checked(Objects):
    """The same, asked at each borrow and return."""

    def is_alive(self, connection: object) -> bool:
        return True


class LooksOnly:
    """A factory without its reset, so that what `is_alive` costs can be seen alone."""

    def __init__(self, factory: Any) -> None:
        self.create, self.destroy, self.validate = factory.create, factory.destroy, factory.validate
        self.is_alive = factory.is_alive


class Subjects:
    """The pools, all of ten connections that are there already."""

    def __init__(self) -> None:
        self.bare = Bare([object() for _ in range(SIZE)])
        self.queued = AsyncAdaptedQueuePool(_Dbapi, pool_size=SIZE, max_overflow=0, reset_on_return=None)

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Subjects":
        self = cls()

        async def ours[T](factory: ConnectionFactory[T]) -> ConnectionPool[T]:
            return await stack.enter_async_context(ConnectionPool(factory, PoolConfig(min_size=SIZE, max_size=SIZE)))

        self.plain = await ours(Objects())
        self.checked = await ours(Checked())
        self.looks_psycopg = await ours(LooksOnly(PsycopgFactory(URL, autocommit=True)))
        self.looks_asyncpg = await ours(LooksOnly(AsyncpgFactory(URL)))
        self.ours_psycopg = await ours(PsycopgFactory(URL, autocommit=True))
        self.ours_asyncpg = await ours(AsyncpgFactory(URL))
        self.psycopg = AsyncConnectionPool(
            URL, kwargs={"autocommit": True}, min_size=SIZE, max_size=SIZE, open=False, timeout=60
        )
        await self.psycopg.open(wait=True)
        stack.push_async_callback(self.psycopg.close)
        self.asyncpg = await stack.enter_async_context(asyncpg.create_pool(URL, min_size=SIZE, max_size=SIZE))
        # As its users run it without that round trip, which the others do not make.
        self.asyncpg_bare = await stack.enter_async_context(
            asyncpg.create_pool(URL, min_size=SIZE, max_size=SIZE, reset=_no_reset)
        )
        self.bare_psycopg = Bare([await AsyncConnection.connect(URL, autocommit=True) for _ in range(SIZE)])
        self.bare_asyncpg = Bare([await asyncpg.connect(URL) for _ in range(SIZE)])
        for connection in (*self.bare_psycopg.free, *self.bare_asyncpg.free):
            stack.push_async_callback(connection.close)
        return self

    @asynccontextmanager
    async def sqlalchemy(self) -> AsyncGenerator[Any]:
        connection = await greenlet_spawn(self.queued.connect)
        try:
            yield connection
        finally:
            await greenlet_spawn(connection.close)


class _Dbapi:
    def close(self) -> None: ...


async def _no_reset(connection: object) -> None: ...


def _one_by_one(borrow: Borrow) -> AsyncLoop:
    async def loop(n: int) -> None:
        for _ in range(n):
            async with borrow():
                pass

    return loop


async def _pause(connection: object) -> None:
    await asyncio.sleep(0)


def _by_all(borrow: Borrow, use: Callable[[Any], Awaitable[object]] = _pause) -> AsyncLoop:
    async def client(n: int) -> None:
        for _ in range(n):
            async with borrow() as connection:
                await use(connection)

    async def loop(n: int) -> None:
        await asyncio.gather(*(client(n // TASKS) for _ in range(TASKS)))

    return loop


def _alone(of: Subjects, runner: asyncio.Runner) -> Table:
    return compare(
        "Borrowing when nobody else does",
        "`popleft` and `append` of a deque in a slotted async context manager",
        [
            Contender("a deque", _one_by_one(of.bare.connection)),
            Contender("infra-pool", _one_by_one(of.plain.connection), must=2.8, aim=2.3),
            Contender("infra-pool, with is_alive", _one_by_one(of.checked.connection)),
            Contender("psycopg_pool", _one_by_one(of.psycopg.connection)),
            Contender("asyncpg, without its reset", _one_by_one(of.asyncpg_bare.acquire)),
            Contender("SQLAlchemy AsyncAdaptedQueuePool", _one_by_one(of.sqlalchemy)),
        ],
        number=1_000,
        runner=runner,
    )


def _liveness(of: Subjects, runner: asyncio.Runner) -> Table:
    return compare(
        "Borrowing when nobody else does, with a look at the connection before and after",
        "infra-pool, with a factory that has no `is_alive`",
        [
            Contender("infra-pool, no is_alive", _one_by_one(of.plain.connection)),
            Contender("infra-pool, an is_alive that does nothing", _one_by_one(of.checked.connection)),
            Contender("infra-pool, is_alive of PsycopgFactory", _one_by_one(of.looks_psycopg.connection)),
            Contender("infra-pool, is_alive of AsyncpgFactory", _one_by_one(of.looks_asyncpg.connection)),
        ],
        number=1_000,
        runner=runner,
        note="Each may add at most 3,000 ns.",
    )


def _crowd(of: Subjects, runner: asyncio.Runner) -> Table:
    return compare(
        f"{TASKS} tasks on {SIZE} connections",
        "the same deque, and a deque of futures for those who wait",
        [
            Contender("a deque", _by_all(of.bare.connection)),
            Contender("infra-pool", _by_all(of.plain.connection), must=2.5, aim=2.1),
            Contender("infra-pool, with is_alive", _by_all(of.checked.connection), must=2.5, aim=2.1),
            Contender("psycopg_pool", _by_all(of.psycopg.connection)),
            Contender("asyncpg, without its reset", _by_all(of.asyncpg_bare.acquire)),
            Contender("SQLAlchemy AsyncAdaptedQueuePool", _by_all(of.sqlalchemy)),
        ],
        number=1_000,
        subtract_loop=False,
        runner=runner,
        note="Each holds its connection for one turn of the event loop.",
    )


async def _waits(of: Subjects) -> Table:
    """Measure how long the unlucky wait, and how evenly borrows are shared out."""
    table = Table(
        f"{TASKS} tasks on {SIZE} connections: the 99th percentile of the waits",
        "the same deque",
        "µs",
    )
    rounds: dict[str, list[tuple[float, float]]] = {}
    pools: list[tuple[str, Borrow, float | None]] = [
        ("a deque", of.bare.connection, None),
        ("infra-pool", of.plain.connection, 2.5),
        ("psycopg_pool", of.psycopg.connection, None),
        ("asyncpg, without its reset", of.asyncpg_bare.acquire, None),
        ("SQLAlchemy AsyncAdaptedQueuePool", of.sqlalchemy, None),
    ]
    for _ in range(7):
        for name, borrow, _ in pools:
            rounds.setdefault(name, []).append(await _spread(borrow))
    base = statistics.median(p99 for p99, _ in rounds["a deque"])
    shares: list[str] = []
    for name, _, must in pools:
        p99 = statistics.median(p99 for p99, _ in rounds[name])
        table.rows.append(Row(name, p99 * 1e6, p99 / base, must))
        shares.append(f"{name} {statistics.median(share for _, share in rounds[name]):.2f}")
    table.note = "The most borrows of a task in 0.2 s, to the fewest: " + ", ".join(shares) + "; must 1.05."
    return table


async def _spread(borrow: Borrow) -> tuple[float, float]:
    waits: list[float] = []
    counts = [0] * TASKS
    end = time.perf_counter() + 0.2

    async def client(number: int) -> None:
        while (began := time.perf_counter()) < end:
            async with borrow():
                waits.append(time.perf_counter() - began)
                counts[number] += 1
                await asyncio.sleep(0)

    await asyncio.gather(*map(client, range(TASKS)))
    return statistics.quantiles(waits, n=100)[98], max(counts) / max(1, min(counts))


async def _footprint() -> Table:
    table = Table(
        "What an open pool takes",
        "a deque of the same connections",
        "bytes",
        note=f"As tracemalloc counts it, of {POOLS} pools each.",
    )
    for size in (1, SIZE):
        bare, _ = await _taken(lambda size=size: _filled(size))
        ours, tasks = await _taken(lambda size=size: _opened(size))
        table.rows.append(Row(f"a deque, {size} connections", bare, 1.0))
        table.rows.append(Row(f"infra-pool, {size} connections, {tasks:g} tasks", ours, ours / bare))
    table.note += " Must be at most 10,240 bytes and one task."
    return table


async def _filled(size: int) -> object:
    return deque(object() for _ in range(size))


async def _opened(size: int) -> object:
    pool = ConnectionPool(Objects(), PoolConfig(min_size=size))
    await pool.open()
    return pool


async def _taken(make: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    kept = [await make()]
    tasks = len(asyncio.all_tasks())
    gc.collect()
    tracemalloc.start()
    kept += [await make() for _ in range(POOLS)]
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    more = len(asyncio.all_tasks()) - tasks
    for pool in kept:
        if isinstance(pool, ConnectionPool):
            await pool.close()
    return taken / POOLS, more / POOLS


class Outages(Checked):
    """A factory whose other side can be away."""

    def __init__(self) -> None:
        self.attempts = 0
        self.away = False

    async def create(self) -> object:
        self.attempts += 1
        await asyncio.sleep(0.001)
        if self.away:
            raise ConnectionError
        return object()

    def is_alive(self, connection: object) -> bool:
        return not self.away


async def _outage() -> Table:
    logging.getLogger("infra_pool").setLevel(logging.ERROR)
    table = Table(
        f"An outage of 0.5 s, {TASKS} borrowers waiting",
        "as many attempts at once as there may be connections, once",
        "attempts",
        note="Medians of ten outages; must be at most 15 attempts, and the first success within 0.2 s of the end.",
    )
    for name, warm in (("from the start", False), ("of a pool in use", True)):
        attempts: list[int] = []
        delays: list[float] = []
        for _ in range(10):
            tries, delay = await _one_outage(warm)
            attempts.append(tries)
            delays.append(delay)
        middle = statistics.median(attempts)
        told = f"infra-pool, {name}: back after {statistics.median(delays):.3f} s, at most {max(delays):.3f} s"
        table.rows.append(Row(told, middle, middle / SIZE, 1.5))
    return table


async def _one_outage(warm: bool) -> tuple[int, float]:
    factory, served = Outages(), list[float]()

    async def borrow() -> None:
        async with pool.connection():
            served.append(time.perf_counter())

    async with ConnectionPool(factory, PoolConfig(min_size=SIZE if warm else 0, max_size=SIZE)) as pool:
        factory.away, factory.attempts = True, 0
        tasks = [asyncio.create_task(borrow()) for _ in range(TASKS)]
        await asyncio.sleep(0.5)
        attempts, factory.away = factory.attempts, False
        over = time.perf_counter()
        await asyncio.gather(*tasks)
    return attempts, min(served) - over


def _queries(of: Subjects, runner: asyncio.Runner) -> Table:
    async def by_psycopg(connection: Any) -> None:
        await (await connection.execute("SELECT 1")).fetchone()

    async def by_asyncpg(connection: Any) -> None:
        await connection.fetchval("SELECT 1")

    return compare(
        f"`SELECT 1` on PostgreSQL, {TASKS} tasks on {SIZE} connections",
        "psycopg's connections in a deque",
        [
            Contender("psycopg, a deque", _by_all(of.bare_psycopg.connection, by_psycopg)),
            Contender(
                "psycopg, infra-pool", _by_all(of.ours_psycopg.connection, by_psycopg), must=1 / 0.65, aim=1 / 0.79
            ),
            Contender("psycopg, psycopg_pool", _by_all(of.psycopg.connection, by_psycopg)),
            Contender("asyncpg, a deque", _by_all(of.bare_asyncpg.connection, by_asyncpg)),
            Contender("asyncpg, infra-pool", _by_all(of.ours_asyncpg.connection, by_asyncpg)),
            Contender("asyncpg, its own pool", _by_all(of.asyncpg.acquire, by_asyncpg)),
            Contender("asyncpg, its own pool without its reset", _by_all(of.asyncpg_bare.acquire, by_asyncpg)),
        ],
        number=1_000,
        rounds=15,
        subtract_loop=False,
        runner=runner,
        note="infra-pool and asyncpg's own pool reset asyncpg's connections, a round trip each.",
    )


async def _dropped() -> Table:
    table = Table(
        "Ten borrows after the server has dropped every connection",
        "an error each",
        "errors",
        note="Must be none.",
    )
    async with ConnectionPool(PsycopgFactory(URL, autocommit=True), PoolConfig(min_size=SIZE)) as ours:
        errors = await _after_drop(ours.connection)
    table.rows.append(Row("infra-pool on psycopg", errors, errors / SIZE))
    async with ConnectionPool(AsyncpgFactory(URL), PoolConfig(min_size=SIZE)) as theirs:
        errors = await _after_drop(theirs.connection)
    table.rows.append(Row("infra-pool on asyncpg", errors, errors / SIZE))
    async with AsyncConnectionPool(URL, kwargs={"autocommit": True}, min_size=SIZE, max_size=SIZE, open=False) as peer:
        await peer.wait()
        errors = await _after_drop(peer.connection)
    table.rows.append(Row("psycopg_pool", errors, errors / SIZE))
    return table


async def _after_drop(borrow: Borrow) -> int:
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(borrow()) for _ in range(SIZE)]
        pids = [
            connection.info.backend_pid if hasattr(connection, "info") else connection.get_server_pid()
            for connection in held
        ]
    async with await AsyncConnection.connect(URL, autocommit=True) as control:
        await control.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (pids,))
        for _ in range(1_000):
            left = await control.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", (pids,))
            if await left.fetchone() == (0,):
                break
            await asyncio.sleep(0.01)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    errors = 0
    for _ in range(SIZE):
        try:
            async with borrow() as connection:
                await connection.execute("SELECT 1")
        except Exception:
            errors += 1
    return errors
