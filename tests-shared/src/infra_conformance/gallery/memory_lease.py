"""What the pools of the gallery know of a connection, and what their borrowers hold."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, Final, Self

from infra_protocols.errors import PoolLeaseError
from infra_protocols.messages import ErrorMessages
from infra_protocols.pool import ConnectionInfo
from infra_protocols.status import ConnectionStatus
from infra_result import Result

_NUMBERS: Final = count(1)


@dataclass(slots=True, eq=False)
class Slot:
    """A connection and what is known of it."""

    connection: Any
    info: ConnectionInfo[Any]
    dies: float
    used: float
    lease: "Lease | None" = None

    @classmethod
    def of(cls, connection: Any, now: float, lifetime: float, today: datetime) -> Self:
        """Return that of a new connection."""
        info = ConnectionInfo(f"c-{next(_NUMBERS)}", connection, created_at=today, last_used_at=today)
        return cls(connection, info, now + lifetime, now)

    def use(self, now: float, today: datetime) -> None:
        """Note that it was used until now."""
        self.used = now
        self.info = replace(self.info, last_used_at=today)

    def fail(self) -> None:
        """Note that something went wrong with it."""
        self.info = replace(self.info, health_check_failures=self.info.health_check_failures + 1)


class Lease:
    """
    One borrow of one connection.

    >>> Lease.__name__
    'Lease'
    """

    def __init__(self, pool: Any, slot: Slot, since: float) -> None:
        self.pool = pool
        self.slot = slot
        self.since = since
        self.timer: asyncio.TimerHandle | None = None

    @property
    def connection(self) -> Any:
        """Return the connection, while it is lent."""
        if self.slot.lease is not self:
            raise PoolLeaseError(ErrorMessages.POOL_LEASE_RELEASED)
        return self.slot.connection

    @property
    def info(self) -> ConnectionInfo[Any]:
        """Return what is known of it."""
        state = ConnectionStatus.IN_USE if self.slot.lease is self else ConnectionStatus.IDLE
        return replace(self.slot.info, state=state)

    def release(self) -> Result[None, PoolLeaseError]:
        """Give it back."""
        return self.pool.release(self)
