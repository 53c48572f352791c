"""A workspace in a temporary folder, for faults to be planted in."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tools.checks.workspace import Package, Workspace


@pytest.fixture
def add_package(tmp_path: Path) -> Callable[..., Package]:
    """Write a package into `tmp_path`, which is a workspace root by then."""
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n')

    def add(
        name: str,
        version: str = "0.1.0",
        *,
        dependencies: Sequence[str] = (),
        extras: Mapping[str, Sequence[str]] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        init: str = "",
    ) -> Package:
        folder = tmp_path / "packages" / name
        source = folder / "src" / name.replace("-", "_")
        source.mkdir(parents=True)
        (source / "__init__.py").write_text(init)
        (source / "py.typed").touch()
        lines = [
            "[project]",
            f'name = "{name}"',
            f'version = "{version}"',
            f"dependencies = {list(dependencies)}",
        ]
        lines += [
            "[project.optional-dependencies]",
            *(f"{key} = {list(it)}" for key, it in (extras or {}).items()),
        ]
        lines += ["[dependency-groups]", *(f"{key} = {list(it)}" for key, it in (groups or {}).items())]
        text = "\n".join(lines)
        tomllib.loads(text)
        (folder / "pyproject.toml").write_text(text)
        return Package.read(folder)

    return add


@pytest.fixture
def workspace(tmp_path: Path, add_package: Callable[..., Package]) -> Callable[[], Workspace]:
    """Read the workspace as it stands when called."""
    return lambda: Workspace.read(tmp_path)
