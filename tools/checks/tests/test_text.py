"""Planted text that ties the tree to one machine, or is unfinished; put together, lest it be found here."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.checks.text import LOCK, faults

SOURCE = "packages/infra-cache/src/infra_cache/memory.py"
HOST = "https://files.python" + "hosted.org/packages"
HOME = "see {}home/ada/notes.txt".format("/")


def rules(path: str, line: str) -> list[str]:
    return [rule for rule, _ in faults(PurePosixPath(path), f"first\n{line}\nlast\n")]


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("README.md", HOST, "registry host"),
        ("README.md", "https://py" + "pi.org/project/x", "registry host"),
        ("README.md", HOME, "path of one machine"),
        (LOCK, HOME, "path of one machine"),
        ("tools/x.py", '"{}root/.cache"'.format("/"), "path of one machine"),
        ("tools/x.py", "<" * 7 + " HEAD", "merge marker"),
        ("tools/x.py", ">" * 7 + " theirs", "merge marker"),
        (SOURCE, "# TODO later", "unfinished"),
        (SOURCE, "# FIXME", "unfinished"),
    ],
)
def test_found(path: str, line: str, rule: str) -> None:
    assert rules(path, line) == [rule]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (LOCK, HOST),
        ("tools/x.py", "# TODO later"),
        (SOURCE, "TODOS = 1"),
        ("README.md", "see docs/home/start and example.com/work/1, ~/work/x"),
        ("README.md", "=" * 7),
    ],
)
def test_not_found(path: str, line: str) -> None:
    assert rules(path, line) == []


def test_says_where() -> None:
    assert list(faults(PurePosixPath(SOURCE), "ok\n  # FIXME\n")) == [("unfinished", f"{SOURCE}:2: # FIXME")]
