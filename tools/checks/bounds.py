"""Requirements are bounded, and what they say of siblings is true of the siblings' current versions.

uv ignores the bounds between members of a workspace: a wheel that cannot be installed would go unseen.
"""

from __future__ import annotations

import sys

from tools.checks.report import Report, main
from tools.checks.requirement import Requirement, release
from tools.checks.workspace import Package, Workspace

KIT = "infra-conformance"
PORTS = "infra-protocols"


def requirement_faults(workspace: Workspace, package: Package, where: str, text: str) -> list[str]:
    """Return what is wrong with one requirement of `package`, as sentences."""
    try:
        wanted = Requirement.parse(text)
    except ValueError as unreadable:
        return [f"{where}: {unreadable}"]
    if wanted.name == package.name:
        return []  # An extra made of the package's own other extras: always this very version.
    faults: list[str] = []
    if not wanted.has_lower_bound:
        faults.append(f"{where}: {text!r} has no lower bound")
    sibling = workspace.named(wanted.name)
    if sibling is None:
        return faults
    if not wanted.has_upper_bound:
        faults.append(f"{where}: {text!r} has no upper bound")
    if not wanted.admits(sibling.version):
        faults.append(f"{where}: {text!r} does not admit {sibling.name} {sibling.version}")
    return faults


def version_faults(workspace: Workspace, package: Package) -> list[str]:
    """Return what is wrong with the version of `package` itself."""
    try:
        own = release(package.version)
    except ValueError as unreadable:
        return [str(unreadable)]
    ports = workspace.named(PORTS)
    if package.name != KIT or ports is None:
        return []
    theirs = release(ports.version)
    if own[:2] != theirs[:2]:
        return [f"{package.name} {package.version} and {ports.name} {ports.version} differ in their minor version"]
    return []


def check(workspace: Workspace, report: Report) -> None:
    for package in workspace.packages:
        for text in version_faults(workspace, package):
            report.fault(package.name, "version", text)
        requirements = [*package.runtime(), *package.grouped()]
        for where, text in requirements:
            for fault in requirement_faults(workspace, package, where, text):
                report.fault(package.name, "bounds", fault)
        report.checked(f"{package.name} {package.version}: {len(requirements)} requirements")


if __name__ == "__main__":
    sys.exit(main("bounds", check))
