"""Planted imports across a boundary."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.checks import boundaries
from tools.checks.command import CommandFailed
from tools.checks.workspace import ROOT, Package, Workspace

LAYERS = ["infra_result", "infra_protocols", "infra_cache", "infra_conformance", "pastebin"]


@pytest.fixture
def layered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the packages under the real `.importlinter`; they shadow the installed ones."""
    shutil.copy(ROOT / boundaries.SETTINGS, tmp_path)
    for name in LAYERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_what_the_layers_allow(layered: Path) -> None:
    (layered / "infra_protocols/__init__.py").write_text("import infra_result\n")
    (layered / "infra_cache/__init__.py").write_text("import infra_result, infra_protocols\n")
    (layered / "infra_conformance/__init__.py").write_text("import infra_result, infra_protocols\n")
    (layered / "pastebin/__init__.py").write_text("import infra_result, infra_cache\n")
    assert "0 broken" in boundaries.lint_imports(layered)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("infra_result", "infra_protocols"),
        ("infra_protocols", "infra_cache"),
        ("infra_cache", "infra_conformance"),
        ("infra_conformance", "infra_cache"),
        ("pastebin", "infra_conformance"),
    ],
)
def test_what_the_layers_forbid(layered: Path, importer: str, imported: str) -> None:
    (layered / importer / "__init__.py").write_text(f"import {imported}\n")
    with pytest.raises(CommandFailed, match=rf"{importer} -> {imported}"):
        boundaries.lint_imports(layered)


GOOD = """\
[importlinter]
root_packages = infra_result infra_protocols infra_cache infra_pool
[importlinter:contract:layers]
layers =
    infra_pool | infra_cache
    infra_protocols
    infra_result
"""


@pytest.mark.parametrize(
    ("right", "wrong", "faulty"),
    [
        ("", "", []),
        ("infra_cache infra_pool", "infra_cache", ["infra-pool: infra_pool is missing from root_packages"]),
        ("infra_pool | infra", "infra", ["infra-cache: line 1", "infra-pool: line 1"]),
        (
            "infra_pool | infra_cache",
            "infra_pool : infra_cache",
            ["infra-cache: line 1", "infra-pool: line 1"],
        ),
        ("protocols\n    infra_result", "protocols", ["infra-result: line 3"]),
        (
            "infra_protocols\n    infra_result",
            "infra_result\n    infra_protocols",
            ["infra-protocols: line 2", "infra-result: line 3"],
        ),
    ],
)
def test_layers_that_fit_the_workspace_and_layers_that_permit_too_much(
    tmp_path: Path,
    add_package: Callable[..., Package],
    workspace: Callable[[], Workspace],
    right: str,
    wrong: str,
    faulty: list[str],
) -> None:
    for name in ("infra-result", "infra-protocols", "infra-cache", "infra-pool"):
        add_package(name)
    (tmp_path / boundaries.SETTINGS).write_text(GOOD.replace(right, wrong))
    told = [f"{package.name}: {text}" for package, text in boundaries.misplaced(workspace())]
    assert len(told) == len(faulty)
    assert all(text.startswith(start) for text, start in zip(told, faulty, strict=True))


def test_declared_dependencies(add_package: Callable[..., Package]) -> None:
    boundaries.dependencies(add_package("infra-good", dependencies=["hypothesis>=6"], init="import hypothesis\n"))


@pytest.mark.parametrize(
    ("declared", "init", "rule"),
    [
        ([], "import hypothesis\n", "hypothesis"),
        (["hypothesis>=6"], "", "DEP002"),
        (["infra-protocols>=0.1,<0.2"], "import infra_protocols, infra_result\n", "DEP003 'infra_result'"),
    ],
)
def test_dependencies_that_are_not_declared_or_not_used(
    add_package: Callable[..., Package], declared: list[str], init: str, rule: str
) -> None:
    with pytest.raises(CommandFailed, match=rule):
        boundaries.dependencies(add_package("infra-bad", dependencies=declared, init=init))


def test_distributions_of_extras(add_package: Callable[..., Package]) -> None:
    package = add_package(
        "infra-cache",
        dependencies=["cachetools>=5"],
        extras={"redis": ["redis>=5"], "all": ["infra-cache[redis]", "cachetools>=5"]},
    )
    assert boundaries.extra_distributions(package) == {"redis"}


def test_the_probe_sees_what_an_import_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "eager.py").write_text("import hypothesis\n")
    (tmp_path / "lazy.py").write_text("def use():\n    import hypothesis\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "hypothesis" in boundaries.imported("eager", sys.executable)
    assert "hypothesis" not in boundaries.imported("lazy", sys.executable)
