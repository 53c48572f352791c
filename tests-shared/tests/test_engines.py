"""Engines are found, or started, or missed aloud."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from infra_conformance.engines import REDIS, REQUIRE, EngineMissing, found, started

NEEDS_REDIS = "def test_it(redis_url):\n    assert redis_url.startswith('redis://')\n"


def port_of(url: str) -> int:
    return int(url.removesuffix("/0").rpartition(":")[2])


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDIS.variable, "redis://elsewhere:1/0")
    with found(REDIS) as url:
        assert url == "redis://elsewhere:1/0"


def test_a_redis_is_used(redis_url: str) -> None:
    assert REDIS.variable in os.environ or REDIS.answers(port_of(redis_url))


@pytest.fixture
def binary() -> str:
    path = shutil.which(REDIS.binary)
    if path is None:
        reason = f"{REDIS.binary} is not on the PATH"
        pytest.fail(reason) if os.environ.get(REQUIRE) == "1" else pytest.skip(reason)
    return path


def test_one_is_started_and_stopped(binary: str) -> None:
    with started(REDIS, binary) as url:
        port = port_of(url)
        assert port != REDIS.port
        assert REDIS.answers(port)
    assert not REDIS.answers(port)


def test_one_that_was_started_ends_with_the_process(binary: str) -> None:
    script = (
        "import os, signal, sys\n"
        "from infra_conformance import engines\n"
        f"with engines.started(engines.REDIS, {binary!r}) as url:\n"
        "    print(url, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": temporary},
        )
        assert process.stdout is not None
        port = port_of(process.stdout.readline().strip())
        assert REDIS.answers(port)
        assert list(Path(temporary).iterdir())
        process.communicate("\n")
        assert process.returncode == -signal.SIGKILL
        end = time.monotonic() + 20
        while (REDIS.answers(port) or list(Path(temporary).iterdir())) and time.monotonic() < end:
            time.sleep(0.02)
        assert not REDIS.answers(port)
        assert not list(Path(temporary).iterdir())


def test_one_that_ends_is_missed(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(EngineMissing, match="did not answer"), started(REDIS, str(broken)):
        pytest.fail("it was taken for started")


@pytest.mark.parametrize(("require", "outcome"), [("", "1 skipped"), ("1", "1 error")])
def test_none_is_skipped_or_required(tmp_path: Path, require: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(
        f"from dataclasses import replace\nfrom infra_conformance import engines\n"
        f"engines.REDIS = replace(engines.REDIS, port=1)\n{NEEDS_REDIS}",
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "INFRA_"))}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env={**environment, "PATH": str(tmp_path), REQUIRE: require},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in result.stdout
    assert f"Redis is not to be had: set {REDIS.variable}" in result.stdout
