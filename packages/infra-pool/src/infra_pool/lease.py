"""One borrow, held in the hand."""

from infra_pool._core import Core
from infra_pool._slot import Slot
from infra_pool.messages import PoolMessages
from infra_protocols import ConnectionInfo, ConnectionStatus, PoolLeaseError
from infra_result import Err, Ok, Result


class PoolLease[T]:
    """
    One borrow of one connection, as `ConnectionPool.acquire` returns it; good until it is released.

    Type parameters:
        T: the connection.

    >>> import asyncio
    >>> from infra_pool import ConnectionPool
    >>> class Lists:
    ...     async def create(self) -> list[str]: return []
    ...     async def destroy(self, connection: list[str]) -> None: ...
    ...     async def validate(self, connection: list[str]) -> bool: return True
    >>> async def main() -> None:
    ...     async with ConnectionPool(Lists(), name="lists") as pool:
    ...         lease = (await pool.acquire()).unwrap()
    ...         lease.connection.append("used")
    ...         print(lease.info.id, lease.release(), lease.release().is_err())
    >>> asyncio.run(main())
    lists-1 Ok(None) True
    """

    __slots__ = ("_core", "_released", "_slot")

    def __init__(self, core: Core[T], slot: Slot[T]) -> None:
        self._core = core
        self._slot = slot
        self._released = False

    @property
    def connection(self) -> T:
        """
        The connection.

        Raises:
            PoolLeaseError: it has been given back, or the pool was closed and has taken it.
        """
        if self._released or self._slot.state is not ConnectionStatus.IN_USE:
            raise self._was_released("lease.connection")
        return self._slot.connection

    @property
    def info(self) -> ConnectionInfo[T]:
        """What the pool knows about the connection, now."""
        return self._slot.info(self._core.clock)

    def release(self) -> Result[None, PoolLeaseError]:
        """
        Give the connection back; the same as `pool.release(lease)`.

        Raises:
            PoolLoopError: the pool was opened in another event loop or process.
        """
        if (stranger := self._core.home.stranger("lease.release")) is not None:
            raise stranger
        if self._released:
            return Err(self._was_released("lease.release"))
        self._released = True
        self._core.give_back(self._slot)
        return Ok(None)

    def is_of(self, core: Core[T]) -> bool:
        """Say whether this is a lease of the pool that has this core."""
        return self._core is core

    def _was_released(self, operation: str) -> PoolLeaseError:
        parameters = {"connection": self._slot.id}
        return PoolLeaseError(PoolMessages.POOL_LEASE_RELEASED, operation=operation, parameters=parameters)
