"""What a pool keeps of one connection."""

import asyncio
from datetime import timedelta

from infra_protocols import Clock, ConnectionInfo, ConnectionStatus


class Loan:
    """One borrow that is watched."""

    __slots__ = ("alarm", "since")

    def __init__(self, since: float, alarm: asyncio.TimerHandle | None) -> None:
        self.since: float = since
        self.alarm: asyncio.TimerHandle | None = alarm


class Slot[T]:
    """One connection, and where it stands; it is in exactly one place at a time, which `state` says."""

    __slots__ = ("born", "connection", "dies", "failures", "id", "loan", "state", "used", "uses")

    def __init__(self, id: str, connection: T, born: float, dies: float) -> None:
        self.id: str = id
        self.connection: T = connection
        self.born: float = born
        self.dies: float = dies
        self.used: float = born
        self.uses: int = 0
        self.failures: int = 0
        self.state: ConnectionStatus = ConnectionStatus.UNHEALTHY
        self.loan: Loan | None = None

    def info(self, clock: Clock) -> ConnectionInfo[T]:
        # Times of day are worked out when somebody asks: a borrow need not pay for them.
        today, now = clock.now(), clock.monotonic()
        return ConnectionInfo(
            self.id,
            self.connection,
            self.state,
            created_at=today - timedelta(seconds=now - self.born),
            last_used_at=today - timedelta(seconds=now - self.used),
            use_count=self.uses,
            health_check_failures=self.failures,
        )
