"""Finding the packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.checks.workspace import Package, Workspace


def test_reads_a_package(add_package: Callable[..., Package]) -> None:
    package = add_package(
        "infra-cache",
        "0.3.1",
        dependencies=["cachetools>=5"],
        extras={"redis": ["redis>=5"]},
        groups={"test": ["pytest>=9"]},
    )
    assert (package.name, package.version, package.import_name) == ("infra-cache", "0.3.1", "infra_cache")
    assert list(package.runtime()) == [("dependencies", "cachetools>=5"), ("extra redis", "redis>=5")]
    assert list(package.grouped()) == [("group test", "pytest>=9")]
    assert package.published


def test_selects(tmp_path: Path, add_package: Callable[..., Package]) -> None:
    for name in ("infra-b", "infra-a"):
        add_package(name)
    everything, one = Workspace.read(tmp_path), Workspace.read(tmp_path, ["infra_b"])
    assert [package.name for package in everything.packages] == ["infra-a", "infra-b"]
    assert [package.name for package in one.packages] == ["infra-b"]
    assert one.members == everything.members


def test_refuses_a_name_that_is_not_there(tmp_path: Path, add_package: Callable[..., Package]) -> None:
    add_package("infra-a")
    with pytest.raises(ValueError, match="infra-z"):
        Workspace.read(tmp_path, ["infra-z"])


def test_this_workspace_holds_the_kit_and_a_private_example() -> None:
    published = {package.name: package.published for package in Workspace.read().members}
    assert published["infra-conformance"]
    assert not published["pastebin"]
