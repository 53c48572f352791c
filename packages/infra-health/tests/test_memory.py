"""The check of memory, on files as Linux has them, and on those that there are."""

from pathlib import Path

import pytest

from infra_health import MemoryCheck
from infra_protocols import HealthResult, HealthStatus


async def measured(root: Path) -> HealthResult:
    return await MemoryCheck(root=root, timeout=30).check()


def machine(root: Path, available: int, group: str = "0::/\n") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n")
    (root / "proc/self/cgroup").write_text(group)
    return root


def group(folder: Path, most: str, current: int, reclaimable: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(most + "\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {reclaimable}\n")


@pytest.mark.parametrize(
    ("available", "share", "status"), [(400, 0.6, "healthy"), (100, 0.9, "degraded"), (20, 0.98, "unhealthy")]
)
async def test_a_machine(tmp_path: Path, available: int, share: float, status: str) -> None:
    found = await measured(machine(tmp_path, available))
    assert found.measurement is not None
    assert (found.measurement.value, found.status.value) == (share, status)


async def test_a_container_counts_without_what_can_be_taken_back(tmp_path: Path) -> None:
    group(machine(tmp_path, 900) / "sys/fs/cgroup", "1000", 950, 150)
    found = await measured(tmp_path)
    assert found.measurement is not None
    assert found.measurement.value == 0.8


async def test_a_group_is_bounded_by_those_it_is_in(tmp_path: Path) -> None:
    groups = machine(tmp_path, 900, "1:cpu:/x\n0::/shop/web\n") / "sys/fs/cgroup"
    group(groups / "shop", "1000", 970, 0)
    group(groups / "shop/web", "max", 100, 0)
    assert (await measured(tmp_path)).status is HealthStatus.UNHEALTHY


async def test_where_there_are_no_groups_the_machine_counts(tmp_path: Path) -> None:
    found = await measured(machine(tmp_path, 900, "1:cpu:/x\n"))
    assert found.measurement is not None
    assert found.measurement.value == 0.1


async def test_where_there_is_no_linux_it_is_down(tmp_path: Path) -> None:
    assert (await measured(tmp_path)).cause == "FileNotFoundError"


async def test_this_machine() -> None:
    found = await MemoryCheck(degraded_at=1, unhealthy_at=1, timeout=30).check()
    assert found.measurement is not None
    assert 0 < found.measurement.value <= 1
