"""What is checked of connection pools, and what all those checks work with."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from infra_conformance.messages import ConformanceMessages
from infra_conformance.pool_desk import Answer, Desk, Pools
from infra_conformance.pool_script import Script
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.clock import Clock
from infra_protocols.pool import ConnectionFactory, ConnectionPoolProtocol, PoolConfig, PoolMeter


class PoolChecks[T](Suite[Pools[T]]):
    """
    The base of the checks of connection pools.

    Type parameters:
        T: the connection.
    """

    scripted_factory: ClassVar[bool] = True
    """Whether `factory` is that of the suite, whose calls fail, hang and take their time as a check wants it."""

    @abstractmethod
    def make_pool(
        self, factory: ConnectionFactory[T], config: PoolConfig, clock: Clock, meter: PoolMeter | None
    ) -> ConnectionPoolProtocol[T]:
        """Return a pool that is not open yet; a check opens and closes it."""

    def factory(self) -> ConnectionFactory[T]:
        """Return a factory for one pool: here that of the suite, else one for an engine."""
        script: Any = Script()
        return script

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Pools[T]]:
        """Yield what makes pools, and close them all."""
        pools = Pools(self.make_pool, self.factory, clock, real_time=self.real_time)
        yield pools
        await pools.end()

    # -- What the checks are made of.

    def desk(
        self,
        trial: Trial[Pools[T]],
        *,
        is_alive: bool = True,
        reset: bool = False,
        meter: PoolMeter | None = None,
        **config: Any,
    ) -> Desk[T]:
        """Make a pool that is not open yet; it resets only where that is checked, or the factory is an engine's."""
        reset = reset or not self.scripted_factory
        return trial.raw.desk(trial.history, PoolConfig(**config), meter=meter, is_alive=is_alive, reset=reset)

    async def opened(self, trial: Trial[Pools[T]], **options: Any) -> Desk[T]:
        """Make a pool and open it; see `desk`."""
        desk = self.desk(trial, **options)
        await desk.pool.open()
        return desk

    async def filled(self, trial: Trial[Pools[T]], count: int, **options: Any) -> Desk[T]:
        """Make a pool with so many idle connections; see `desk`."""
        desk = await self.opened(trial, **options)
        leases = [await desk.take() for _ in range(count)]
        for lease in leases:
            desk.release(lease)
            await desk.settled()
        return desk

    async def lasts[R](self, what: str, call: Awaitable[R], seconds: float) -> R:
        """See that `call` takes so many seconds; where time is real, that it takes no fewer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await call
        took = loop.time() - began
        if took < seconds - self.slack or (took > seconds + self.slack and not self.real_time):
            message = ConformanceMessages.POOL_LASTED.format(what=what, want=seconds, got=took)
            raise Broken(message)
        return result

    def is_refused[E: Exception](self, what: str, answer: Answer[T], error: type[E]) -> E:
        """See that `answer` is an `Err` with an `error`, and return that."""
        if answer.is_ok():
            raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=error.__name__))
        refusal = answer.unwrap_err()
        if not isinstance(refusal, error):
            message = ConformanceMessages.WRONG_REFUSAL.format(
                what=what, expected=error.__name__, kind=type(refusal).__name__, text=refusal
            )
            raise Broken(message)
        return refusal

    def waits(self, what: str, task: "asyncio.Task[Any]") -> None:
        """See that a borrower has no answer yet."""
        expect(f"whether {what} has an answer", task.done(), False)

    def has(self, what: str, task: "asyncio.Task[Answer[T]]") -> None:
        """See that a borrower has a connection."""
        expect(f"whether {what} has an answer", task.done(), True)
        if task.result().is_err():
            error = task.result().unwrap_err()
            raise Broken(ConformanceMessages.POOL_NO_CONNECTION.format(kind=type(error).__name__, text=error))
