"""What an outside implementer does, word for word from the README: their store, their test file, pytest."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from infra_conformance import ConformanceFailure, examine
from infra_conformance.gallery.memory_store import MemoryStore
from infra_conformance.gallery.store_answers import FoldsCase
from infra_conformance.suite import EXAMPLES
from infra_protocols.clock import Clock

README = Path(__file__).parents[1] / "README.md"
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
STORE, SUITE = BLOCKS[:2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "my_store.py").write_text(STORE, encoding="utf-8")
    (tmp_path / "test_my_store.py").write_text(SUITE, encoding="utf-8")
    return tmp_path


def run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    # Their environment, not that of the tests that are running.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # The tables of characters are there already; to draw them up anew takes longer than all the checks.
    environment.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(".hypothesis").absolute()))
    environment[EXAMPLES] = "30"
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_a_correct_store_is_green(project: Path) -> None:
    result = run(project)
    assert result.returncode == 0, result.stdout
    assert re.search(r"test_my_store.py::TestMyStore: \d+ passed$", result.stdout, re.MULTILINE)


def test_a_planted_fault_is_red_and_told(project: Path) -> None:
    faulty = STORE.replace(
        "self._data[key] = (value, self._clock.monotonic() + seconds)",
        "_, deadline = self._data.get(key, (0, self._clock.monotonic() + seconds))\n"
        "        self._data[key] = (value, deadline)",
    )
    assert faulty != STORE
    (project / "my_store.py").write_text(faulty, encoding="utf-8")
    result = run(project, "-k", "test_set_replaces_ttl")
    assert result.returncode == 1, result.stdout
    for told in (
        "store-08 is broken: A second set replaces the ttl too, with a longer one, a shorter one or none.",
        "because: get by the second ttl: expected None, got 1",
        "again with: --conformance-seed=",
    ):
        assert told in result.stdout
    assert "1. set('a', 0, ttl=3.0) -> None" in result.stdout


def test_a_check_of_ones_own_is_a_check() -> None:
    [own] = [block for block in BLOCKS if "caseless-01" in block]
    names: dict[str, Any] = {}
    exec(own, names)

    def failure(subject: type[MemoryStore]) -> ConformanceFailure | None:
        @asynccontextmanager
        async def make(_: object, clock: Clock) -> AsyncGenerator[MemoryStore]:
            yield subject(clock)

        def keys(_: object) -> st.SearchStrategy[str]:
            return st.sampled_from("abc")

        suite = type("TestOwn", (names["CaselessSuite"],), {"make": make, "keys": keys})
        return examine(suite, ["caseless-01"])["caseless-01"]

    assert failure(FoldsCase) is None
    assert "caseless-01 is broken: Upper and lower case are one key." in str(failure(MemoryStore))
