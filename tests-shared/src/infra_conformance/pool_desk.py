"""A pool under watch: who borrows from it, who waits, and whether its counts are those of what is there."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

from infra_conformance.history import History, client, recorded
from infra_conformance.messages import ConformanceMessages
from infra_conformance.pool_script import Script
from infra_conformance.pool_watch import Watch
from infra_conformance.trial import Broken, expect
from infra_protocols.clock import Clock
from infra_protocols.errors import PoolError, PoolLeaseError, ValidationError
from infra_protocols.pool import (
    ConnectionFactory,
    ConnectionPoolProtocol,
    PoolConfig,
    PoolLeaseProtocol,
    PoolMeter,
    PoolStats,
)
from infra_result import Result

SETTLE: Final = 0.0001
"""How many seconds everything is given to come to rest; where time is virtual, all that can happen has by then."""
PATIENCE: Final = 30.0
"""How many seconds it is given where time is real."""


class MakePool[T](Protocol):
    """
    Makes a pool that is not open yet.

    Type parameters:
        T: the connection.
    """

    def __call__(
        self, factory: ConnectionFactory[T], config: PoolConfig, clock: Clock, meter: PoolMeter | None
    ) -> ConnectionPoolProtocol[T]:
        """Return the pool."""
        ...


type Answer[T] = Result[PoolLeaseProtocol[T], PoolError | ValidationError]


@dataclass(slots=True, eq=False)
class Desk[T]:
    """
    Where a check borrows from one pool.

    Type parameters:
        T: the connection.
    """

    raw: ConnectionPoolProtocol[T]
    watch: Watch[T]
    history: History
    config: PoolConfig
    clock: Clock
    real_time: bool
    closed: bool = False
    asking: dict[int, str] = field(default_factory=dict[int, str])
    """Those who wait, by the number of their call."""
    out: list[PoolLeaseProtocol[T]] = field(default_factory=list[PoolLeaseProtocol[T]])
    tasks: list[asyncio.Task[Any]] = field(default_factory=list[asyncio.Task[Any]])
    _lent: dict[int, T] = field(default_factory=dict[int, T])
    _numbers: "count[int]" = field(default_factory=count)
    _served: int = -1

    @property
    def pool(self) -> ConnectionPoolProtocol[T]:
        """The pool, with every call of it recorded."""
        return recorded(self.raw, self.history)

    @property
    def script(self) -> Script:
        """The factory, where it is the suite's own."""
        return self.watch.factory

    # -- Borrowing.

    async def acquire(self, timeout: float | None = None) -> Answer[T]:
        """Borrow, and return what the pool answers."""
        number = next(self._numbers)
        self.asking[number] = client.get()
        try:
            answer = await (self.pool.acquire() if timeout is None else self.pool.acquire(timeout=timeout))
        finally:
            del self.asking[number]
        if answer.is_ok():
            self.note_lease(answer.unwrap(), number)
        return answer

    def note_lease(self, lease: PoolLeaseProtocol[T], number: int = -1) -> None:
        """Note that a lease is out."""
        self._served = max(self._served, number)
        connection = lease.connection
        self.watch.lend(connection)
        self.out.append(lease)
        self._lent[id(lease)] = connection

    async def take(self, timeout: float | None = None) -> PoolLeaseProtocol[T]:
        """
        Borrow what is there to be had.

        Raises:
            Broken: it was not.
        """
        answer = await self.acquire(timeout)
        if answer.is_err():
            error = answer.unwrap_err()
            message = ConformanceMessages.POOL_NO_CONNECTION.format(kind=type(error).__name__, text=error)
            raise Broken(message) from error
        return answer.unwrap()

    def ask(self, name: str = "", timeout: float | None = None) -> "asyncio.Task[Answer[T]]":
        """Begin to borrow under `name`, in a task of its own."""

        async def borrow() -> Answer[T]:
            client.set(name)
            return await self.acquire(timeout)

        return self.run(borrow())

    def run[R](self, part: Coroutine[Any, Any, R]) -> "asyncio.Task[R]":
        """Begin something in a task that ends with the check at the latest."""
        task = asyncio.get_running_loop().create_task(part)
        self.tasks.append(task)
        return task

    def release(self, lease: PoolLeaseProtocol[T]) -> Result[None, PoolLeaseError]:
        """Give a lease back, and return what the pool answers."""
        if id(lease) not in self._lent:
            return self.pool.release(lease)
        self.out.remove(lease)
        self.watch.take_back(self._lent.pop(id(lease)))
        answer = self.pool.release(lease)
        if not self.closed:
            expect("release of a lease that is out", answer.is_ok(), True)
        return answer

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncGenerator[T]:
        """Borrow by the context manager of the pool."""
        number = next(self._numbers)
        self.asking[number] = client.get()
        entering = True
        manager = self.pool.connection() if timeout is None else self.pool.connection(timeout=timeout)
        try:
            async with manager as connection:
                del self.asking[number]
                entering = False
                self._served = max(self._served, number)
                self.watch.lend(connection)
                try:
                    yield connection
                finally:
                    self.watch.take_back(connection)
        finally:
            if entering:
                del self.asking[number]

    # -- What is the case.

    async def settled(self, what: str = "stats") -> PoolStats:
        """
        Let everything come to rest, see that all is as it must be, and return the counts.

        Raises:
            Broken: it is not.
        """
        await asyncio.sleep(SETTLE)
        loop = asyncio.get_running_loop()
        late = loop.time() + PATIENCE
        while self.real_time and not self._is_quiet() and loop.time() < late:  # noqa: ASYNC110 # nobody tells when
            await asyncio.sleep(0.001)
        for _ in range(20 if self.real_time else 0):
            await asyncio.sleep(0)  # whoever waits for what has come to rest has yet to hear of it
        stats = self.raw.stats()
        expect(what, stats, self._wanted())
        if self.asking and min(self.asking) < self._served:
            first, later = min(self.asking), self._served
            raise Broken(ConformanceMessages.POOL_OUT_OF_TURN.format(later=later + 1, first=first + 1))
        self.see()
        return stats

    def _is_quiet(self) -> bool:
        # The calls of a script go on for as long as the check wants; those of an engine come to an end.
        busy = self.watch.creating or any(seen.call is not None for seen in self.watch.living())
        return self.raw.stats() == self._wanted() and (isinstance(self.watch.factory, Script) or not busy)

    def _wanted(self) -> PoolStats:
        return self.watch.stats(len(self.asking))

    def see(self) -> None:
        """
        See that nothing wrong was done so far.

        Raises:
            Broken: something was.
        """
        if self.watch.wrong:
            raise Broken("; ".join(self.watch.wrong))

    async def has_all(self) -> None:
        """See that as many can be borrowed as there may be, when nobody has any and nothing fails; keep none."""
        leases = [await self.take() for _ in range(self.watch.bound)]
        await self.settled("stats with everything lent")
        for lease in leases:
            self.release(lease)
        await self.settled("stats with everything given back")

    def kill(self, connection: T) -> None:
        """Let a connection of the script die."""
        scripted: Any = connection
        self.history.note(f"{connection} dies")
        scripted.alive = False

    def resize(self, min_size: int, max_size: int) -> None:
        """Change the bounds."""
        self.watch.bound = max_size
        self.pool.resize(min_size, max_size)

    async def close(self, timeout: float | None = None) -> None:
        """Close the pool; what is out when the time is over may be destroyed."""
        self.closed = True
        seconds = self.config.close_timeout if timeout is None else timeout
        self.watch.may_force = min(self.watch.may_force, asyncio.get_running_loop().time() + seconds - SETTLE)
        await (self.pool.close() if timeout is None else self.pool.close(timeout=timeout))

    async def end(self) -> None:
        """
        Give everything back, close, and see that nothing is left.

        Raises:
            Broken: something is.
        """
        self.see()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if isinstance(self.watch.factory, Script):
            self.script.recover()
        for lease in self.out.copy():
            self.release(lease)
        await self.close()
        await asyncio.sleep(SETTLE)
        expect("connections being made after close", self.watch.creating, 0)
        expect("connections left after close", [seen.connection for seen in self.watch.living()], [])
        expect("stats after close", self.raw.stats(), PoolStats())
        self.see()


