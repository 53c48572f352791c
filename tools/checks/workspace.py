"""The workspace as its pyproject files describe it: the one place that finds packages."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tools.checks.requirement import normalized

PRIVATE = "Private :: Do Not Upload"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Package:
    """One member of the workspace."""

    folder: Path
    name: str
    version: str
    classifiers: tuple[str, ...]
    dependencies: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        document: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        project = document["project"]
        return cls(
            folder=folder,
            name=normalized(project["name"]),
            version=project["version"],
            classifiers=tuple(project.get("classifiers", ())),
            dependencies=tuple(project.get("dependencies", ())),
            extras=_lists(project.get("optional-dependencies", {})),
            groups=_lists(document.get("dependency-groups", {})),
        )

    @property
    def import_name(self) -> str:
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.import_name

    @property
    def published(self) -> bool:
        return PRIVATE not in self.classifiers

    def runtime(self) -> Iterator[tuple[str, str]]:
        """Yield where it stands and the text of each requirement that a user's installer sees."""
        for text in self.dependencies:
            yield "dependencies", text
        for extra, texts in self.extras.items():
            for text in texts:
                yield f"extra {extra}", text

    def grouped(self) -> Iterator[tuple[str, str]]:
        """Yield where it stands and the text of each requirement that only this workspace sees."""
        for group, texts in self.groups.items():
            for text in texts:
                yield f"group {group}", text


def _lists(table: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    # A group may hold tables too ({include-group = ...}); what they include is checked where it is written.
    return {name: tuple(item for item in items if isinstance(item, str)) for name, items in table.items()}


@dataclass(frozen=True)
class Workspace:
    """All members, and those of them that a check was asked about."""

    root: Path
    members: tuple[Package, ...]
    packages: tuple[Package, ...]

    @classmethod
    def read(cls, root: Path = ROOT, only: Sequence[str] = ()) -> Self:
        """Read the members that the root lists; raise `ValueError` when `only` names another."""
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        patterns: list[str] = document["tool"]["uv"]["workspace"]["members"]
        folders = {path.parent for pattern in patterns for path in root.glob(f"{pattern}/pyproject.toml")}
        members = tuple(sorted(map(Package.read, folders), key=lambda package: package.name))
        names = {normalized(name) for name in only} or {package.name for package in members}
        unknown = sorted(names - {package.name for package in members})
        if unknown:
            raise ValueError(f"no such package in the workspace: {', '.join(unknown)}")
        return cls(root, members, tuple(package for package in members if package.name in names))

    @property
    def published(self) -> tuple[Package, ...]:
        """The asked-for packages that are uploaded to a registry."""
        return tuple(package for package in self.packages if package.published)

    def named(self, name: str) -> Package | None:
        return next((package for package in self.members if package.name == normalized(name)), None)


if __name__ == "__main__":
    workspace = Workspace.read()
    rows = [{"name": it.name, "folder": it.folder.relative_to(ROOT).as_posix()} for it in workspace.members]
    print(json.dumps(rows))
