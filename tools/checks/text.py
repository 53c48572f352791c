"""Nothing in the tree ties it to one machine or one registry, and nothing unfinished is left in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.checks.command import run, uv
from tools.checks.report import Report, main
from tools.checks.workspace import Workspace

LOCK = "uv.lock"

# Written so that no pattern matches its own line.
_RULES = {
    "registry host": re.compile(r"\b(?:pypi\.org|pythonhosted\.org|piwheels\.org|npmjs\.(?:org|com)|anaconda\.org)\b"),
    "path of one machine": re.compile(r"(?<![\w.~*)}-])(?:/(?:home|root|work|Users)|[A-Z]:\\Users)[/\\]"),
    "merge marker": re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)"),
    "unfinished": re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
}


def applies(rule: str, path: PurePosixPath) -> bool:
    """Tell whether a rule looks at a file: the lock file may name its registry, only src must be finished."""
    match rule:
        case "registry host":
            return path.name != LOCK
        case "unfinished":
            return "src" in path.parts
        case _:
            return True


def faults(path: PurePosixPath, text: str) -> Iterator[tuple[str, str]]:
    """Yield each rule that a file breaks, and the line."""
    rules = {rule: pattern for rule, pattern in _RULES.items() if applies(rule, path)}
    for number, line in enumerate(text.splitlines(), start=1):
        for rule, pattern in rules.items():
            if pattern.search(line):
                yield rule, f"{path}:{number}: {line.strip()}"


def files(root: Path) -> list[PurePosixPath]:
    """Return what git tracks or would track."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=root)
    return [PurePosixPath(name) for name in listed.split("\0") if name]


def _owner(workspace: Workspace, path: PurePosixPath) -> str:
    whole = workspace.root / path
    return next((it.name for it in workspace.members if whole.is_relative_to(it.folder)), "workspace")


def check(workspace: Workspace, report: Report) -> None:
    asked = {package.name for package in workspace.packages} | {"workspace"}
    count = 0
    for path in files(workspace.root):
        owner, whole = _owner(workspace, path), workspace.root / path
        if owner not in asked or not whole.is_file():
            continue
        content = whole.read_bytes()
        if b"\0" in content:
            continue  # An image or the like.
        count += 1
        for rule, line in faults(path, content.decode("utf-8", errors="replace")):
            report.fault(owner, rule, line)
    report.checked(f"{count} files")
    with report.expecting("workspace", LOCK):
        run(uv(), "lock", "--check", cwd=workspace.root)
        report.checked(f"{LOCK} is current")


if __name__ == "__main__":
    sys.exit(main("text", check))
