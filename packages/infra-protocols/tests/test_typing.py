"""What type checkers make of the public names: see the files in typing/."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKED = Path(__file__).parent / "typing"
FAULT = "from infra_protocols import ErrorMessages\n\nErrorMessages.POOL_CLOSED.upper(1)\n"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)


def test_pyright_strict_agrees_with_every_line(tmp_path: Path) -> None:
    for name in ("accepted.py", "refused.py"):
        shutil.copy(CHECKED / name, tmp_path)
    (tmp_path / "planted.py").write_text(FAULT)
    settings = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))

    report = json.loads(run(tmp_path, "pyright", "--pythonpath", sys.executable, "--outputjson").stdout)

    assert report["summary"]["filesAnalyzed"] == 3
    found = [(Path(each["file"]).name, each["rule"]) for each in report["generalDiagnostics"]]
    assert found == [("planted.py", "reportCallIssue")], report["generalDiagnostics"]


@pytest.mark.parametrize(
    ("source", "accepted"),
    [((CHECKED / "accepted.py").read_text(), True), (FAULT, False)],
    ids=["accepted", "planted fault"],
)
def test_mypy_strict_accepts_what_it_should(tmp_path: Path, source: str, accepted: bool) -> None:
    (tmp_path / "checked.py").write_text(source)

    done = run(tmp_path, "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "checked.py")

    assert (done.returncode == 0) == accepted, done.stdout + done.stderr
