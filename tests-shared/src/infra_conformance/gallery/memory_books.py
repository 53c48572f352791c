"""What the pools of the gallery know of themselves, and what they decide by it."""

import asyncio
import math
import os
import random
from contextlib import suppress
from dataclasses import dataclass
from logging import getLogger
from typing import Any

from infra_conformance.gallery.memory_lease import Lease, Slot
from infra_protocols.backoff import full_jitter
from infra_protocols.clock import Clock
from infra_protocols.errors import PoolClosedError, PoolError, PoolLoopError, PoolTimeoutError
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import PoolConfig, PoolMeter, PoolMetric, PoolStats, SupportsIsAlive, SupportsReset

_log = getLogger("infra_conformance.gallery")


@dataclass(slots=True, eq=False)
class Waiter:
    """Who waits, for what, and since when."""

    answer: "asyncio.Future[Lease]"
    since: float


class Books:
    """
    The accounts of a pool, and the small decisions of which faults are made.

    >>> from infra_conformance.pool_script import Script
    >>> from infra_protocols import SystemClock
    >>> Books(Script(), PoolConfig(), SystemClock()).stats().total
    0
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

    def refusal(self) -> PoolError | None:
        """Return why nobody can borrow, if so."""
        if self.loop is not None and _running() is not self.loop:
            return PoolLoopError(ErrorMessages.POOL_WRONG_LOOP.format(place="event loop"))
        if self.process != os.getpid():
            return PoolLoopError(ErrorMessages.POOL_WRONG_LOOP.format(place="process"))
        return None if self.is_open else PoolClosedError(ErrorMessages.POOL_CLOSED)

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
