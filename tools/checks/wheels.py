"""Each wheel holds what it should, works alone in an empty environment, and passes its own tests there."""

from __future__ import annotations

import re
import sys

from tools.checks.command import run, uv
from tools.checks.contents import sdist_faults, wheel_faults
from tools.checks.report import Report, each, main
from tools.checks.wheelhouse import TEST_GROUP, Environment, Wheelhouse, wheelhouse
from tools.checks.workspace import Package, Workspace

_EXAMPLE = re.compile(r"^```(?:python|pycon)\n(>>> .*?)^```", re.MULTILINE | re.DOTALL)


def first_example(readme: str) -> str | None:
    """Return the first fenced block of a README that is a doctest."""
    found = _EXAMPLE.search(readme)
    return found[1] if found else None


def _alone(package: Package, house: Wheelhouse, environment: Environment) -> None:
    """Install nothing but the wheel and what it asks for."""
    house.install(environment, house.wheel(package))
    run(uv(), "pip", "check", "--python", environment.python, cwd=environment.folder)
    environment.run("-W", "error", "-c", f"import {package.import_name}")


def _readme(package: Package, environment: Environment, report: Report) -> None:
    example = first_example((package.folder / "README.md").read_text(encoding="utf-8"))
    if example is None:
        report.fault(package.name, "first README example", "README.md has no doctest")
        return
    path = environment.folder / "example.txt"
    path.write_text(example, encoding="utf-8")
    environment.run("-W", "error", "-m", "doctest", "-o", "ELLIPSIS", path)


def _tests(package: Package, house: Wheelhouse, environment: Environment) -> str:
    house.install(
        environment, house.with_extras(package), "--group", f"{package.folder / 'pyproject.toml'}:{TEST_GROUP}"
    )
    return house.run_tests(environment, package)


def _check_one(package: Package, workspace: Workspace, report: Report) -> None:
    house = wheelhouse(workspace)
    for text in wheel_faults(package, house.wheel(package), workspace):
        report.fault(package.name, "wheel contents", text)
    for text in sdist_faults(package, house.sdist(package)):
        report.fault(package.name, "sdist contents", text)
    with house.environment() as environment, report.expecting(package.name, "wheel alone"):
        _alone(package, house, environment)
        with report.expecting(package.name, "first README example"):
            _readme(package, environment, report)
        with report.expecting(package.name, "tests on the wheel"):
            report.checked(f"{package.name}: {_tests(package, house, environment)}")


def check(workspace: Workspace, report: Report) -> None:
    wheelhouse(workspace)
    each(workspace.published, lambda package: _check_one(package, workspace, report))


if __name__ == "__main__":
    sys.exit(main("wheels", check))
