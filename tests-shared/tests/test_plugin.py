"""What pytest makes of a suite: declared failures, capabilities, the seed and the report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SUITES = """
import pytest
from contextlib import asynccontextmanager
from hypothesis import settings
from infra_conformance import StoreSuite, Suite
from infra_conformance.gallery.memory_store import MemoryStore

settings.register_profile("few", max_examples=5, database=None)
settings.load_profile("few")

class Forgetful(MemoryStore):
    async def get(self, key):
        return None

class TestGood(StoreSuite[str, int]):
    @asynccontextmanager
    async def make(self, clock):
        yield MemoryStore(clock)

class TestDeclared(StoreSuite[str, int]):
    known_failures = {"store-02": "it forgets"}
    @asynccontextmanager
    async def make(self, clock):
        yield Forgetful(clock)

class TestStale(TestGood):
    known_failures = {"store-02": "mended long ago"}

class TestWithoutTtl(TestGood):
    supports_ttl = False

class TestBroken(TestDeclared):
    known_failures = {}

@pytest.mark.skip(reason="no engine")
class TestSkipped(TestGood):
    pass

def test_seed():
    assert Suite.seed == 7
"""
UNKNOWN = SUITES.replace('"store-02": "mended', '"store-99": "mended')
CHEAP = "test_set_then_get or test_ttl_ends and TestWithoutTtl or test_seed"
PROMISE = "A value that was set is what get returns, equal and of the same type."


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_mine.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "--conformance-seed=7", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # The tables of characters are there already; to draw them up anew takes longer than all the checks.
    environment.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(".hypothesis").absolute()))
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


@pytest.fixture(scope="module")
def result(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(folder, SUITES, "-k", CHEAP, "--conformance-report=report.json")


def test_each_suite_has_its_lines(result: subprocess.CompletedProcess[str]) -> None:
    # The good one, the one without ttl, and the seed pass; the stale and the broken one fail.
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout
    assert "2 failed, 3 passed, 2 skipped" in result.stdout
    assert "1 xfailed" in result.stdout
    wanted = [
        "test_mine.py::TestBroken: 1 failed",
        f"  store-02 failed: {PROMISE}",
        "test_mine.py::TestDeclared: 1 known failure",
        f"  store-02 known failure (it forgets): {PROMISE}",
        "test_mine.py::TestGood: 1 passed",
        "test_mine.py::TestSkipped: 1 skipped",
        f"  store-02 skipped (no engine): {PROMISE}",
        "test_mine.py::TestStale: 1 failed",
        f"  store-02 failed (mended long ago): {PROMISE}",
        "test_mine.py::TestWithoutTtl: 1 passed, 1 not supported",
        "  store-07 not supported (declared: supports_ttl = False): "
        "A value is there until its ttl is over, and not after: not for get, exists or delete.",
    ]
    section = result.stdout.partition(" conformance ")[2].splitlines()[1:]
    assert section[: len(wanted)] == wanted


def test_a_stale_known_failure_fails(result: subprocess.CompletedProcess[str]) -> None:
    assert "[XPASS(strict)] mended long ago" in result.stdout


def test_the_report_says_it_all(result: subprocess.CompletedProcess[str], folder: Path) -> None:
    report: Any = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    subjects = {each["subject"].partition("::")[2]: each["checks"] for each in report["subjects"]}
    assert list(subjects) == ["TestBroken", "TestDeclared", "TestGood", "TestSkipped", "TestStale", "TestWithoutTtl"]
    about = {"id": "store-02", "promise": PROMISE, "requirements": ["1.4"]}
    assert subjects["TestGood"] == [{**about, "declared": None, "verdict": "passed", "failure": ""}]
    assert subjects["TestDeclared"] == [{**about, "declared": "it forgets", "verdict": "known failure", "failure": ""}]
    assert [check["verdict"] for check in subjects["TestSkipped"]] == ["skipped"]
    assert {check["id"]: check["verdict"] for check in subjects["TestWithoutTtl"]} == {
        "store-02": "passed",
        "store-07": "not supported",
    }
    [broken] = subjects["TestBroken"]
    assert broken["verdict"] == "failed"
    assert "store-02 is broken" in broken["failure"]
    assert "--conformance-seed=7" in broken["failure"]


def test_an_unknown_id_is_a_usage_error(tmp_path: Path) -> None:
    refused = run(tmp_path, UNKNOWN, "-k", CHEAP)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "TestStale declares a known failure for store-99, which is no check" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    "options",
    [("-p", "no:asyncio"), ("-o", "asyncio_mode=auto"), ("-n2",)],
    ids=" ".join,
)
def test_other_plugins_make_no_difference(tmp_path: Path, options: tuple[str, ...]) -> None:
    wanted = "TestGood and test_set_then_get or TestWithoutTtl and test_ttl_ends or TestDeclared and test_set_then_get"
    # The other tests here run in pytest-asyncio's strict mode, which is its own choice.
    plain = run(tmp_path, SUITES, *options, "-k", wanted, "--conformance-report=report.json")
    assert plain.returncode == 0, plain.stdout
    report: Any = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [(each["subject"], [check["verdict"] for check in each["checks"]]) for each in report["subjects"]] == [
        ("test_mine.py::TestDeclared", ["known failure"]),
        ("test_mine.py::TestGood", ["passed"]),
        ("test_mine.py::TestWithoutTtl", ["not supported"]),
    ]
