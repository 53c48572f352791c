import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any

import pytest

from infra_conformance.engines import provided
from infra_conformance.loop import LoopClock, VirtualLoop
from infra_conformance.servers import PostgresServer, RedisServer
from infra_pool import ConnectionPool, PoolConfig


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests that ask for `clock`, be it for a pool of theirs, in virtual time."""
    virtual = "clock" in getattr(item, "fixturenames", ())
    return {"virtual": VirtualLoop} if virtual else {"real": asyncio.new_event_loop}


class Connection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.alive = True
        self.ended = False

    def __repr__(self) -> str:
        return f"<connection {self.number}>"


class Factory:
    """Makes connections to nowhere; each of its calls takes as long, or fails, as it is told to."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.calls: Counter[str] = Counter()
        self.delay: dict[str, float] = {}
        self.errors: dict[str, BaseException] = {}
        self.sound = True
        self.running = self.most_running = 0

    @property
    def open(self) -> list[int]:
        return [connection.number for connection in self.made if not connection.ended]

    async def create(self) -> Connection:
        await self._call("create")
        self.made.append(Connection(len(self.made) + 1))
        return self.made[-1]

    async def destroy(self, connection: Connection) -> None:
        assert not connection.ended
        connection.ended = True
        await self._call("destroy")

    async def validate(self, connection: Connection) -> bool:
        await self._call("validate")
        return self.sound

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        self.running += name == "create"
        self.most_running = max(self.most_running, self.running)
        try:
            if name in self.delay:
                await asyncio.sleep(self.delay[name])
            if name in self.errors:
                raise self.errors[name]
        finally:
            self.running -= name == "create"


class Watchful(Factory):
    """A factory that can tell what is dead, and makes connections as new."""

    def is_alive(self, connection: Connection) -> bool:
        self.calls["is_alive"] += 1
        if "is_alive" in self.errors:
            raise self.errors["is_alive"]
        return connection.alive

    async def reset(self, connection: Connection) -> None:
        await self._call("reset")


@pytest.fixture
async def clock() -> LoopClock:
    return LoopClock(asyncio.get_running_loop())


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def watchful() -> Watchful:
    return Watchful()


@pytest.fixture
async def make(clock: LoopClock) -> AsyncGenerator[Callable[..., Any]]:
    """Opens pools in virtual time, and sees that nothing of them is left in the end."""
    made: list[tuple[ConnectionPool[Connection], Factory]] = []

    async def open_pool(factory: Factory, meter: Any = None, **config: Any) -> ConnectionPool[Connection]:
        pool = ConnectionPool(factory, PoolConfig(**config), clock=clock, meter=meter)
        made.append((pool, factory))
        await pool.open()
        return pool

    before = asyncio.all_tasks()
    yield open_pool
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    for pool, factory in made:
        await pool.close(0)
        stats = pool.stats()
        assert stats.total == stats.pending == stats.waiting == 0, stats
        assert factory.open == []
    await asyncio.sleep(0)
    assert not {task.get_name() for task in asyncio.all_tasks() - before - {asyncio.current_task()}}
    assert not loop.pending_timers()


@pytest.fixture
def hold() -> Callable[..., Any]:
    """Starts a borrower that holds its connection for so many seconds, and notes it in a list."""

    def start(pool: Any, into: list[Any], seconds: float = 1.0, timeout: float | None = None) -> asyncio.Task[None]:
        async def borrow() -> None:
            async with pool.connection(timeout) as connection:
                into.append(connection)
                await asyncio.sleep(seconds)

        return asyncio.create_task(borrow())

    return start


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """Starts a PostgreSQL that tests may stop, if they start it again."""
    with provided(PostgresServer("max_connections = 60")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Generator[RedisServer]:
    """Starts a Redis that tests may stop, if they start it again."""
    with provided(RedisServer()) as server:
        yield server
