"""What type checkers make of the public names: see the file in typing/."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ACCEPTED = Path(__file__).parent / "typing" / "accepted.py"
FAULT = """\
from infra_auth import HS256Provider, JWTKeyConfig

HS256Provider(JWTKeyConfig(secret=b""), dict[str, str]).sign({"sub": 7})
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)


def test_pyright_strict_agrees_with_every_line(tmp_path: Path) -> None:
    shutil.copy(ACCEPTED, tmp_path)
    (tmp_path / "planted.py").write_text(FAULT)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))

    report = json.loads(run(tmp_path, "pyright", "--pythonpath", sys.executable, "--outputjson").stdout)

    assert report["summary"]["filesAnalyzed"] == 2
    found = [(Path(each["file"]).name, each["rule"]) for each in report["generalDiagnostics"]]
    assert found == [("planted.py", "reportArgumentType")], report["generalDiagnostics"]


@pytest.mark.parametrize(
    ("source", "accepted"), [(ACCEPTED.read_text(), True), (FAULT, False)], ids=["accepted", "planted fault"]
)
def test_mypy_strict_accepts_what_it_should(tmp_path: Path, source: str, accepted: bool) -> None:
    (tmp_path / "checked.py").write_text(source)

    done = run(tmp_path, "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "checked.py")

    assert (done.returncode == 0) == accepted, done.stdout + done.stderr
    assert accepted or "dict-item" in done.stdout, done.stdout + done.stderr
