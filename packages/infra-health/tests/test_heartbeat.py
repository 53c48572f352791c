"""The heartbeat of a process, and the check that reads it."""

import asyncio
import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra_conformance.health_script import ScriptedCheck
from infra_conformance.loop import LoopClock
from infra_health import Heartbeat, HeartbeatCheck
from infra_protocols import HealthStatus, ValidationError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Fixed:
    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0


async def until(path: Path, word: str) -> None:
    async with asyncio.timeout(30):
        while word not in await asyncio.to_thread(path.read_text):
            await asyncio.to_thread(Path.exists, path)


async def test_it_says_how_the_process_is_until_its_end(tmp_path: Path) -> None:
    path, check = tmp_path / "alive", ScriptedCheck("db")
    async with Heartbeat(path, check, interval=0.01):
        assert json.loads(path.read_text())["status"] == "healthy"
        check.error = ConnectionError("cannot reach db://ada:s3cret@db1")
        await until(path, "ConnectionError")
        assert "db1" not in path.read_text()
        found = await HeartbeatCheck(path, timeout=30).check()
        assert (found.status, found.cause) == (HealthStatus.UNHEALTHY, "ConnectionError")
        check.error = None
        await until(path, '"healthy"')
        assert (await HeartbeatCheck(path, timeout=30).check()).status is HealthStatus.HEALTHY
    assert os.listdir(tmp_path) == []
    assert (await HeartbeatCheck(path, timeout=30).check()).cause == "FileNotFoundError"


@pytest.mark.parametrize(
    ("seconds", "cause"), [(0, None), (29, None), (31, "HealthStaleError"), (-29, None), (-31, "HealthStaleError")]
)
async def test_it_is_believed_for_so_long(tmp_path: Path, seconds: float, cause: str | None) -> None:
    path = tmp_path / "alive"
    async with Heartbeat(path, clock=Fixed(NOW)):
        later = Fixed(NOW + timedelta(seconds=seconds))
        found = await HeartbeatCheck(path, max_age=30, clock=later, timeout=30).check()
    assert found.cause == cause
    assert found.status is (HealthStatus.UNHEALTHY if cause else HealthStatus.HEALTHY)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"time": "yesterday", "status": "healthy", "cause": null}', "\x00"]
)
async def test_what_is_no_heartbeat_is_down(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alive"
    path.write_text(text)
    assert (await HeartbeatCheck(path, timeout=30).check()).cause == "HealthAnswerError"


async def test_a_heartbeat_without_a_time_zone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    path.write_text('{"time": "2026-01-01T00:00:00", "status": "healthy", "cause": null}')
    assert (await HeartbeatCheck(path, timeout=30).check()).cause == "HealthAnswerError"


async def test_one_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with Heartbeat(tmp_path / "none" / "alive"):
            pass


async def test_one_that_can_no_longer_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    caplog.set_level(logging.WARNING, "infra_health")
    async with Heartbeat(folder / "alive", interval=0.01):
        folder.rename(tmp_path / "elsewhere")
        async with asyncio.timeout(30):
            while not caplog.records:
                await asyncio.to_thread(folder.exists)
        assert "FileNotFoundError" in caplog.text
        (tmp_path / "elsewhere").rename(folder)
        (folder / "alive").unlink(missing_ok=True)
        async with asyncio.timeout(30):
            while not await asyncio.to_thread((folder / "alive").exists):
                pass


@pytest.mark.parametrize("interval", [0, -1, "1"])
def test_an_interval_that_is_none_is_refused(interval: Any) -> None:
    with pytest.raises(ValidationError):
        Heartbeat("alive", interval=interval)
    with pytest.raises(ValidationError):
        HeartbeatCheck("alive", max_age=interval)


async def test_nothing_is_left_when_it_ends_while_it_beats(tmp_path: Path) -> None:
    check = ScriptedCheck()
    clock = LoopClock(asyncio.get_running_loop())
    path = tmp_path / "alive"
    async with Heartbeat(path, check, interval=0.001, clock=clock):
        check.hold()
        async with asyncio.timeout(30):
            while not check.running:
                await asyncio.to_thread(path.exists)
    assert (check.running, os.listdir(tmp_path)) == (0, [])
    assert asyncio.all_tasks() == {asyncio.current_task()}