class Pools[T]:
    """
    The pools of one check: what `ConnectionPoolSuite` checks. What it opens, it closes.

    Type parameters:
        T: the connection.

    Args:
        make_pool: makes a pool.
        factory: makes a factory for it.
        clock: by which the pools go.
        real_time: whether time is real.
    """

    def __init__(
        self,
        make_pool: MakePool[T],
        factory: Callable[[], ConnectionFactory[T]],
        clock: Clock,
        *,
        real_time: bool = False,
    ) -> None:
        self._make_pool = make_pool
        self._factory = factory
        self._clock = clock
        self._real_time = real_time
        self._desks: list[Desk[T]] = []

    def desk(
        self,
        history: History,
        config: PoolConfig,
        *,
        meter: PoolMeter | None = None,
        is_alive: bool = True,
        reset: bool = True,
    ) -> Desk[T]:
        """Make a pool that is not open yet."""
        watch = Watch(self._factory(), config.max_size, is_alive=is_alive, reset=reset)
        pool = self._make_pool(watch, config, self._clock, meter)
        desk = Desk(pool, watch, history, config, self._clock, self._real_time)
        self._desks.append(desk)
        return desk

    async def end(self) -> None:
        """End all pools, and see that nothing of them is left."""
        for desk in self._desks:
            await desk.end()
