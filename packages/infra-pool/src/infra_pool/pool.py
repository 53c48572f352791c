"""The pool."""

from contextvars import copy_context
from types import TracebackType
from typing import Any, Final, Self

from infra_pool._core import Core
from infra_pool._slot import Slot
from infra_pool.context import ConnectionPoolContext
from infra_pool.lease import PoolLease
from infra_pool.messages import PoolMessages
from infra_protocols import (
    Clock,
    ConnectionFactory,
    ConnectionPoolProtocol,
    PoolConfig,
    PoolError,
    PoolLeaseError,
    PoolLeaseProtocol,
    PoolMeter,
    PoolStats,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
    require_text,
    require_type,
)
from infra_result import Err, Ok, Result

_CLOCK: Final = SystemClock()
_CONFIG: Final = PoolConfig()
_FACTORY: Final[type[Any]] = ConnectionFactory


class ConnectionPool[T](ConnectionPoolProtocol[T]):
    """
    Lends connections of any kind, which a factory makes, checks and ends: the pool of `ConnectionPoolProtocol`.

    While connections cannot be made, attempts are made one at a time and spaced out, by a quarter of how long that has
    lasted: so few are made, however many wait, and its end is noticed within as much. Attempts that were under way
    together count as one. The beginning of such a time is logged as a warning to `infra_pool`, its end as information.

    What `is_alive` says is asked at each borrow and each return. Where one idle connection is found dead all others
    are looked at too, and those that are dead are destroyed in the background.

    An open pool that is idle has no task, only a timer or two.

    Args:
        factory: makes, looks after and ends the connections. Its calls see the context variables of whoever opened the
            pool, not of whoever caused them: a connection outlives the request for which it was made.
        config: sizes and times.
        clock: the time that all is decided by.
        meter: takes what is measured; without one nothing is.
        name: what the pool is called in logs and errors, and its connections by it, as `"pool-1"`.

    Type parameters:
        T: the connection.

    Raises:
        ValidationError: `factory` is no `ConnectionFactory`, `config` no `PoolConfig`, or `name` blank.

    >>> import asyncio
    >>> class Lists:
    ...     async def create(self) -> list[str]: return []
    ...     async def destroy(self, connection: list[str]) -> None: ...
    ...     async def validate(self, connection: list[str]) -> bool: return True
    >>> async def main() -> None:
    ...     async with ConnectionPool(Lists(), PoolConfig(max_size=2)) as pool:
    ...         async with pool.connection() as names:
    ...             names.append("Ada")
    ...             print(names, pool.stats().in_use)
    >>> asyncio.run(main())
    ['Ada'] 1
    """

    def __init__(
        self,
        factory: ConnectionFactory[T],
        config: PoolConfig = _CONFIG,
        *,
        clock: Clock = _CLOCK,
        meter: PoolMeter | None = None,
        name: str = "pool",
    ) -> None:
        or_raise(require_type(factory, "factory", _FACTORY))
        self._core: Core[T] = Core(
            factory,
            or_raise(require_type(config, "config", PoolConfig)),
            clock,
            meter,
            or_raise(require_text(name, "name")),
        )

    async def open(self) -> None:
        """
        Begin, and return when `min_size` connections were tried for once; those that fail are tried again later.

        To open an open pool again does nothing. An opening that is cancelled closes the pool.

        Raises:
            PoolClosedError: the pool was closed, which it stays.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        core = self._core
        if (stranger := core.home.stranger("pool.open")) is not None:
            raise stranger
        if core.opened and not core.closed:
            return
        if not core.closed:
            try:
                await core.open(copy_context())
            except BaseException:
                await core.close(0)
                raise
        if (refused := core.refusal("pool.open")) is not None:
            raise refused

    async def close(self, timeout: float | None = None) -> None:
        """
        Fail whoever waits, lend no more, wait for what is out, and destroy every connection.

        When the time is over, what is out is destroyed all the same; each connection has `factory_timeout` to end in.
        To close a closed pool does nothing, but wait with whoever closes it. A close that is cancelled does no less
        than one whose time is over.

        Args:
            timeout: the seconds to wait for what is out; `None` is `close_timeout`.

        Raises:
            ValidationError: `timeout` is negative.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        core = self._core
        seconds = core.config.close_timeout if timeout is None else or_raise(require_range(timeout, "timeout", min=0))
        if (stranger := core.home.stranger("pool.close")) is not None:
            raise stranger
        if core.opened:
            await core.close(seconds)
        core.closed = True

    async def __aenter__(self) -> Self:
        """Open the pool."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the pool."""
        await self.close()

    def connection(self, timeout: float | None = None) -> ConnectionPoolContext[T]:
        """
        Return a context manager that borrows a connection and gives it back.

        Args:
            timeout: the seconds that the borrower has in all, 0 for what is idle; `None` is `acquire_timeout`.

        Raises:
            PoolError: on entering, as `acquire` returns it.
            ValidationError: on entering: `timeout` is negative.
        """
        return ConnectionPoolContext(self._core, timeout)

    async def acquire(self, timeout: float | None = None) -> Result[PoolLease[T], PoolError | ValidationError]:
        """
        Borrow a connection; the lease says which, and has to be released.

        Args:
            timeout: the seconds that the borrower has in all, 0 for what is idle; `None` is `acquire_timeout`.

        Returns an `Err` with:
            PoolTimeoutError: the time is over; if connections could not be made, its `__cause__` says why.
            PoolExhaustedError: `max_waiting` others wait already, and no connection can be made for this one.
            PoolClosedError: the pool is not open, or was closed meanwhile.
            PoolLoopError: the pool was opened in another event loop or process.
            ValidationError: `timeout` is negative.
        """
        if timeout is not None and isinstance(checked := require_range(timeout, "timeout", min=0), Err):
            return checked
        outcome = self._core.take() or await self._core.wait(timeout)
        return Ok(PoolLease(self._core, outcome)) if isinstance(outcome, Slot) else Err(outcome)

    def release(self, lease: PoolLeaseProtocol[T]) -> Result[None, PoolLeaseError]:
        """
        Give a connection back.

        A lease that was released before, or is another pool's, is an `Err` and changes nothing, also when somebody
        else holds the connection by then. One whose connection a closing pool has taken can be released as any other.

        Raises:
            PoolLoopError: the pool was opened in another event loop or process.
        """
        if isinstance(lease, PoolLease) and lease.is_of(self._core):
            return lease.release()
        return Err(PoolLeaseError(PoolMessages.POOL_LEASE_FOREIGN, operation="pool.release"))

    def resize(self, min_size: int, max_size: int) -> None:
        """
        Change the bounds; what is idle beyond them goes at once, what is out when it comes back.

        Raises:
            ValidationError: a bound is not a whole number, or they are the wrong way round.
            PoolClosedError: the pool is not open.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        if (refused := self._core.refusal("pool.resize")) is not None:
            raise refused
        self._core.resize(min_size, max_size)

    def stats(self) -> PoolStats:
        """Return how many connections there are, in which state; it asks nobody, and costs next to nothing."""
        return self._core.stats()
