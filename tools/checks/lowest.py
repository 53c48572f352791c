"""Lower bounds are true: each wheel passes its tests with the oldest versions that it says it accepts.

Bounds are taken from the pyproject file, extras and test group included: seen from the wheel alone they would
be bounds of a dependency, which `lowest-direct` leaves at the newest.
"""

from __future__ import annotations

import sys

from tools.checks.report import Report, each, main
from tools.checks.wheelhouse import TEST_GROUP, wheelhouse
from tools.checks.workspace import Package, Workspace


def _check_one(package: Package, workspace: Workspace, report: Report) -> None:
    house = wheelhouse(workspace)
    project = package.folder / "pyproject.toml"
    with house.environment() as environment, report.expecting(package.name, "tests with the lowest versions"):
        bounds = ("-r", project, "--all-extras", "--group", f"{project}:{TEST_GROUP}")
        house.install(environment, "--resolution", "lowest-direct", *bounds)
        house.install(environment, "--no-deps", house.wheel(package))
        report.checked(f"{package.name}: {house.run_tests(environment, package)}")


def check(workspace: Workspace, report: Report) -> None:
    wheelhouse(workspace)
    each(workspace.published, lambda package: _check_one(package, workspace, report))


if __name__ == "__main__":
    sys.exit(main("lowest", check))
