"""A correct pool, as plain as can be: the faulty ones of the gallery are made from it."""

import asyncio
import math
import os
import random
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from logging import getLogger
from types import TracebackType
from typing import Any, Self

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import Script
from infra_protocols.backoff import full_jitter
from infra_protocols.clock import Clock
from infra_protocols.errors import (
    PoolClosedError,
    PoolError,
    PoolExhaustedError,
    PoolLeaseError,
    PoolLoopError,
    PoolTimeoutError,
    ValidationError,
)
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import PoolConfig, PoolMeter, PoolMetric, PoolStats, SupportsIsAlive, SupportsReset
from infra_protocols.validation import or_raise, require_range, require_type
from infra_result import Err, Ok, Result

_log = getLogger("infra_conformance.gallery")


@dataclass(slots=True, eq=False)
class Waiter:
    """Who waits, for what, and since when."""

    answer: "asyncio.Future[Lease]"
    since: float


class MemoryPool:
    """
    A correct pool: whatever counts changes between two awaits, and the factory is called in the pool's own tasks alone.

    >>> from infra_conformance.pool_script import Script
    >>> from infra_protocols import SystemClock
    >>> async def main() -> int:
    ...     async with MemoryPool(Script(), PoolConfig(min_size=2), SystemClock()) as pool:
    ...         return pool.stats().idle
    >>> asyncio.run(main())
    2
    """

    def __init__(self, factory: Any, config: PoolConfig, clock: Clock, meter: PoolMeter | None = None) -> None:
        self.factory = factory
        self.config: PoolConfig = config
        self.clock = clock
        self.meter = meter
        self.tells: bool = isinstance(factory, SupportsIsAlive)
        self.resets: bool = isinstance(factory, SupportsReset)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.process: int = os.getpid()
        self.is_open: bool = False
        self.closing: asyncio.Task[None] | None = None
        self.closed: bool = False
        self.idle: list[Slot] = []
        self.lent: list[Slot] = []
        self.busy: list[Slot] = []
        self.ending: int = 0
        """How many that are busy are being destroyed."""
        self.making: int = 0
        self.coming: int = 0
        """How many that are busy come to one who waits."""
        self.waiters: list[Waiter] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.makers: set[asyncio.Task[None]] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.drained: asyncio.Event = asyncio.Event()
        self.failures: int = 0
        self.next_try: float = -math.inf
        self.error: BaseException | None = None

    # -- What the faults change, in small pieces.

    def new_lease(self, slot: Slot) -> Lease:
        """Return a lease of a connection."""
        return Lease(self, slot, self.time())

    @property
    def total(self) -> int:
        """How many connections there are."""
        return len(self.idle) + len(self.lent) + len(self.busy)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not waiter.answer.done() for waiter in self.waiters)

    @property
    def staying(self) -> int:
        """How many connections there will be, when all that is being done is done."""
        return self.total - self.ending + self.making

    def time(self) -> float:
        """Return the time."""
        return self.clock.monotonic()

    def next_waiter(self) -> Waiter | None:
        """Take out who has waited longest."""
        while self.waiters:
            if not (waiter := self.waiters.pop(0)).answer.done():
                return waiter
        return None

    def next_idle(self) -> Slot:
        """Take out what was used last."""
        return self.idle.pop()

    def wanted(self) -> int:
        """Return how many wait for whom nothing is on its way."""
        return self.waiting - self.making - self.coming

    def is_crowded(self) -> bool:
        """Say whether as many wait as may."""
        return self.waiting >= self.config.max_waiting

    def has_room(self) -> bool:
        """Say whether there may be one more connection."""
        return self.total + self.making < self.config.max_size

    def is_surplus(self) -> bool:
        """Say whether a connection that is in no list would be one too many."""
        return self.staying >= self.config.max_size

    def may_try(self) -> bool:
        """Say whether, after a failure, it is time to try again."""
        return self.time() >= self.next_try and (self.failures == 0 or self.making == 0)

    def is_alive(self, slot: Slot) -> bool:
        """Say whether a connection is alive, as far as the factory can tell."""
        if not self.tells:
            return True
        with suppress(Exception):
            return self.factory.is_alive(slot.connection)
        return False

    def is_expired(self, slot: Slot) -> bool:
        """Say whether the lifetime of a connection is over."""
        return self.time() >= slot.dies

    def is_idle_too_long(self, slot: Slot) -> bool:
        """Say whether a connection was not used for too long, and is one too many."""
        return self.time() >= slot.used + self.config.max_idle_time and self.staying > self.config.min_size

    def is_doubtful(self, slot: Slot) -> bool:
        """Say whether a connection has to be validated before it is lent."""
        return self.time() >= slot.used + self.config.validation_interval

    def lifetime(self) -> float:
        """Return how long a new connection lives."""
        return self.config.max_lifetime * random.uniform(0.9, 1.0)

    def pause(self) -> float:
        """Return how long to wait after a failure."""
        return full_jitter(self.failures - 1, self.config.backoff, self.config.max_backoff)

    def deadline(self, seconds: float) -> float:
        """Return how long one waits who has so many seconds."""
        return seconds

    def timed_out(self, timeout: float) -> PoolTimeoutError:
        """Return the error of who got nothing in time."""
        error = PoolTimeoutError(ErrorMessages.POOL_ACQUIRE_TIMEOUT.format(timeout=timeout))
        error.__cause__ = self.error
        return error

    # -- Borrowing.

    def refusal(self) -> PoolError | None:
        """Return why nobody can borrow, if so."""
        if self.loop is not None and _running() is not self.loop:
            return PoolLoopError(ErrorMessages.POOL_WRONG_LOOP.format(place="event loop"))
        if self.process != os.getpid():
            return PoolLoopError(ErrorMessages.POOL_WRONG_LOOP.format(place="process"))
        return None if self.is_open else PoolClosedError(ErrorMessages.POOL_CLOSED)

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

    # -- Its life.

    async def open(self) -> None:
        """Begin."""
        if self.loop is not None and isinstance(refusal := self.refusal(), PoolLoopError):
            raise refusal
        if self.closed:
            raise PoolClosedError(ErrorMessages.POOL_CLOSED)
        if self.is_open:
            return
        self.loop, self.is_open = asyncio.get_running_loop(), True
        self.tend()
        try:
            if self.tasks:
                await asyncio.wait(self.tasks.copy())
        except asyncio.CancelledError:
            self.shut(0)
            raise

    async def close(self, timeout: float | None = None) -> None:
        """End."""
        seconds = or_raise(require_range(self.config.close_timeout if timeout is None else timeout, "timeout", min=0))
        if self.loop is not None and isinstance(refusal := self.refusal(), PoolLoopError):
            raise refusal
        try:
            await asyncio.shield(self.shut(seconds))
        except asyncio.CancelledError:
            self.drained.set()
            raise

    def shut(self, seconds: float) -> "asyncio.Task[None]":
        """Begin to close, unless that was begun before."""
        if self.closing is None:
            self.is_open, self.closed = False, True
            self.drained.clear()
            self.closing = asyncio.get_running_loop().create_task(self.wind_up(seconds))
            self.let_go()
        return self.closing

    def let_go(self) -> None:
        """End all that nobody has borrowed, and turn away who waits."""
        if self.timer is not None:
            self.timer.cancel()
        while (waiter := self.next_waiter()) is not None:
            waiter.answer.set_exception(PoolClosedError(ErrorMessages.POOL_CLOSED))
        for maker in self.makers.copy():
            maker.cancel()
        while self.idle:
            self.retire(self.idle.pop())

    async def wind_up(self, seconds: float) -> None:
        """Wait for what is out, and end it."""
        if self.lent:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.drained.wait(), seconds)
        self.force()
        while self.tasks:
            await asyncio.wait(self.tasks.copy())

    def force(self) -> None:
        """End what is out."""
        for slot in self.lent.copy():
            self.end(slot)
            self.retire(slot)

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def resize(self, min_size: int, max_size: int) -> None:
        """Change the bounds."""
        or_raise(require_type(max_size, "max_size", int))
        or_raise(require_type(min_size, "min_size", int))
        or_raise(require_range(max_size, "max_size", min=1))
        or_raise(require_range(min_size, "min_size", min=0, max=max_size))
        if (refusal := self.refusal()) is not None:
            raise refusal
        self.config = replace(self.config, min_size=min_size, max_size=max_size)
        self.tend()

    def stats(self) -> PoolStats:
        """Count."""
        return PoolStats(
            idle=len(self.idle),
            in_use=len(self.lent),
            unhealthy=len(self.busy),
            total=self.total,
            pending=self.making,
            waiting=self.waiting,
        )

    def measure(self, metric: PoolMetric, value: float) -> None:
        """Tell the meter."""
        if self.meter is None:
            return
        try:
            self.meter(metric, value)
        except Exception:
            _log.exception("The meter failed")


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def faulty(subject: Callable[..., Any], *caught_by: str) -> Fault:
    """Return the fault of a pool, and the numbers of the checks that must catch it."""

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[Pools[Any]]:
        pools = Pools[Any](subject, Script, clock)
        yield pools
        await pools.end()

    return Fault(make, subject.__name__, frozenset(f"pool-{number}" for number in caught_by))
