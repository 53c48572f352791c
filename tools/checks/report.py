"""What a check found, and how it is told."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.checks.command import CommandFailed
from tools.checks.workspace import Package, Workspace


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule that one package breaks."""

    package: str
    rule: str
    text: str

    def __str__(self) -> str:
        """Name the package and the rule first."""
        return f"{self.package}: {self.rule}\n{textwrap.indent(self.text, '    ')}"


@dataclass
class Report:
    """Collects faults, and prints what was checked as it goes. Threads may share one."""

    faults: list[Fault] = field(default_factory=list[Fault])

    def checked(self, text: str) -> None:
        print(f"  {text}", flush=True)

    def fault(self, package: str, rule: str, text: str) -> None:
        self.faults.append(Fault(package, rule, text))

    @contextmanager
    def expecting(self, package: str, rule: str) -> Generator[None]:
        """Turn the failure of a program into a fault of `package`."""
        try:
            yield
        except CommandFailed as failure:
            self.fault(package, rule, str(failure))


def each(packages: Sequence[Package], work: Callable[[Package], None]) -> None:
    """Do the same work for every package, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, packages))


type Check = Callable[[Workspace, Report], None]


def verdict(name: str, check: Check, workspace: Workspace) -> bool:
    """Run one check, print what it says, and tell whether all its rules hold."""
    print(f"{name}:", flush=True)
    report = Report()
    with report.expecting("workspace", name):
        check(workspace, report)
    for fault in report.faults:
        print(f"FAULT {fault}", flush=True)
    return not report.faults


def arguments(argv: Sequence[str] | None = None) -> Workspace:
    """Read the command line that all checks share: the packages to look at, all when none is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="*", help="distribution names; all when none is given")
    try:
        return Workspace.read(only=parser.parse_args(argv).package)
    except ValueError as unknown:
        parser.error(str(unknown))


def main(name: str, check: Check) -> int:
    """Run one check as a program; return its exit status."""
    return 0 if verdict(name, check, arguments()) else 1
