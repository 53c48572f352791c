"""How the pools of the gallery lend connections, make them and end them."""

import asyncio
import math
import traceback
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from logging import getLogger
from typing import Any

from infra_conformance.gallery.memory_books import Books, Waiter
from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_protocols.errors import PoolError, PoolExhaustedError, PoolLeaseError, ValidationError
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import PoolMetric
from infra_protocols.validation import or_raise, require_range
from infra_result import Err, Ok, Result

_log = getLogger("infra_conformance.gallery")


class Lending(Books):
    """
    What a pool does while it is open, when it is asked and in the background.

    >>> issubclass(Lending, Books)
    True
    """

    making: int
    coming: int
    ending: int
    failures: int
    next_try: float

    # -- Borrowing.

    async def acquire(self, timeout: float | None = None) -> Result[Lease, PoolError | ValidationError]:
        """Borrow."""
        checked = require_range(self.config.acquire_timeout if timeout is None else timeout, "timeout", min=0)
        if checked.is_err():
            return Err(checked.unwrap_err())
        if (refusal := self.refusal()) is not None:
            return Err(refusal)
        lease = self.take()
        if lease is None:
            seconds = checked.unwrap()
            if seconds == 0:
                return Err(self.timed_out(0))
            if self.is_crowded():
                return Err(PoolExhaustedError(ErrorMessages.POOL_EXHAUSTED))
            answer = await self.wait(seconds)
            if isinstance(answer, PoolError):
                return Err(answer)
            lease = answer
        if self.config.leak_after < math.inf:
            self.mind(lease, traceback.extract_stack())
        return Ok(lease)

    def take(self) -> Lease | None:
        """Lend what is idle, unless somebody waits."""
        self.tend()
        while self.idle and not self.waiters:
            slot = self.next_idle()
            if self.is_expired(slot) or not self.is_alive(slot):
                self.retire(slot)
            elif self.is_doubtful(slot):
                self.idle.append(slot)
                break
            else:
                self.measure(PoolMetric.WAIT_TIME, 0.0)
                return self.lend(slot)
        return None

    async def wait(self, seconds: float) -> Lease | PoolError:
        """Wait for a connection."""
        assert self.loop is not None
        waiter = Waiter(self.loop.create_future(), self.time())
        self.waiters.append(waiter)
        timer = None
        if seconds < math.inf:
            timer = self.loop.call_later(self.deadline(seconds), self.expire, waiter, seconds)
        self.tend()
        try:
            return await waiter.answer
        except PoolError as error:
            return error
        except asyncio.CancelledError:
            self.called_off(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in self.waiters:
                self.waiters.remove(waiter)

    def called_off(self, waiter: Waiter) -> None:
        """Take back what one was given who was cancelled before he knew."""
        if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.exception() is None:
            self.put_back(waiter.answer.result())

    def expire(self, waiter: Waiter, seconds: float) -> None:
        """Tell one who waits that his time is over."""
        if not waiter.answer.done():
            self.measure(PoolMetric.TIMEOUTS, 1.0)
            waiter.answer.set_exception(self.timed_out(seconds))

    def lend(self, slot: Slot) -> Lease:
        """Lend a connection."""
        slot.info = replace(slot.info, use_count=slot.info.use_count + 1)
        slot.lease = self.new_lease(slot)
        self.lent.append(slot)
        return slot.lease

    def mind(self, lease: Lease, stack: traceback.StackSummary) -> None:
        """Have it logged when a connection is out for too long."""
        assert self.loop is not None
        text = "".join(traceback.format_list(stack))
        lease.timer = self.loop.call_later(self.config.leak_after, self.tell_leak, lease, text)

    def tell_leak(self, lease: Lease, stack: str) -> None:
        """Log that a connection is out for too long."""
        _log.warning(
            "Connection %s is out for %g s; borrowed by\n%s", lease.slot.info.id, self.config.leak_after, stack
        )

    def connection(self, timeout: float | None = None) -> Any:
        """Borrow and give back."""

        @asynccontextmanager
        async def borrowed() -> AsyncGenerator[Any]:
            lease = or_raise(await self.acquire(timeout))
            try:
                yield lease.connection
            finally:
                self.release(lease)

        return borrowed()

    def release(self, lease: Any) -> Result[None, PoolLeaseError]:
        """Take a connection back."""
        if getattr(lease, "pool", None) is not self:
            return Err(PoolLeaseError(ErrorMessages.POOL_LEASE_FOREIGN))
        if lease.slot.lease is not lease:
            return Err(PoolLeaseError(ErrorMessages.POOL_LEASE_RELEASED))
        self.measure(PoolMetric.USE_TIME, self.time() - lease.since)
        self.put_back(lease)
        return Ok(None)

    def put_back(self, lease: Lease) -> None:
        """Decide what becomes of a connection that was lent."""
        slot = lease.slot
        self.end(slot)
        slot.use(self.time(), self.clock.now())
        if not self.is_open or self.is_surplus() or self.is_expired(slot) or not self.is_alive(slot):
            self.retire(slot)
        elif self.resets:
            self.spawn(self.reset(slot))
        else:
            self.give(slot)

    def end(self, slot: Slot) -> None:
        """End the lease of a connection."""
        if slot.lease is not None and slot.lease.timer is not None:
            slot.lease.timer.cancel()
        slot.lease = None
        self.lent.remove(slot)
        if not self.lent:
            self.drained.set()

    def give(self, slot: Slot) -> None:
        """Give a connection to who has waited longest, or keep it."""
        if self.waiting and self.is_doubtful(slot):
            self.spawn(self.vet(slot))
        else:
            self.hand(slot)

    def hand(self, slot: Slot) -> None:
        """Give a connection that is as it must be."""
        if not self.is_open or self.is_expired(slot) or not self.is_alive(slot):
            self.retire(slot)
            return
        waiter = self.next_waiter()
        if waiter is None:
            self.idle.append(slot)
        else:
            self.measure(PoolMetric.WAIT_TIME, self.time() - waiter.since)
            waiter.answer.set_result(self.lend(slot))
        self.tend()

    # -- What happens in the background.

    def tend(self) -> None:
        """Bring about all that is due."""
        if not self.is_open:
            return
        for slot in self.idle.copy():
            if self.is_expired(slot) or self.is_idle_too_long(slot) or self.staying > self.config.max_size:
                self.idle.remove(slot)
                self.retire(slot)
        while self.wanted() > 0:
            if self.idle:
                self.give(self.next_idle())
            elif self.has_room() and self.may_try():
                self.spawn(self.make(), maker=True)
            else:
                break
        while self.staying < self.config.min_size and self.has_room() and self.may_try():
            self.spawn(self.make(), maker=True)
        self.wind()

    def wind(self) -> None:
        """Set the timer to the next thing that is due."""
        due = [slot.dies for slot in self.idle]
        if self.staying > self.config.min_size:
            due += [slot.used + self.config.max_idle_time for slot in self.idle]
        if self.failures and self.making == 0:
            due.append(self.next_try)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.loop is not None and (first := min(due, default=math.inf)) < math.inf:
            self.timer = self.loop.call_later(max(first - self.time(), 0.001), self.tend)

    def spawn(self, work: Coroutine[Any, Any, None], *, maker: bool = False) -> None:
        """Run a task of the pool's own."""
        # Started at once: a task that is cancelled before its first step would not even clear away.
        task = asyncio.Task(work, loop=self.loop, eager_start=True)
        for tasks in (self.tasks, self.makers) if maker else (self.tasks,):
            if not task.done():
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    async def call(self, operation: Coroutine[Any, Any, Any]) -> Any:
        """Call the factory, for so long and no longer."""
        async with asyncio.timeout(self.config.factory_timeout):
            return await operation

    async def make(self) -> None:
        """Make a connection."""
        self.making += 1
        began, connection, error = self.time(), None, None
        try:
            connection = await self.call(self.factory.create())
        except (Exception, asyncio.CancelledError) as failure:
            error = failure
        self.making -= 1
        if error is None:
            self.made(connection, began)
        else:
            self.failed(error)
        self.tend()

    def made(self, connection: Any, began: float) -> None:
        """Take in a new connection."""
        self.failures, self.error, self.next_try = 0, None, -math.inf
        self.measure(PoolMetric.CREATE_TIME, self.time() - began)
        slot = Slot.of(connection, self.time(), self.lifetime(), self.clock.now())
        if self.is_surplus():
            self.retire(slot)
        else:
            self.hand(slot)

    def failed(self, error: BaseException) -> None:
        """Note that no connection could be made; of several at once, the first one counts."""
        self.error = error
        if self.time() >= self.next_try:
            self.failures += 1
            self.next_try = self.time() + self.pause()

    async def vet(self, slot: Slot) -> None:
        """Validate a connection for one who waits."""
        self.coming += 1
        if await self.passes(slot, self.factory.validate(slot.connection)):
            slot.use(self.time(), slot.info.last_used_at)
            self.coming -= 1
            self.hand(slot)
        else:
            self.coming -= 1
            self.reject(slot)

    async def reset(self, slot: Slot) -> None:
        """Reset a connection that has come back."""
        self.coming += 1
        good = await self.passes(slot, self.factory.reset(slot.connection))
        self.coming -= 1
        if good:
            self.give(slot)
        else:
            self.reject(slot)

    async def passes(self, slot: Slot, operation: Coroutine[Any, Any, Any]) -> bool:
        """Say whether the factory does something without an error or a no."""
        self.busy.append(slot)
        good = False
        with suppress(Exception, asyncio.CancelledError):
            good = await self.call(operation) is not False
        self.busy.remove(slot)
        return good

    def reject(self, slot: Slot) -> None:
        """Destroy a connection that the factory did not find well."""
        slot.fail()
        self.retire(slot)

    def retire(self, slot: Slot) -> None:
        """Destroy a connection."""
        self.spawn(self.destroy(slot))

    async def destroy(self, slot: Slot) -> None:
        """Destroy a connection, and see what is due then."""
        self.ending += 1
        await self.passes(slot, self.factory.destroy(slot.connection))
        self.ending -= 1
        self.tend()
