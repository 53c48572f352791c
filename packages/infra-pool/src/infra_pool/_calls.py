"""The calls of a factory, made in tasks of the pool."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, cast

from infra_pool._slot import Slot
from infra_pool._tasks import is_overdue
from infra_pool.messages import PoolMessages
from infra_protocols import ConnectionFactory, SupportsIsAlive, SupportsReset

_LOG: Final = logging.getLogger("infra_pool")


class Calls[T]:
    """What a pool asks of its factory. Only `create` raises; of the rest, what went wrong is logged."""

    __slots__ = ("_factory", "_is_alive", "_limit", "_pool", "_reset")

    def __init__(self, factory: ConnectionFactory[T], limit: float, pool: str) -> None:
        self._factory = factory
        self._limit = limit
        self._pool = pool
        self._reset: Callable[[T], Awaitable[None]] | None = None
        if isinstance(factory, SupportsReset):
            self._reset = cast("SupportsReset[T]", factory).reset
        self._is_alive: Callable[[T], bool] | None = None
        if isinstance(factory, SupportsIsAlive):
            self._is_alive = cast("SupportsIsAlive[T]", factory).is_alive

    @property
    def checks(self) -> bool:
        return self._is_alive is not None

    @property
    def resets(self) -> bool:
        return self._reset is not None

    async def create(self) -> T:
        return await self._ask("create", self._factory.create())

    async def validate(self, slot: Slot[T]) -> bool:
        try:
            return await self._ask("validate", self._factory.validate(slot.connection))
        except Exception as error:
            self._log("validate", slot, error)
            return False

    async def reset(self, slot: Slot[T]) -> bool:
        assert self._reset is not None
        try:
            await self._ask("reset", self._reset(slot.connection))
        except Exception as error:
            self._log("reset", slot, error)
            return False
        return True

    async def destroy(self, slot: Slot[T]) -> None:
        try:
            await self._ask("destroy", self._factory.destroy(slot.connection))
        except Exception as error:
            self._log("destroy", slot, error)

    def alive(self, slot: Slot[T]) -> bool:
        if self._is_alive is None:
            return True
        try:
            return self._is_alive(slot.connection)
        except Exception as error:
            self._log("is_alive", slot, error)
            return False

    async def _ask[R](self, name: str, call: Awaitable[R]) -> R:
        try:
            return await call
        except asyncio.CancelledError as error:
            if not is_overdue():
                raise
            raise TimeoutError(PoolMessages.POOL_CALL_TOO_SLOW.format(call=name, timeout=self._limit)) from error

    def _log(self, call: str, slot: Slot[T], error: Exception) -> None:
        _LOG.warning(PoolMessages.POOL_CALL_FAILED.format(pool=self._pool, call=call, id=slot.id), exc_info=error)
