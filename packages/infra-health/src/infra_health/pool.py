"""A check of a pool of connections, by its port alone."""

from typing import Final

from infra_health.check import DependencyCheck
from infra_protocols import (
    ConnectionPoolProtocol,
    HealthResult,
    HealthStatus,
    Measurement,
    PoolExhaustedError,
    PoolStats,
    PoolTimeoutError,
    or_raise,
)
from infra_result import Err

_SHARE: Final = 0.8
"""How much of its time the check waits for a connection: enough is left to tell why there is none."""


class PoolCheck[T](DependencyCheck[ConnectionPoolProtocol[T]]):
    """
    Borrows a connection of a pool, and gives it back.

    A pool whose connections are all lent, so that none comes free in time, is busy and not broken: it is `DEGRADED`,
    lest load take away one instance of a service after another. It measures how many connections were lent.

    Type parameters:
        T: the connection.

    Args:
        dependency: the pool; it is open.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> def checks(pool: ConnectionPoolProtocol[list[str]]) -> PoolCheck[list[str]]:
    ...     return PoolCheck(pool, name="orders", timeout=1)
    """

    def __init__(self, dependency: ConnectionPoolProtocol[T], *, name: str = "pool", timeout: float = 5.0) -> None:
        super().__init__(dependency, name=name, timeout=timeout)

    async def probe(self) -> HealthResult:
        """Borrow a connection."""
        before = self.dependency.stats()
        borrowed = await self.dependency.acquire(_SHARE * self._timeout)
        if isinstance(borrowed, Err):
            error = borrowed.error
            if _is_busy(error, stats := self.dependency.stats()):
                return _measured(HealthResult.failed(error, HealthStatus.DEGRADED), stats)
            raise error.__cause__ or error
        or_raise(borrowed.value.release())
        return _measured(HealthResult(HealthStatus.HEALTHY), before)


def _is_busy(error: Exception, stats: PoolStats) -> bool:
    waited_in_vain = isinstance(error, PoolExhaustedError | PoolTimeoutError)
    return waited_in_vain and error.__cause__ is None and 0 < stats.total == stats.in_use


def _measured(result: HealthResult, stats: PoolStats) -> HealthResult:
    measurement = Measurement("connections", stats.in_use)
    return HealthResult(result.status, result.cause, result.message, measurement)
