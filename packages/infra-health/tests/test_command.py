"""The `infra-health` command, as a process of its own where it counts."""

import json
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from infra_health.command import main

COMMAND = Path(sysconfig.get_path("scripts"), "infra-health")
MODULE = """
from contextlib import asynccontextmanager
from infra_health import CompositeHealthCheck, health_check
from infra_protocols import HealthComponent, HealthStatus

@health_check
async def good(): ...

@health_check
async def bad():
    raise ConnectionError("cannot reach db://ada:s3cret@db1.internal")

@health_check
async def poor():
    return HealthStatus.DEGRADED

health = [good, poor]
composite = CompositeHealthCheck([good, HealthComponent(bad, critical=False)])
component = HealthComponent(bad)

@asynccontextmanager
async def opened():
    print("opened")
    yield [good]
    print("closed")

@asynccontextmanager
async def unreachable():
    raise ConnectionRefusedError("db1.internal")
    yield []

def nothing():
    return 7

number = 7
numbers = [7]
twins = [good, good]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "the_checks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("name", "code", "last"),
    [
        ("", 0, "degraded"),
        (":good", 0, "healthy"),
        (":bad", 1, "unhealthy"),
        (":composite", 0, "degraded"),
        (":component", 1, "unhealthy"),
    ],
)
def test_it_exits_with_how_all_is(folder: Path, name: str, code: int, last: str) -> None:
    done = run(folder, f"the_checks{name}")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, last), done.stderr


def test_it_shows_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["the_checks:composite"]) == 0
    head, good, bad, whole = capsys.readouterr().out.splitlines()
    assert head.split() == ["CHECK", "STATUS", "TOOK", "MEASURED", "REMARKS"]
    assert good.split()[:2] == ["good", "healthy"]
    assert (bad.split()[:2], bad.split()[-1]) == (["bad", "unhealthy"], "ConnectionError")
    assert whole == "degraded"


def test_it_tells_messages_when_asked_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, shown in (
        ((), False),
        (("--messages",), True),
        (("--json",), False),
        (("--json", "--messages"), True),
    ):
        assert main(["the_checks:bad", *options]) == 1
        output = capsys.readouterr().out
        assert ("db1.internal" in output) == shown
        assert "s3cret" not in output


def test_it_prints_the_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["the_checks:good", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"]["good:responseTime"][0]["status"] == "pass"


def test_it_opens_and_closes_what_the_checks_need(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["the_checks:opened"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("opened", "closed")


def test_what_cannot_be_opened_is_down(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["the_checks:unreachable"]) == 1
    error = capsys.readouterr().err
    assert error == "infra-health: cannot make what the checks need: ConnectionRefusedError\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no_such_module"],
        ["the_checks:no_such_name"],
        ["the_checks:number"],
        ["the_checks:numbers"],
        ["the_checks:twins"],
        ["the_checks:nothing"],
        ["the_checks", "--heartbeat", "alive"],
        ["the_checks", "--watch", "0"],
        ["the_checks", "--watch", "soon"],
        ["--heartbeat", "alive", "--max-age", "nan"],
    ],
)
def test_what_is_none_is_told(folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "infra-health: error: " in capsys.readouterr().err


def test_it_watches_until_it_is_stopped(folder: Path) -> None:
    command = [COMMAND, "the_checks:bad", "--watch", "0.01"]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    ) as process:
        assert process.stdout is not None
        tables = 0
        while tables < 3:
            tables += process.stdout.readline().startswith("unhealthy  ")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in error


def test_it_reads_the_heartbeat_of_another_process(folder: Path) -> None:
    (folder / "worker.py").write_text(
        "import asyncio\n"
        "from infra_health import Heartbeat\n"
        "async def main():\n"
        "    async with Heartbeat('alive', interval=0.05):\n"
        "        print('works', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    python = Path(sysconfig.get_path("scripts"), "python")
    with subprocess.Popen([python, "worker.py"], cwd=folder, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "works\n"
        assert run(folder, "--heartbeat", "alive", "--max-age", "600").returncode == 0
        worker.kill()
    assert run(folder, "--heartbeat", "alive", "--max-age", "0.000001").returncode == 1
