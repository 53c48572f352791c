"""The port of connection pools: what a pool and its factory promise, and the data that crosses it."""

import math
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from infra_protocols.errors import PoolError, PoolLeaseError, ValidationError
from infra_protocols.messages import ErrorMessages
from infra_protocols.status import ConnectionStatus
from infra_protocols.validation import or_raise, require_range, require_type
from infra_result import Result


@runtime_checkable
class ConnectionFactory[T](Protocol):
    """
    Makes, looks after and ends the connections of a pool.

    A pool runs each call in a task of its own and gives it so much time; a call that takes longer is cancelled, and its
    connection destroyed. A factory may also have `is_alive` (see `SupportsIsAlive`) and `reset` (see `SupportsReset`).

    Type parameters:
        T: the connection.

    >>> class Connections:
    ...     async def create(self) -> list[str]: return []
    ...     async def destroy(self, connection: list[str]) -> None: ...
    ...     async def validate(self, connection: list[str]) -> bool: return True
    >>> isinstance(Connections(), ConnectionFactory)
    True
    """

    async def create(self) -> T:
        """Return a new connection, ready for use; what it raises is tried again after a while."""
        ...

    async def destroy(self, connection: T) -> None:
        """
        End `connection`, whatever state it is in; it is not used again, even when this raises.

        To end it again does nothing. A call that is cancelled ends it all the same.
        """
        ...

    async def validate(self, connection: T) -> bool:
        """Ask the other side whether `connection` still works; `False`, or an error, and it is destroyed."""
        ...


@runtime_checkable
class SupportsIsAlive[T](Protocol):
    """
    A factory that can tell, without waiting, that a connection has ended.

    Type parameters:
        T: the connection.

    >>> class Connections:
    ...     def is_alive(self, connection: list[str]) -> bool: return not connection
    >>> isinstance(Connections(), SupportsIsAlive)
    True
    """

    def is_alive(self, connection: T) -> bool:
        """
        Say whether `connection` may still be used: a closed flag, one look at its socket; asked at each borrow.

        A connection at which this raises counts as dead.
        """
        ...


@runtime_checkable
class SupportsReset[T](Protocol):
    """
    A factory whose connections have to be made as new between two borrowers.

    Type parameters:
        T: the connection.

    >>> class Connections:
    ...     async def reset(self, connection: list[str]) -> None: connection.clear()
    >>> isinstance(Connections(), SupportsReset)
    True
    """

    async def reset(self, connection: T) -> None:
        """Make `connection` as good as new: no transaction, no half-read reply; on an error it is destroyed."""
        ...


