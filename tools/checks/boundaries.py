"""Packages stay apart: import-linter between them, deptry for what each declares, a probe for what it loads.

The layers stand in `.importlinter`. A member that is missing there goes unchecked, so that is a fault too.
"""

from __future__ import annotations

import configparser
import sys
from pathlib import Path

from tools.checks.command import run, tool, uv
from tools.checks.report import Report, each, main
from tools.checks.requirement import Requirement, normalized
from tools.checks.workspace import Package, Workspace

SETTINGS = ".importlinter"
BASE = ("infra_protocols", "infra_result")

# Prints the distributions whose modules `import NAME` brought in. A name space that several
# distributions fill counts for each of them: too strict is the safe side.
_PROBE = """
import importlib, sys
from importlib.metadata import packages_distributions
before = set(sys.modules)
importlib.import_module(sys.argv[1])
owners = packages_distributions()
for top in sorted({name.partition(".")[0] for name in set(sys.modules) - before}):
    print(*owners.get(top, ()), sep="\\n")
"""


def layers(workspace: Workspace) -> list[frozenset[str]]:
    """Return the import names as they have to be layered, top first; those of one layer never meet."""
    names = {package.import_name for package in workspace.members}
    private = {package.import_name for package in workspace.members if not package.published}
    base = [frozenset({name}) & names for name in BASE]
    return [layer for layer in (frozenset(private), frozenset(names - private - set(BASE)), *base) if layer]


def misplaced(workspace: Workspace) -> list[tuple[Package, str]]:
    """Return the packages that `.importlinter` forgets or puts where it would permit too much, and why."""
    settings = configparser.ConfigParser()
    settings.read(workspace.root / SETTINGS, encoding="utf-8")
    roots = settings.get("importlinter", "root_packages", fallback="").split()
    lines = settings.get("importlinter:contract:layers", "layers", fallback="").strip().splitlines()
    found = [frozenset(name.strip() for name in line.split("|")) for line in lines]
    faults: list[tuple[Package, str]] = []
    for package in workspace.packages:
        if package.import_name not in roots:
            faults.append((package, f"{package.import_name} is missing from root_packages in {SETTINGS}"))
        for place, layer in enumerate(layers(workspace)):
            if package.import_name in layer and found[place : place + 1] != [layer]:
                wanted = " | ".join(sorted(layer))
                faults.append((package, f"line {place + 1} of the layers in {SETTINGS} has to be: {wanted}"))
    return faults


def lint_imports(root: Path) -> str:
    """Hold the packages against the layers of `.importlinter`."""
    return run(tool("lint-imports"), "--config", SETTINGS, "--no-cache", "--no-logo", cwd=root)


def dependencies(package: Package) -> str:
    """Hold what a package imports against what it declares."""
    settings = ("--config", package.folder / "pyproject.toml", "--known-first-party", package.import_name)
    return run(tool("deptry"), "src", *settings, "--no-ansi", cwd=package.folder)


def imported(module: str, *python: str | Path) -> set[str]:
    """Return the distributions that importing `module` brings in; `python` is the command that starts it."""
    return {normalized(name) for name in run(*python, "-c", _PROBE, module).split()}


def extra_distributions(package: Package) -> set[str]:
    """Return the distributions that only an extra of `package` asks for."""
    asked = {Requirement.parse(text).name for texts in package.extras.values() for text in texts}
    return asked - {Requirement.parse(text).name for text in package.dependencies} - {package.name}


def extras_imported(package: Package) -> set[str]:
    """Return the extras that importing the package loads; all are installed, so that a load can be seen."""
    environment = ("--isolated", "--locked", "--directory", package.folder, "--all-extras")
    return extra_distributions(package) & imported(package.import_name, uv(), "run", *environment, "python")


def _check_one(package: Package, report: Report) -> None:
    with report.expecting(package.name, "declared dependencies"):
        dependencies(package)
        report.checked(f"{package.name}: imports what it declares")
    if not package.extras:
        return
    with report.expecting(package.name, "import without extras"):
        loaded = extras_imported(package)
        report.checked(f"{package.name}: import loads none of {sorted(extra_distributions(package))}")
        if loaded:
            report.fault(package.name, "import without extras", f"import {package.import_name} loads {sorted(loaded)}")


def check(workspace: Workspace, report: Report) -> None:
    for package, text in misplaced(workspace):
        report.fault(package.name, "layers", text)
    with report.expecting("workspace", "layers"):
        report.checked(lint_imports(workspace.root).strip().splitlines()[-1])
    each(workspace.packages, lambda package: _check_one(package, report))


if __name__ == "__main__":
    sys.exit(main("boundaries", check))
