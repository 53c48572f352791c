"""
What type checkers make of examples of public names, which are checked and never run.

With the examples goes a planted fault, which must be found: a checker that finds nothing may as well not have looked.

The checkers are no dependencies of the kit: who uses them installs them, as `pyright[nodejs]` and `mypy`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from infra_conformance.messages import ConformanceMessages
from infra_conformance.trial import Broken, expect

__all__ = ["FAULT", "expect_mypy", "expect_pyright"]

FAULT: Final = "planted_fault.py"
"""The name under which a checker sees the fault."""


def expect_pyright(*examples: Path, fault: str, rules: Collection[str]) -> None:
    """
    See that pyright, strict, accepts every line of `examples`, and of `fault` finds `rules` and no more.

    An ignore comment that is not needed is not accepted. So an example may also hold what must be refused: each such
    line with a `# pyright: ignore[rule]`.

    Args:
        examples: files of different names; they may import each other by these.
        fault: the text of another one.
        rules: the rules that `fault` breaks, each as often as it does.

    Raises:
        Broken: it finds something else, or does not look at every file.
        ModuleNotFoundError: pyright is not installed.
        FileNotFoundError: there is no such example.
        FileExistsError: two examples have the same name.

    A test of its own::

        def test_pyright_accepts_every_line() -> None:
            expect_pyright(Path("typing/accepted.py"), fault="abs('1')\\n", rules=["reportArgumentType"])
    """
    with _folder(examples, fault) as folder:
        settings = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
        (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
        report: dict[str, Any] = json.loads(_run(folder, "pyright", "--pythonpath", sys.executable, "--outputjson"))
    expect("how many files pyright looked at", report["summary"]["filesAnalyzed"], len(examples) + 1)
    found = [
        _Finding(Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"], each.get("rule"))
        for each in report["generalDiagnostics"]
    ]
    _compare("pyright", found, rules)


def expect_mypy(*examples: Path, fault: str, rules: Collection[str]) -> None:
    """
    See that mypy, strict, accepts every line of `examples`, and of `fault` finds `rules` and no more.

    Args:
        examples: files of different names; they may import each other by these.
        fault: the text of another one.
        rules: the error codes that `fault` is given, each as often as it is.

    Raises:
        Broken: it finds something else.
        ModuleNotFoundError: mypy is not installed.
        FileNotFoundError: there is no such example.
        FileExistsError: two examples have the same name.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example = Path(folder, "accepted.py")
    ...     _ = example.write_text("size: int = len('text')")
    ...     expect_mypy(example, fault="size: str = len('text')", rules=["assignment"])
    ...     expect_mypy(example, fault="size: int = len('text')", rules=["assignment"])
    Traceback (most recent call last):
    infra_conformance.trial.Broken: mypy: expected of the planted fault assignment, and no more; it finds: nothing
    """
    with _folder(examples, fault) as folder:
        settings = ("--strict", "--config-file=", "--cache-dir=cache", "--output=json")
        output = _run(folder, "mypy", *settings, *(example.name for example in examples), FAULT)
    told: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines() if line]
    found = [
        _Finding(each["file"], each["line"], each["message"], each["code"])
        for each in told
        if each["severity"] == "error"
    ]
    _compare("mypy", found, rules)


class _Finding(NamedTuple):
    file: str
    line: int
    text: str
    rule: str | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text} [{self.rule}]"


def _compare(checker: str, found: list[_Finding], rules: Collection[str]) -> None:
    if any(each.file != FAULT for each in found) or sorted(str(each.rule) for each in found) != sorted(rules):
        told = "".join(f"\n  {each}" for each in found) or " nothing"
        raise Broken(ConformanceMessages.OTHER_FINDINGS.format(checker=checker, rules=", ".join(rules), found=told))


@contextmanager
def _folder(examples: Sequence[Path], fault: str) -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for example in examples:
            with (folder / example.name).open("xb") as copy:
                copy.write(example.read_bytes())
        (folder / FAULT).write_text(fault, encoding="utf-8")
        yield folder


def _run(folder: Path, checker: str, *arguments: str) -> str:
    if find_spec(checker) is None:
        raise ModuleNotFoundError(ConformanceMessages.NO_CHECKER.format(checker=checker), name=checker)
    command = [sys.executable, "-m", checker, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: it found something
        raise Broken(ConformanceMessages.CHECKER_FAILED.format(checker=checker, output=done.stdout + done.stderr))
    return done.stdout
