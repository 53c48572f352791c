"""A check of how full a disk is."""

import shutil
from os import PathLike

from infra_health._limits import Limits
from infra_health._threads import ThreadCall
from infra_health.check import DependencyCheck
from infra_protocols import HealthResult, Measurement


class DiskSpaceCheck(DependencyCheck[str | PathLike[str]]):
    """
    Measures how much of the file system that holds a path is used, of what there is for ordinary users.

    It looks from a thread: a network file system may hang.

    Args:
        dependency: the path.
        degraded_at: the share, from 0 to 1, from which it is `DEGRADED`.
        unhealthy_at: the share from which it is `UNHEALTHY`.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    Raises:
        ValidationError: the shares are not from 0 to 1, or the wrong way round.

    >>> import asyncio
    >>> asyncio.run(DiskSpaceCheck("/", degraded_at=1, unhealthy_at=1).check()).measurement.name
    'utilization'
    """

    def __init__(
        self,
        dependency: str | PathLike[str] = "/",
        *,
        degraded_at: float = 0.85,
        unhealthy_at: float = 0.95,
        name: str = "disk",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._limits = Limits(degraded_at, unhealthy_at, most=1)
        self._usage = ThreadCall(lambda: shutil.disk_usage(self.dependency), f"health check {name}")

    async def probe(self) -> HealthResult:
        """Measure."""
        usage = await self._usage()
        return self._limits.judge(Measurement("utilization", round(usage.used / ((usage.used + usage.free) or 1), 4)))
