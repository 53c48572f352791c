"""A check of how promptly the event loop runs what is due."""

import asyncio
from typing import Final

from infra_health._limits import Limits
from infra_health.check import DependencyCheck
from infra_protocols import HealthResult, Measurement

_PAUSE: Final = 0.01
_PAUSES: Final = 5


class LoopLagCheck(DependencyCheck[None]):
    """
    Measures by how much the event loop is late: something else keeps it busy, or blocks it.

    It takes five short pauses, and measures by how much the worst of them was too long.

    Args:
        degraded_at: the seconds from which it is `DEGRADED`.
        unhealthy_at: the seconds from which it is `UNHEALTHY`.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    Raises:
        ValidationError: the limits are negative, or the wrong way round.

    >>> asyncio.run(LoopLagCheck(degraded_at=5, unhealthy_at=5).check()).measurement.unit
    's'
    """

    def __init__(
        self,
        *,
        degraded_at: float = 0.1,
        unhealthy_at: float = 1.0,
        name: str = "event loop",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(None, name=name, timeout=timeout)
        self._limits = Limits(degraded_at, unhealthy_at, most=float("inf"))

    async def probe(self) -> HealthResult:
        """Measure."""
        loop, lag = asyncio.get_running_loop(), 0.0
        for _ in range(_PAUSES):
            due = loop.time() + _PAUSE
            await asyncio.sleep(_PAUSE)
            lag = max(lag, loop.time() - due)
        return self._limits.judge(Measurement("lag", round(lag, 4), "s"))
