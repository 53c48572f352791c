"""How a check tells what it found."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tools.checks.command import CommandFailed, run
from tools.checks.report import Report, verdict
from tools.checks.workspace import Package, Workspace


def test_a_failing_program_is_a_fault_that_names_package_and_rule(
    add_package: Callable[..., Package],
    workspace: Callable[[], Workspace],
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_package("infra-a")

    def check(workspace: Workspace, report: Report) -> None:
        for package in workspace.packages:
            with report.expecting(package.name, "some rule"):
                run(sys.executable, "-c", "raise SystemExit('the reason')")

    assert not verdict("it", check, workspace())
    printed = capsys.readouterr().out
    assert "FAULT infra-a: some rule" in printed
    assert "the reason" in printed


def test_no_fault_is_a_good_verdict(
    add_package: Callable[..., Package],
    workspace: Callable[[], Workspace],
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_package("infra-a")
    assert verdict("it", lambda _, report: report.checked("all of it"), workspace())
    assert capsys.readouterr().out == "it:\n  all of it\n"


def test_the_end_of_a_long_output_is_kept() -> None:
    with pytest.raises(CommandFailed) as failure:
        run(sys.executable, "-c", "print(*range(100), sep='\\n'); raise SystemExit(3)")
    assert failure.value.status == 3
    assert str(failure.value).splitlines()[1:3] == ["... 40 lines before", "40"]
