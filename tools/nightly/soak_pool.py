"""
A pool of real connections under everything at once: borrowers that come, hang on, fail and are cancelled amid a query,
a server that is slow, drops connections and goes away, bounds that change.

What is counted must be 0 in the end: connections lent twice, replies that were another's, counts that cannot be,
capacity that is gone, and tasks, sockets and borrows that were left behind.
"""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from logging import getLogger

from infra_pool import ConnectionPool, PoolConfig
from infra_protocols import PoolError

OPERATIONS = 50_000
CLIENTS = 60
SIZE = 8


@dataclass(slots=True)
class Tally:
    """What was done, and what went wrong."""

    operations: int = 0
    answered: int = 0
    cancelled: int = 0
    refused: int = 0
    broken: int = 0
    made: int = 0
    twice: int = 0
    foreign: int = 0
    miscounted: int = 0
    lost: int = 0
    tasks: int = 0
    sockets: int = 0

    def faults(self) -> int:
        """Return how much went wrong."""
        return self.twice + self.foreign + self.miscounted + self.lost + self.tasks + self.sockets


class Server:
    """Answers each line with itself, as slowly as it likes, and leaves when it likes."""

    def __init__(self, rng: random.Random) -> None:
        self.port = 0
        self.open: set[StreamWriter] = set()
        self._rng = rng
        self._server: asyncio.Server | None = None

    async def come(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.open.add(writer)
        try:
            while line := await reader.readline():
                await asyncio.sleep(self._rng.choice((0, 0, 0, 0.001, 0.005)))
                if self._rng.random() < 0.01:
                    break
                writer.write(line)
        except OSError:
            pass
        finally:
            self.open.discard(writer)
            writer.close()


class Line:
    """A connection, and how many of its questions are unanswered."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.unanswered = 0

    @property
    def alive(self) -> bool:
        return not self.unanswered and not self._reader.at_eof() and self._reader.exception() is None

    async def ask(self, text: str) -> str:
        self.unanswered += 1
        self.writer.write(text.encode() + b"\n")
        if not (answer := await self._reader.readline()):
            raise ConnectionResetError
        self.unanswered -= 1
        return answer.decode().strip()


class Lines:
    """The factory, all of whose calls take their time now and then."""

    def __init__(self, server: Server, rng: random.Random, tally: Tally) -> None:
        self.open: set[Line] = set()
        self._server = server
        self._rng = rng
        self._tally = tally

    async def create(self) -> Line:
        await self._pause()
        line = Line(*await asyncio.open_connection("127.0.0.1", self._server.port))
        self.open.add(line)
        self._tally.made += 1
        return line

    async def destroy(self, connection: Line) -> None:
        self.open.discard(connection)
        connection.writer.transport.abort()
        await self._pause()

    async def validate(self, connection: Line) -> bool:
        return await connection.ask("ping") == "ping"

    async def reset(self, connection: Line) -> None:
        await self._pause()

    def is_alive(self, connection: Line) -> bool:
        return connection.alive

    async def _pause(self) -> None:
        if self._rng.random() < 0.2:
            await asyncio.sleep(self._rng.choice((0, 0, 0.001, 0.01)))


class Clients:
    """Those who borrow, each of whom may be cancelled at any moment."""

    def __init__(self, pool: ConnectionPool[Line], rng: random.Random, tally: Tally) -> None:
        self._pool = pool
        self._rng = rng
        self._tally = tally
        self._lent: set[Line] = set()

    async def run(self, operations: int) -> None:
        while self._tally.operations < operations:
            self._tally.operations += 1
            task = asyncio.create_task(self._borrow(str(self._tally.operations)))
            if self._rng.random() < 0.3:
                await asyncio.sleep(self._rng.choice((0, 0, 0.0005, 0.003)))
                task.cancel()
            await asyncio.wait((task,))
            self._judge(task)

    def _judge(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self._tally.cancelled += 1
        elif isinstance(error := task.exception(), PoolError):
            self._tally.refused += 1
        elif isinstance(error, OSError):
            self._tally.broken += 1
        elif error is not None:
            raise error
        else:
            self._tally.answered += 1
        stats = self._pool.stats()
        # What a smaller bound has left behind may be out for a moment longer.
        self._tally.miscounted += stats.total + stats.pending > 2 * SIZE or stats.in_use < len(self._lent)

    async def _borrow(self, text: str) -> None:
        if self._rng.random() < 0.7:
            async with self._pool.connection(self._rng.choice((None, 0.0, 0.01))) as line:
                await self._use(line, text)
            return
        lease = (await self._pool.acquire()).unwrap()
        try:
            await self._use(lease.connection, text)
        finally:
            lease.release()
            self._tally.twice += self._rng.random() < 0.1 and lease.release().is_ok()

    async def _use(self, line: Line, text: str) -> None:
        self._tally.twice += line in self._lent
        self._lent.add(line)
        try:
            self._tally.foreign += await line.ask(text) != text
        finally:
            self._lent.discard(line)


@asynccontextmanager
async def _disturbed(server: Server, pool: ConnectionPool[Line], rng: random.Random) -> AsyncGenerator[None]:
    async def disturb() -> None:
        while not over.is_set():
            await asyncio.sleep(rng.uniform(0.05, 0.3))
            match rng.randrange(3):
                case 0:
                    await server.go()
                    await asyncio.sleep(rng.uniform(0.0, 0.3))
                    await server.come()
                case 1:
                    for writer in server.open:
                        writer.transport.abort()
                case _:
                    most = rng.randint(1, 2 * SIZE)
                    pool.resize(rng.randint(0, most), most)

    over = asyncio.Event()
    disturbing = asyncio.create_task(disturb())
    yield
    over.set()
    await disturbing


async def soak(operations: int, seed: int) -> Tally:
    """Do so many operations, and return the tally."""
    rng, tally = random.Random(seed), Tally()
    server = Server(rng)
    await server.come()
    factory = Lines(server, rng, tally)
    config = PoolConfig(
        max_size=SIZE, acquire_timeout=5.0, factory_timeout=1.0, validation_interval=0.02, max_idle_time=0.5,
        max_lifetime=1.0, backoff=0.01, max_backoff=0.1,
    )  # fmt: skip
    async with ConnectionPool(factory, config) as pool:
        async with _disturbed(server, pool, rng):
            clients = Clients(pool, rng, tally)
            await asyncio.gather(*(clients.run(operations) for _ in range(CLIENTS)))
        pool.resize(0, SIZE)
        leases = [(await pool.acquire()).unwrap() for _ in range(SIZE)]
        tally.lost = SIZE - pool.stats().in_use
        for lease in leases:
            lease.release()
    for _ in range(1_000):
        if not server.open:
            break
        await asyncio.sleep(0.01)  # the server hears a little later of what was closed
    tally.sockets = len(factory.open) + len(server.open)
    await server.go()
    await asyncio.sleep(0)
    tally.tasks = len(asyncio.all_tasks()) - 1
    return tally


def run(operations: int, seed: int) -> bool:
    """Soak, print the tally, and say whether nothing went wrong."""
    getLogger("infra_pool").disabled = True  # every outage, and every connection that it breaks
    tally = asyncio.run(soak(operations, seed))
    print(f"soak of a pool (seed {seed}): " + ", ".join(f"{name} {count:,}" for name, count in asdict(tally).items()))
    return tally.faults() == 0
