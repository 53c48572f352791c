"""One borrow, as a context manager."""

from types import TracebackType

from infra_pool._core import Core
from infra_pool._slot import Slot
from infra_pool.messages import PoolMessages
from infra_protocols import PoolLeaseError, or_raise, require_range


class ConnectionPoolContext[T]:
    """
    Borrows a connection on entering and gives it back on leaving, as `ConnectionPool.connection` returns it.

    It can be entered again once it was left.

    Type parameters:
        T: the connection, which it yields.

    >>> import asyncio
    >>> from infra_pool import ConnectionPool
    >>> class Lists:
    ...     async def create(self) -> list[str]: return []
    ...     async def destroy(self, connection: list[str]) -> None: ...
    ...     async def validate(self, connection: list[str]) -> bool: return True
    >>> async def main() -> int:
    ...     async with ConnectionPool(Lists()) as pool:
    ...         borrow: ConnectionPoolContext[list[str]] = pool.connection(timeout=1)
    ...         async with borrow as names:
    ...             return len(names)
    >>> asyncio.run(main())
    0
    """

    __slots__ = ("_core", "_slot", "_timeout")

    def __init__(self, core: Core[T], timeout: float | None) -> None:
        self._core = core
        self._timeout = timeout
        self._slot: Slot[T] | None = None

    async def __aenter__(self) -> T:
        """
        Borrow a connection.

        Raises:
            PoolError: as `ConnectionPool.acquire` returns it.
            PoolLeaseError: this borrow is being used already.
            ValidationError: the timeout is negative.
        """
        core = self._core
        if self._timeout is not None:
            or_raise(require_range(self._timeout, "timeout", min=0))
        slot = core.take()
        if slot is None:
            outcome = await core.wait(self._timeout)
            if not isinstance(outcome, Slot):
                raise outcome
            slot = outcome
        if self._slot is not None:
            core.give_back(slot)
            raise PoolLeaseError(PoolMessages.POOL_CONTEXT_IN_USE, operation="pool.connection")
        self._slot = slot
        return slot.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the connection back, however the block ended."""
        slot, self._slot = self._slot, None
        if slot is not None:
            self._core.give_back(slot)
