"""A check of PostgreSQL; it takes the extra `postgres`."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

from infra_health._extras import missing_extra
from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult

try:
    from psycopg import AsyncConnection
except ImportError as _error:
    raise missing_extra("postgres", _error) from _error


class PostgresCheck(DependencyCheck[Callable[[], Awaitable[AsyncConnection[Any]]]]):
    """
    Connects to a server, has it answer a query, and closes the connection.

    For a service that has a pool, `infra_health.PoolCheck` looks at what the service uses.

    Args:
        dependency: makes a connection, as `functools.partial(AsyncConnection.connect, url)` does.
        writable: whether the server has to take writes; a standby does not.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> import asyncio
    >>> asyncio.run(PostgresCheck.from_url("postgresql://ada:s3cret@127.0.0.1:1/shop").check()).cause
    'OperationalError'
    """

    def __init__(
        self,
        dependency: Callable[[], Awaitable[AsyncConnection[Any]]],
        *,
        writable: bool = True,
        name: str = "postgres",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._writable = writable

    @classmethod
    def from_url(cls, url: str, *, writable: bool = True, name: str = "postgres", timeout: float = 5.0) -> Self:
        """Return the check of the server at `url`, or whatever else libpq takes for where to connect."""
        connect = partial(AsyncConnection[Any].connect, url, autocommit=True)
        return cls(connect, writable=writable, name=name, timeout=timeout)

    async def probe(self) -> HealthResult | None:
        """Connect and ask."""
        async with await self.dependency() as connection:
            cursor = await connection.execute("SELECT current_setting('transaction_read_only')")
            (read_only,) = await cursor.fetchone() or ("",)
        if self._writable and read_only != "off":
            answer, expected = "that it only reads", "that it writes"
            raise HealthAnswerError(HealthMessages.HEALTH_WRONG_ANSWER.format(answer=answer, expected=expected))
