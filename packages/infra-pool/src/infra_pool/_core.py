"""
The heart of a pool: who gets which connection next.

All accounts change in plain functions, never across an `await`: whatever is cancelled, and whenever, finds them in
order. Borrowers await nothing but their turn; what is asked of the factory is asked in tasks of the pool's own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import replace
from math import inf
from typing import Any, Final

from infra_pool._calls import Calls
from infra_pool._home import Home
from infra_pool._ledger import Ledger
from infra_pool._making import Making
from infra_pool._slot import Slot
from infra_pool._tasks import Tasks
from infra_pool._upkeep import Upkeep
from infra_pool._waiters import Refusal, Waiters
from infra_pool._watch import Watch
from infra_pool.messages import PoolMessages
from infra_protocols import (
    Clock,
    ConnectionFactory,
    ConnectionStatus,
    PoolClosedError,
    PoolConfig,
    PoolError,
    PoolExhaustedError,
    PoolMeter,
    PoolMetric,
    PoolStats,
    PoolTimeoutError,
)

_IDLE: Final = ConnectionStatus.IDLE
_IN_USE: Final = ConnectionStatus.IN_USE
_UNHEALTHY: Final = ConnectionStatus.UNHEALTHY


class Core[T]:
    """What a pool does; `ConnectionPool` is how it is asked to."""

    def __init__(
        self, factory: ConnectionFactory[T], config: PoolConfig, clock: Clock, meter: PoolMeter | None, name: str
    ) -> None:
        self.config: PoolConfig = config
        self.clock: Clock = clock
        self.home: Home = Home()
        self.opened: bool = False
        self.closed: bool = False
        self._name = name
        self._now = clock.monotonic
        self._ledger = Ledger[T](config.min_size, config.max_size)
        self._waiters = Waiters[T](self._now)
        self._calls = Calls(factory, config.factory_timeout, name)
        self._watch = Watch(meter, config.leak_after, self._now, name)
        self._making = Making(self._ledger, self._calls, config, self._watch, name, self._made, self._pump)
        self._upkeep = Upkeep(self._ledger, config.max_idle_time, self._now, self._retire)
        # At hand for the quick way through.
        self._idle, self._queue = self._ledger.idle, self._waiters.queue
        self._checks, self._resets, self._watches = self._calls.checks, self._calls.resets, self._watch.watches
        self._validation_interval = config.validation_interval
        self._pumping = self._crowded = False
        self._returned: asyncio.Future[None] | None = None

    # Lending

    def take(self) -> Slot[T] | None:
        """Lend an idle connection at once, if nobody waits already, and one need not be asked whether it is sound."""
        idle = self._idle
        if not idle or self._queue or asyncio.get_running_loop() is not self.home.loop:
            return None
        slot, now = idle[-1], self._now()
        if now >= slot.dies or (self._checks and not self._calls.alive(slot)):
            self._weed()
            if not idle:
                return None
            slot = idle[-1]
        if now - slot.used >= self._validation_interval:
            return None
        idle.pop()
        slot.state = _IN_USE
        slot.uses += 1
        if self._watches:
            self._watch.lent(slot, 0.0)
        return slot

    async def wait(self, timeout: float | None) -> Slot[T] | PoolError:
        """Lend the next connection that there is, once all those who came before have theirs."""
        if (refused := self.refusal("pool.acquire")) is not None:
            return refused
        if len(self._queue) >= self.config.max_waiting and not self._idle and not self._making.may_start():
            return PoolExhaustedError(PoolMessages.POOL_EXHAUSTED, operation="pool.acquire", parameters=self._facts())
        if timeout is None:
            timeout = self.config.acquire_timeout
        if timeout == 0 and not self._idle:
            self._prepare()
            return self._refused(timeout, Refusal.TIMEOUT)
        began = self._now()
        waiter = self._waiters.join(began + timeout)
        if self._idle or self._ledger.has_room():
            self._pump()  # else there is nothing to start
        try:
            outcome = await waiter
        except BaseException:
            slot = self._waiters.leave(waiter)
            if slot is not None and slot.state is _IN_USE:
                self._give(slot)
            raise
        if isinstance(outcome, Refusal) or outcome.state is not _IN_USE:
            return self._refused(timeout, outcome)
        outcome.uses += 1
        if self._watches:
            self._watch.lent(outcome, self._now() - began)
        return outcome

    def give_back(self, slot: Slot[T]) -> None:
        """Take back what was lent; nothing, if the pool was closed and has taken it already."""
        if self._watches:
            self._watch.returned(slot)
        if slot.state is not _IN_USE:
            return
        slot.used = now = self._now()
        if now >= slot.dies or (self._checks and not self._calls.alive(slot)):
            self._retire(slot)
        elif self._resets and not self.closed:
            self._tend(slot, self._reset(slot))
        else:
            self._hand_on(slot)

    def refusal(self, operation: str) -> PoolError | None:
        """Return why nothing can be had here and now, if so."""
        if (stranger := self.home.stranger(operation)) is not None:
            return stranger
        if self.closed or not self.opened:
            message = PoolMessages.POOL_CLOSED if self.closed else PoolMessages.POOL_NOT_OPEN
            return PoolClosedError(message, operation=operation, parameters={"pool": self._name})
        return None

    def _refused(self, timeout: float, outcome: Slot[T] | Refusal) -> PoolError:
        if outcome is not Refusal.TIMEOUT:  # closed; what it had been handed was taken back by that
            return PoolClosedError(PoolMessages.POOL_CLOSED, operation="pool.acquire", parameters=self._facts())
        self._watch.measure(PoolMetric.TIMEOUTS, 1)
        message = PoolMessages.POOL_ACQUIRE_TIMEOUT.format(timeout=timeout)
        error = PoolTimeoutError(message, operation="pool.acquire", parameters=self._facts())
        error.__cause__ = self._making.error
        return error

    def stats(self) -> PoolStats:
        return self._ledger.stats(len(self._queue))

    def _facts(self) -> dict[str, object]:
        return {"pool": self._name, "total": len(self._ledger.slots), "waiting": len(self._queue)}

    # Opening, resizing, closing

    async def open(self, context: Context) -> None:
        self.home.settle()
        self.opened = True
        self._tending = Tasks(context, self.config.factory_timeout)
        self._ending = Tasks(context, self.config.factory_timeout)
        self._pump()
        await self._tending.settled()

    def resize(self, min_size: int, max_size: int) -> None:
        checked = replace(self.config, min_size=min_size, max_size=max_size)
        self._ledger.min_size, self._ledger.max_size = checked.min_size, checked.max_size
        while self._idle and self._ledger.excess() > 0:
            self._retire(self._idle.popleft())
        self._crowded = True  # until `_give` finds that it is not so
        self._pump()
        self._upkeep.plan()

    async def close(self, timeout: float) -> None:
        returned = self._begin_closing()
        try:
            if timeout > 0:
                await asyncio.wait([returned], timeout=None if timeout == inf else timeout)
        finally:
            for slot in [slot for slot in self._ledger.slots if slot.state is _IN_USE]:
                self._retire(slot)
            await self._tending.ended()
            await self._ending.ended()

    def _begin_closing(self) -> "asyncio.Future[None]":
        """Return what is done when everything that was lent has come back."""
        if self._returned is None:
            self._returned = asyncio.get_running_loop().create_future()
            self.closed = self._crowded = True
            self._making.stop()
            self._upkeep.stop()
            self._waiters.refuse_all()
            self._tending.cancel()
            while self._idle:
                self._retire(self._idle.pop())
            self._note_returned(self._returned)
        return self._returned

    def _note_returned(self, returned: "asyncio.Future[None]") -> None:
        if not returned.done() and not self._ledger.lent():
            returned.set_result(None)

    # Where a connection goes next

    def _hand_on(self, slot: Slot[T]) -> None:
        if self._validation_interval > 0 or not self._queue:
            self._give(slot)
        else:  # each loan is to be validated, and this would be one
            self._tend(slot, self._validate(slot))

    def _give(self, slot: Slot[T]) -> None:
        if self._crowded and self._is_too_many():
            self._retire(slot)
        elif self._queue and self._waiters.serve(slot):
            slot.state = _IN_USE
        else:
            slot.state = _IDLE
            self._idle.append(slot)

    def _is_too_many(self) -> bool:
        excess = self._ledger.excess()
        self._crowded = self.closed or excess + self._ledger.creating > 0
        return self.closed or excess > 0

    def _weed(self) -> None:
        """Retire all that are idle and not fit to be lent: where one has died, more may have."""
        now = self._now()
        for slot in [slot for slot in self._idle if now >= slot.dies or not self._calls.alive(slot)]:
            self._idle.remove(slot)
            self._retire(slot)

    def _retire(self, slot: Slot[T]) -> None:
        slot.state = _UNHEALTHY
        self._ledger.dying += 1
        if self._returned is not None:
            self._note_returned(self._returned)
        self._ending.start(self._destroy(slot))
        self._pump()

    def _pump(self) -> None:
        """Start all that those who wait, and `min_size`, ask for."""
        if self._pumping or self.closed:
            return  # what it starts may be done at once, and come back here: the loop below sees to it
        self._pumping = True
        try:
            while self._start_one():
                pass
        finally:
            self._pumping = False

    def _start_one(self) -> bool:
        ledger = self._ledger
        unserved = len(self._queue) - ledger.tended - ledger.creating
        if unserved > 0 and self._idle:
            self._check(self._idle.pop())
        elif unserved <= 0 and not ledger.lacks():
            return False
        elif self._making.may_start():
            self._making.start(self._tending)
        else:
            self._making.wait()
            return False
        return True

    def _check(self, slot: Slot[T]) -> None:
        now = self._now()
        if now >= slot.dies or (self._checks and not self._calls.alive(slot)):
            self._retire(slot)
        elif now - slot.used < self._validation_interval:
            self._give(slot)
        else:
            self._tend(slot, self._validate(slot))

    def _prepare(self) -> None:
        """Have a connection made for the next borrower who cannot wait, as there is none for this one."""
        if not self._ledger.creating and not self._ledger.tended and self._making.may_start():
            self._making.start(self._tending)

    def _made(self, slot: Slot[T]) -> None:
        self._give(slot)
        if not self.closed:
            self._upkeep.expect(slot)

    # The pool's own tasks

    def _tend(self, slot: Slot[T], task: Coroutine[Any, Any, None]) -> None:
        slot.state = _UNHEALTHY
        self._ledger.tended += 1
        self._tending.start(task)

    async def _validate(self, slot: Slot[T]) -> None:
        sound = False
        try:
            sound = await self._calls.validate(slot)
        finally:
            self._tended(slot, sound, self._give)

    async def _reset(self, slot: Slot[T]) -> None:
        sound = False
        try:
            sound = await self._calls.reset(slot)
        finally:
            self._tended(slot, sound, self._hand_on)

    def _tended(self, slot: Slot[T], sound: bool, on: Callable[[Slot[T]], None]) -> None:
        self._ledger.tended -= 1
        if sound and self._calls.alive(slot):
            slot.used = self._now()
            on(slot)
        else:
            slot.failures += 1
            self._retire(slot)

    async def _destroy(self, slot: Slot[T]) -> None:
        try:
            await self._calls.destroy(slot)
        finally:
            self._ledger.slots.discard(slot)
            self._ledger.dying -= 1
            slot.state = ConnectionStatus.CLOSED
            self._pump()
