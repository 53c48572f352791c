"""A tag `<dist>-v<version>` releases one package, as it stands at that commit."""

from __future__ import annotations

import re
from pathlib import Path

from tools.checks.workspace import Package, Workspace

_TAG = re.compile(r"(?P<name>.+)-v(?P<version>\d[\w.]*)")


class RefusedTagError(Exception):
    """The tag does not fit the tree; the text says why."""


def released(root: Path, tag: str) -> Package:
    """Return the package that `tag` releases; raise `RefusedTagError` unless version and changelog agree."""
    parts = _TAG.fullmatch(tag)
    if parts is None:
        raise RefusedTagError(f"{tag!r} is not <distribution>-v<version>")
    package = Workspace.read(root).named(parts["name"])
    if package is None:
        raise RefusedTagError(f"no package {parts['name']!r} in the workspace")
    if not package.published:
        raise RefusedTagError(f"{package.name} is private")
    if package.version != parts["version"]:
        raise RefusedTagError(f"{package.name} is at {package.version}, the tag says {parts['version']}")
    changelog = package.folder / "CHANGELOG.md"
    heading = re.compile(rf"^## \[{re.escape(package.version)}\] - \d{{4}}-\d\d-\d\d$", re.MULTILINE)
    if not changelog.is_file() or not heading.search(changelog.read_text(encoding="utf-8")):
        raise RefusedTagError(f"CHANGELOG.md of {package.name} has no dated section for {package.version}")
    return package
