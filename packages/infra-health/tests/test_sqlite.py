"""The check of SQLite, on real files."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from infra_conformance import CheckedDependency, HealthCheckSuite
from infra_health.sqlite import SqliteCheck
from infra_protocols import Clock, HealthStatus


def database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE IF NOT EXISTS words (word TEXT)")
        made.commit()
    return path


class File(CheckedDependency[Any]):
    def __init__(self, path: Path) -> None:
        self.path = database(path)
        self.check = SqliteCheck(path, timeout=30)

    async def break_down(self) -> None:
        self.path.rename(self.path.with_suffix(".gone"))

    async def mend(self) -> None:
        self.path.with_suffix(".gone").rename(self.path)


class TestSqlite(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.05
    can_hang = False  # what is locked is busy, see below

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "s3cret?#.db"

    def secrets(self) -> list[str]:
        return ["s3cret"]

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[File]:
        self.path.with_suffix(".gone").unlink(missing_ok=True)
        yield File(self.path)


async def test_one_that_somebody_writes_to_is_busy_and_not_broken(tmp_path: Path) -> None:
    path = database(tmp_path / "words.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        found = await SqliteCheck(path, timeout=3).check()
        assert (found.status, found.cause) == (HealthStatus.DEGRADED, "OperationalError")
        assert (await SqliteCheck(path, writable=False, timeout=30).check()).status is HealthStatus.HEALTHY


async def test_what_is_no_database_is_down(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("a text, and no database" * 100)
    assert (await SqliteCheck(path, timeout=30).check()).cause == "DatabaseError"


async def test_one_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    assert (await SqliteCheck(path, timeout=30).check()).status is HealthStatus.UNHEALTHY
    assert not path.exists()
