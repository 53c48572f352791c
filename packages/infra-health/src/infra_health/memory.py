"""A check of how much memory is used, by the container if there is one, else by the machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra_health._limits import Limits
from infra_health._threads import ThreadCall
from infra_health.check import DependencyCheck
from infra_protocols import HealthResult, Measurement

_OF_GROUPS: Final = Path("sys/fs/cgroup")
_GROUP: Final = re.compile(r"^0::/?(.*)$", re.M)
_KIB: Final = 1024


class MemoryCheck(DependencyCheck[Path]):
    """
    Measures how much of the memory is used: of what the process's control group may have, and of what the machine has.

    The fuller of the two counts. What the system can take back at once, as clean pages of files, counts as free. It
    needs Linux; of control groups it knows version 2.

    Args:
        degraded_at: the share, from 0 to 1, from which it is `DEGRADED`.
        unhealthy_at: the share from which it is `UNHEALTHY`.
        name: what the check is called in reports.
        timeout: how many seconds it may take.
        root: where `proc` and `sys` are; its dependency.

    Raises:
        ValidationError: the shares are not from 0 to 1, or the wrong way round.

    >>> MemoryCheck(degraded_at=0.7).name
    'memory'
    """

    def __init__(
        self,
        *,
        degraded_at: float = 0.85,
        unhealthy_at: float = 0.95,
        name: str = "memory",
        timeout: float = 5.0,
        root: Path = Path("/"),
    ) -> None:
        super().__init__(root, name=name, timeout=timeout)
        self._limits = Limits(degraded_at, unhealthy_at, most=1)
        self._used = ThreadCall(lambda: max(_used(root)), f"health check {name}")

    async def probe(self) -> HealthResult:
        """Measure."""
        return self._limits.judge(Measurement("utilization", round(await self._used(), 4)))


def _used(root: Path) -> Iterator[float]:
    machine = _numbers(root / "proc/meminfo")
    total, available = machine["MemTotal"] * _KIB, machine["MemAvailable"] * _KIB
    yield 1 - available / total
    found = _GROUP.search((root / "proc/self/cgroup").read_text())
    group = root / _OF_GROUPS / (found[1] if found else "")
    # A group may be bounded by any of those it is in.
    while group.is_relative_to(root / _OF_GROUPS):
        limit = group / "memory.max"
        if limit.exists() and (text := limit.read_text().strip()) != "max":
            reclaimable = _numbers(group / "memory.stat").get("inactive_file", 0)
            yield (int((group / "memory.current").read_text()) - reclaimable) / int(text)
        group = group.parent


def _numbers(file: Path) -> dict[str, int]:
    lines = (line.replace(":", " ").split() for line in file.read_text().splitlines())
    return {name: int(value) for name, value, *_ in lines}
