"""pyright strict on the tree, and every public name of the installed wheels has a known type."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from tools.checks.command import CommandFailed, run, tool
from tools.checks.report import Report, each, main
from tools.checks.wheelhouse import wheelhouse
from tools.checks.workspace import Package, Workspace


def incomplete(answer: str) -> list[str]:
    """Return the public names whose type `pyright --verifytypes` does not know, and why; empty at 100 %."""
    document: dict[str, Any] = json.loads(answer)
    completeness = document["typeCompleteness"]
    if completeness["completenessScore"] == 1:
        return []
    symbols: list[dict[str, Any]] = completeness["symbols"]
    unknown = [_told(symbol) for symbol in symbols if symbol["isExported"] and not symbol["isTypeKnown"]]
    messages = [diagnostic["message"] for diagnostic in document["generalDiagnostics"]]
    return unknown or messages or ["no public name at all"]


def _told(symbol: dict[str, Any]) -> str:
    reasons = [diagnostic["message"].splitlines()[0] for diagnostic in symbol["diagnostics"]]
    return f"{symbol['name']}: {'; '.join(reasons)}"


def _verify(package: Package, workspace: Workspace, report: Report) -> None:
    house = wheelhouse(workspace)
    with house.environment() as environment, report.expecting(package.name, "verifytypes"):
        # With its extras: whoever imports the module of an engine has the engine's client, and its types.
        house.install(environment, house.with_extras(package))
        # --verifytypes takes no notice of --pythonpath, but it asks the first python on the PATH.
        path = os.pathsep.join([str(environment.python.parent), os.environ["PATH"]])
        words = ("--verifytypes", package.import_name, "--ignoreexternal", "--outputjson")
        try:
            answer = run(tool("pyright"), *words, cwd=environment.folder, env={"PATH": path})
        except CommandFailed as failure:  # It says 1 below 100 %, and still answers.
            if failure.status != 1:
                raise
            answer = failure.output
        unknown = incomplete(answer)
        report.checked(f"{package.name}: {'100 %' if not unknown else f'{len(unknown)} names'}")
        if unknown:
            report.fault(package.name, "verifytypes", "types not known:\n" + "\n".join(unknown))


def check(workspace: Workspace, report: Report) -> None:
    everything = workspace.packages == workspace.members
    with report.expecting("workspace", "pyright strict"):
        folders = () if everything else tuple(package.folder for package in workspace.packages)
        answer = run(tool("pyright"), "--pythonpath", sys.executable, *folders, cwd=workspace.root)
        report.checked(answer.strip().splitlines()[-1])
    wheelhouse(workspace)
    each(workspace.published, lambda package: _verify(package, workspace, report))


if __name__ == "__main__":
    sys.exit(main("types", check))
