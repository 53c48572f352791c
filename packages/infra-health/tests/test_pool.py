"""The check of a pool, by its port: what is busy is not broken."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from infra_conformance import CheckedDependency, HealthCheckSuite
from infra_conformance.loop import VirtualLoop
from infra_health import PoolCheck
from infra_protocols import (
    Clock,
    HealthResult,
    HealthStatus,
    Measurement,
    PoolClosedError,
    PoolExhaustedError,
    PoolLeaseError,
    PoolStats,
    PoolTimeoutError,
)
from infra_result import Err, Ok, Result


class Lease:
    def __init__(self, pool: "OnePool") -> None:
        self.pool = pool
        self.connection = "a connection"

    def release(self) -> Result[None, PoolLeaseError]:
        return self.pool.release(self)


class OnePool:
    """A pool of one connection, as far as a check uses it."""

    def __init__(self) -> None:
        self.lent: Lease | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.down: Exception | None = None
        self.refusal: PoolClosedError | PoolExhaustedError | None = None

    async def acquire(self, timeout: float | None = None) -> Any:
        if self.refusal is not None:
            return Err(self.refusal)
        try:
            async with asyncio.timeout(timeout):
                await self.answers.wait()
                while self.down is None and self.lent is not None:
                    await self.free.wait()
        except TimeoutError:
            return Err(PoolTimeoutError("too late"))
        if self.down is not None:
            error = PoolTimeoutError("too late")
            error.__cause__ = self.down
            return Err(error)
        self.lent = Lease(self)
        self.free.clear()
        return Ok(self.lent)

    def release(self, lease: Lease) -> Result[None, PoolLeaseError]:
        if lease is not self.lent:
            return Err(PoolLeaseError("not lent"))
        self.lent = None
        self.free.set()
        return Ok(None)

    def stats(self) -> PoolStats:
        if self.down is not None:
            return PoolStats()
        return PoolStats(total=1, in_use=1) if self.lent else PoolStats(total=1, idle=1)


class Pooled(CheckedDependency[Any]):
    def __init__(self) -> None:
        self.pool: Any = OnePool()
        self.check = PoolCheck[Any](self.pool)

    async def break_down(self) -> None:
        self.pool.down = ConnectionError("cannot reach db://ada:s3cret@db1")

    async def hang(self) -> None:
        self.pool.answers.clear()

    async def mend(self) -> None:
        self.pool.down = None
        self.pool.answers.set()


class TestPool(HealthCheckSuite[Any]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Pooled]:
        pooled = Pooled()
        yield pooled
        assert pooled.pool.lent is None


async def found(pool: Any) -> HealthResult:
    return await PoolCheck[str](pool, timeout=5).check()


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test())

    del vars(run)["__wrapped__"]  # or pytest-asyncio would run the test itself
    return run


@in_virtual_time
async def test_what_is_lent_is_measured() -> None:
    pool: Any = OnePool()
    assert await found(pool) == HealthResult(HealthStatus.HEALTHY, measurement=Measurement("connections", 0))


@in_virtual_time
async def test_all_lent_is_busy_and_not_broken() -> None:
    pool: Any = OnePool()
    await pool.acquire()
    result = await found(pool)
    assert (result.status, result.cause) == (HealthStatus.DEGRADED, "PoolTimeoutError")
    assert result.measurement == Measurement("connections", 1)
    pool.refusal = PoolExhaustedError("others wait")
    result = await found(pool)
    assert (result.status, result.cause) == (HealthStatus.DEGRADED, "PoolExhaustedError")


@in_virtual_time
async def test_one_that_cannot_connect_is_down_for_what_it_cannot_connect_for() -> None:
    pool: Any = OnePool()
    pool.down = ConnectionRefusedError()
    result = await found(pool)
    assert (result.status, result.cause) == (HealthStatus.UNHEALTHY, "ConnectionRefusedError")


@in_virtual_time
async def test_one_that_is_stuck_is_down() -> None:
    pool: Any = OnePool()
    pool.answers.clear()
    result = await found(pool)
    assert (result.status, result.cause) == (HealthStatus.UNHEALTHY, "PoolTimeoutError")


@in_virtual_time
async def test_one_that_is_closed_is_down() -> None:
    pool: Any = OnePool()
    pool.refusal = PoolClosedError("closed")
    result = await found(pool)
    assert (result.status, result.cause) == (HealthStatus.UNHEALTHY, "PoolClosedError")