@dataclass
class ConnectionInfo[T]:
    """
    What a pool knows about one of its connections; a copy, which does not change with the pool.

    Type parameters:
        T: the connection.

    >>> ConnectionInfo("c-1", connection=[]).state.value
    'idle'
    """

    id: str
    connection: T
    state: ConnectionStatus = ConnectionStatus.IDLE
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_used_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    use_count: int = 0
    health_check_failures: int = 0
    """How often `validate` or `reset` went wrong with it: once at most, for it is destroyed then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """
    How large a pool is, and how long things may take. All times are seconds; `math.inf` is for ever.

    Raises:
        ValidationError: a value is not a number, or out of its bounds.

    >>> PoolConfig(max_size=20).acquire_timeout
    30.0
    >>> PoolConfig(min_size=3, max_size=2)
    Traceback (most recent call last):
    infra_protocols.ValidationError: min_size must be between 0 and 2 [field='min_size', kind='int', min=0, max=2]
    """

    min_size: int = 0
    """How many connections are kept even when nobody needs them."""
    max_size: int = 10
    """How many connections there are at most, those that are being made included."""
    acquire_timeout: float = 30.0
    """How long a borrower waits in all, unless it says otherwise: for its turn, and for the connection to be made."""
    max_waiting: float = math.inf
    """
    How many borrowers may wait. One more gets a `PoolExhaustedError` at once, unless a connection can be made for it;
    without a bound by default.
    """
    max_lifetime: float = 3600.0
    """How old a connection gets, less up to a tenth by chance, so that not all end at once; ends between borrowers."""
    max_idle_time: float = 600.0
    """After how long without use a connection is ended, down to `min_size` of them."""
    validation_interval: float = 30.0
    """After how long without use a connection is validated before it is lent; 0 is before every loan."""
    factory_timeout: float = 10.0
    """How long each call of the factory may take."""
    close_timeout: float = 10.0
    """How long a close waits for what is out, unless it says otherwise."""
    backoff: float = 0.15
    """How long is waited, less up to a third by chance, after a connection could not be made; longer as that lasts."""
    max_backoff: float = 5.0
    """How long is waited between two such attempts, at most."""
    leak_after: float = math.inf
    """After how long out a connection is logged, once, as leaked, with the stack of its borrower; that costs time."""

    def __post_init__(self) -> None:
        """Refuse what is out of bounds."""
        or_raise(require_type(self.max_size, "max_size", int))
        or_raise(require_range(self.max_size, "max_size", min=1))
        or_raise(require_type(self.min_size, "min_size", int))
        or_raise(require_range(self.min_size, "min_size", min=0, max=self.max_size))
        for name in ("max_waiting", "validation_interval", "close_timeout"):
            or_raise(require_range(getattr(self, name), name, min=0))
        for name in ("acquire_timeout", "max_lifetime", "max_idle_time", "factory_timeout", "backoff", "leak_after"):
            or_raise(require_range(getattr(self, name), name, above=0))
        or_raise(require_range(self.max_backoff, "max_backoff", min=self.backoff))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """
    How many connections a pool has, in which state, and how many borrowers wait, all at one moment.

    Raises:
        ValidationError: a count is negative, or the states do not add up to `total`.

    >>> PoolStats(idle=2, in_use=1, total=3).unhealthy
    0
    >>> PoolStats(idle=2, in_use=1, total=4)
    Traceback (most recent call last):
    infra_protocols.ValidationError: idle + in_use + unhealthy is 3, and total is 4 [field='total', kind='int']
    """

    idle: int = 0
    """Ready to be lent."""
    in_use: int = 0
    """Lent."""
    unhealthy: int = 0
    """Neither: being validated, reset or destroyed."""
    total: int = 0
    """All that there are."""
    pending: int = 0
    """Being made; not yet in `total`, which with these is never above `max_size`."""
    waiting: int = 0
    """Borrowers that wait."""

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        for each in fields(self):
            or_raise(require_range(getattr(self, each.name), each.name, min=0))
        counted = self.idle + self.in_use + self.unhealthy
        if counted != self.total:
            message = ErrorMessages.POOL_COUNTS_DIFFER.format(counted=counted, total=self.total)
            raise ValidationError(message, field="total", kind=type(self.total).__name__)


class PoolMetric(str, Enum):
    """
    What a pool measures, under the names of OpenTelemetry's semantic conventions for database client connections.

    >>> PoolMetric.WAIT_TIME.value
    'db.client.connection.wait_time'
    """

    CREATE_TIME = "db.client.connection.create_time"
    """Seconds it took to make a connection."""
    WAIT_TIME = "db.client.connection.wait_time"
    """Seconds a borrower waited for its connection."""
    USE_TIME = "db.client.connection.use_time"
    """Seconds a connection was out."""
    TIMEOUTS = "db.client.connection.timeouts"
    """1 for each borrower that got no connection in its time."""


class PoolMeter(Protocol):
    """
    Takes what a pool measures, as it happens.

    It is called inside the pool: it must not wait, and what it raises is logged. The gauges of the same conventions
    (`count` by state, `max`, `idle.min`, `pending_requests`) are in `PoolStats` and `PoolConfig`, to be read when they
    are asked for.

    >>> measured: list[tuple[str, float]] = []
    >>> def meter(metric: PoolMetric, value: float) -> None:
    ...     measured.append((metric.value, value))
    """

    def __call__(self, metric: PoolMetric, value: float, /) -> None:
        """Take one value of `metric`."""
        ...


class PoolLeaseProtocol[T](Protocol):
    """
    One borrow of one connection, good until it is given back.

    Type parameters:
        T: the connection.

    >>> def uses(lease: PoolLeaseProtocol[list[str]]) -> int:
    ...     lease.connection.append("used")
    ...     return lease.info.use_count
    """

    @property
    def connection(self) -> T:
        """
        The connection.

        Raises:
            PoolLeaseError: it has been given back.
        """
        ...

    @property
    def info(self) -> ConnectionInfo[T]:
        """What the pool knows about the connection, now; also when it has been given back."""
        ...

    def release(self) -> Result[None, PoolLeaseError]:
        """
        Give the connection back; the same as `pool.release(lease)`.

        Raises:
            PoolLoopError: the pool was opened in another event loop or process.
        """
        ...


@runtime_checkable
class ConnectionPoolProtocol[T](Protocol):
    """
    Lends connections, and gets every one of them back.

    - **Order.** Borrowers are served in the order in which they came; a connection that is given back goes straight to
      the first who waits. Among idle ones, the one last used is lent first.
    - **Bounds.** There are never more than `max_size` connections, those being made included.
    - **Nothing is lost.** Whatever is cancelled, times out, fails or is closed, and whenever: no connection is lost,
      none is lent twice, and nobody loses its turn.
    - **No dead connection** is lent if the factory's `is_alive` can tell. One that is older than its lifetime, was idle
      too long, or is found dead is destroyed and, down to `min_size`, replaced in the background.
    - **Outages.** While connections cannot be made, one attempt is made at a time, and these are spaced out, however
      many wait; borrowers wait on until their time is over, and the first connection that can be made ends it.

    A pool is bound to the event loop and the process in which it is opened: in another, every method but `stats`
    refuses with a `PoolLoopError`.

    Type parameters:
        T: the connection.

    >>> async def names(pool: ConnectionPoolProtocol[list[str]]) -> int:
    ...     async with pool.connection(timeout=1) as names:
    ...         return len(names)
    """

    async def open(self) -> None:
        """
        Begin, and return when `min_size` connections were tried for once; those that fail are tried again later.

        To open an open pool again does nothing. An opening that is cancelled closes the pool.

        Raises:
            PoolClosedError: the pool was closed, which it stays.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        ...

    async def close(self, timeout: float | None = None) -> None:
        """
        Fail whoever waits, lend no more, wait for what is out, and destroy every connection.

        When the time is over, what is out is destroyed all the same. Nothing of the pool runs afterwards. To close a
        closed pool does nothing; a close that is cancelled does no less than one whose time is over.

        Args:
            timeout: the seconds to wait for what is out; `None` is `close_timeout`.

        Raises:
            ValidationError: `timeout` is negative.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        ...

    async def __aenter__(self) -> Self:
        """Open the pool."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the pool."""
        ...

    def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[T]:
        """
        Return a context manager that borrows a connection and gives it back.

        Args:
            timeout: the seconds that the borrower has in all, 0 for what is idle; `None` is `acquire_timeout`.

        Raises:
            PoolError: on entering, as `acquire` returns it.
            ValidationError: on entering: `timeout` is negative.
        """
        ...

    async def acquire(
        self, timeout: float | None = None
    ) -> "Result[PoolLeaseProtocol[T], PoolError | ValidationError]":
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
        ...

    def release(self, lease: PoolLeaseProtocol[T]) -> Result[None, PoolLeaseError]:
        """
        Give a connection back.

        A lease that was released before, or is another pool's, is an `Err` and changes nothing, also when somebody
        else holds the connection by then.

        Raises:
            PoolLoopError: the pool was opened in another event loop or process.
        """
        ...

    def resize(self, min_size: int, max_size: int) -> None:
        """
        Change the bounds; what is idle beyond them goes at once, what is out when it comes back.

        Raises:
            ValidationError: a bound is not a whole number, or they are the wrong way round.
            PoolClosedError: the pool is not open.
            PoolLoopError: the pool was opened in another event loop or process.
        """
        ...

    def stats(self) -> PoolStats:
        """Return how many connections there are, in which state; it asks nobody, and costs next to nothing."""
        ...
