"""Making connections: when one may be made, and what comes of it."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from infra_pool._alarm import Alarm
from infra_pool._calls import Calls
from infra_pool._ledger import Ledger
from infra_pool._outage import Outage
from infra_pool._slot import Slot
from infra_pool._tasks import Tasks
from infra_pool._watch import Watch
from infra_pool.messages import PoolMessages
from infra_protocols import PoolConfig, PoolMetric

_LOG: Final = logging.getLogger("infra_pool")


class Making[T]:
    """
    Makes connections, while there is room: as many at a time as are needed, or one after the other in an outage.

    `made` is called with each new one, `retry` when there may be reason to make another.
    """

    def __init__(
        self,
        ledger: Ledger[T],
        calls: Calls[T],
        config: PoolConfig,
        watch: Watch,
        pool: str,
        made: Callable[[Slot[T]], None],
        retry: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._max_lifetime = config.max_lifetime
        self._watch = watch
        self._pool = pool
        self._made = made
        self._retry = retry
        self._now = watch.now
        self._outage = Outage(self._now, config.backoff, config.max_backoff)
        self._alarm = Alarm(self._now, retry)
        self._count = 0
        self._stopped = False

    @property
    def error(self) -> BaseException | None:
        """What the last attempt failed with, if no later one succeeded."""
        return self._outage.error

    def may_start(self) -> bool:
        if not self._ledger.has_room():
            return False
        return self._outage.error is None or (not self._ledger.creating and self._outage.left() <= 0)

    def start(self, tasks: Tasks) -> None:
        self._ledger.creating += 1
        tasks.start(self._make())

    def wait(self) -> None:
        """Call for another attempt when it is due, unless one is under way."""
        if not self._ledger.creating and (left := self._outage.left()) > 0:
            self._alarm.set(self._now() + left)

    def stop(self) -> None:
        self._stopped = True
        self._alarm.stop()

    async def _make(self) -> None:
        began = self._now()
        slot: Slot[T] | None = None
        error: BaseException = asyncio.CancelledError()
        try:
            slot = self._slot(await self._calls.create())
        except Exception as raised:
            error = raised
        finally:
            self._ledger.creating -= 1
            if slot is not None:
                self._ledger.slots.add(slot)
                self._succeeded(began)
                self._made(slot)
            elif not self._stopped:
                self._failed(began, error)
            self._retry()

    def _slot(self, connection: T) -> Slot[T]:
        self._count += 1
        born = self._now()
        # Those that were made together must not all end together.
        dies = born + self._max_lifetime * random.uniform(0.9, 1.0)
        return Slot(f"{self._pool}-{self._count}", connection, born, dies)

    def _succeeded(self, began: float) -> None:
        now = self._now()
        if self._outage.error is not None:
            _LOG.info(PoolMessages.POOL_OUTAGE_OVER.format(pool=self._pool, seconds=now - self._outage.since))
            self._outage.over()
        self._watch.measure(PoolMetric.CREATE_TIME, now - began)

    def _failed(self, began: float, error: BaseException) -> None:
        if self._outage.error is None:
            _LOG.warning(PoolMessages.POOL_OUTAGE.format(pool=self._pool), exc_info=error)
        self._outage.failed(began, error)
