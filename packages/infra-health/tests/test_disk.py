"""The check of a disk, on the disk that there is."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra_health import DiskSpaceCheck
from infra_protocols import HealthStatus, ValidationError


async def test_what_is_used_is_measured(tmp_path: Path) -> None:
    found = await DiskSpaceCheck(tmp_path, degraded_at=1, unhealthy_at=1, timeout=30).check()
    usage = shutil.disk_usage(tmp_path)
    assert found.measurement is not None
    assert found.measurement.value == pytest.approx(usage.used / (usage.used + usage.free), abs=0.05)


async def test_its_limits_count(tmp_path: Path) -> None:
    found = [
        await DiskSpaceCheck(tmp_path, degraded_at=0, unhealthy_at=unhealthy_at, timeout=30).check()
        for unhealthy_at in (1, 0)
    ]
    assert [each.status for each in found] == [HealthStatus.DEGRADED, HealthStatus.UNHEALTHY]
    assert {each.cause for each in found} == {"HealthLimitError"}


async def test_a_path_that_is_not_there_is_down(tmp_path: Path) -> None:
    assert (await DiskSpaceCheck(tmp_path / "none", timeout=30).check()).cause == "FileNotFoundError"


@pytest.mark.parametrize(
    ("field", "limits"),
    [
        ("degraded_at", {"degraded_at": -0.1}),
        ("degraded_at", {"degraded_at": math.nan}),
        ("unhealthy_at", {"unhealthy_at": 1.1}),
        ("unhealthy_at", {"degraded_at": 0.9, "unhealthy_at": 0.8}),
    ],
)
def test_limits_that_are_none_are_refused(field: str, limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        DiskSpaceCheck("/", **limits)
    assert caught.value.field == field
