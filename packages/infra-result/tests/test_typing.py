import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKED = Path(__file__).parent / "typing"
FAULT = "from infra_result import Ok\n\nOk(1).value = 2\n"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)


def test_pyright_strict_agrees_with_every_line(tmp_path: Path) -> None:
    for source in CHECKED.glob("*.py"):
        shutil.copy(source, tmp_path)
    (tmp_path / "planted.py").write_text(FAULT)
    settings = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))

    report = json.loads(run(tmp_path, "pyright", "--pythonpath", sys.executable, "--outputjson").stdout)

    assert report["summary"]["filesAnalyzed"] == 4
    found = report["generalDiagnostics"]
    assert [(Path(each["file"]).name, each["rule"]) for each in found] == [
        ("planted.py", "reportAttributeAccessIssue")
    ], found


@pytest.mark.parametrize(
    ("source", "accepted"),
    [((CHECKED / "accepted.py").read_text(), True), (FAULT, False)],
    ids=["accepted", "planted fault"],
)
def test_mypy_strict_accepts_what_it_should(tmp_path: Path, source: str, accepted: bool) -> None:
    (tmp_path / "checked.py").write_text(source)

    done = run(tmp_path, "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "checked.py")

    assert (done.returncode == 0) == accepted, done.stdout + done.stderr
