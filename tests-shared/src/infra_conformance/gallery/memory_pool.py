"""A correct pool, as plain as can be: the faulty ones of the gallery are made from it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_lending import Lending
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import Script
from infra_protocols.clock import Clock
from infra_protocols.errors import PoolClosedError, PoolLoopError
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import PoolConfig
from infra_protocols.validation import or_raise, require_range, require_type


class MemoryPool(Lending):
    """
    A correct pool: whatever counts changes between two awaits, and the factory is called in the pool's own tasks alone.

    >>> from infra_conformance.pool_script import Script
    >>> from infra_protocols import PoolConfig, SystemClock
    >>> async def main() -> int:
    ...     async with MemoryPool(Script(), PoolConfig(min_size=2), SystemClock()) as pool:
    ...         return pool.stats().idle
    >>> asyncio.run(main())
    2
    """

    config: PoolConfig
    loop: asyncio.AbstractEventLoop | None
    is_open: bool
    closed: bool
    closing: asyncio.Task[None] | None

    async def open(self) -> None:
        """Begin."""
        if self.loop is not None and isinstance(refusal := self.refusal(), PoolLoopError):
            raise refusal
        if self.closed:
            raise PoolClosedError(ErrorMessages.POOL_CLOSED)
        if self.is_open:
            return
        self.loop, self.is_open = asyncio.get_running_loop(), True
        self.tend()
        try:
            if self.tasks:
                await asyncio.wait(self.tasks.copy())
        except asyncio.CancelledError:
            self.shut(0)
            raise

    async def close(self, timeout: float | None = None) -> None:
        """End."""
        seconds = or_raise(require_range(self.config.close_timeout if timeout is None else timeout, "timeout", min=0))
        if self.loop is not None and isinstance(refusal := self.refusal(), PoolLoopError):
            raise refusal
        try:
            await asyncio.shield(self.shut(seconds))
        except asyncio.CancelledError:
            self.drained.set()
            raise

    def shut(self, seconds: float) -> "asyncio.Task[None]":
        """Begin to close, unless that was begun before."""
        if self.closing is None:
            self.is_open, self.closed = False, True
            self.drained.clear()
            self.closing = asyncio.get_running_loop().create_task(self.wind_up(seconds))
            self.let_go()
        return self.closing

    def let_go(self) -> None:
        """End all that nobody has borrowed, and turn away who waits."""
        if self.timer is not None:
            self.timer.cancel()
        while (waiter := self.next_waiter()) is not None:
            waiter.answer.set_exception(PoolClosedError(ErrorMessages.POOL_CLOSED))
        for maker in self.makers.copy():
            maker.cancel()
        while self.idle:
            self.retire(self.idle.pop())

    async def wind_up(self, seconds: float) -> None:
        """Wait for what is out, and end it."""
        if self.lent:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.drained.wait(), seconds)
        self.force()
        while self.tasks:
            await asyncio.wait(self.tasks.copy())

    def force(self) -> None:
        """End what is out."""
        for slot in self.lent.copy():
            self.end(slot)
            self.retire(slot)

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def resize(self, min_size: int, max_size: int) -> None:
        """Change the bounds."""
        or_raise(require_type(max_size, "max_size", int))
        or_raise(require_type(min_size, "min_size", int))
        or_raise(require_range(max_size, "max_size", min=1))
        or_raise(require_range(min_size, "min_size", min=0, max=max_size))
        if (refusal := self.refusal()) is not None:
            raise refusal
        self.config = replace(self.config, min_size=min_size, max_size=max_size)
        self.tend()


def faulty(subject: Callable[..., Any], *caught_by: str) -> Fault:
    """Return the fault of a pool, and the numbers of the checks that must catch it."""

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[Pools[Any]]:
        pools = Pools[Any](subject, Script, clock)
        yield pools
        await pools.end()

    return Fault(make, subject.__name__, frozenset(f"pool-{number}" for number in caught_by))
