"""Planted faults in wheels and sdists."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools.checks.contents import sdist_faults, wheel_faults
from tools.checks.workspace import Package, Workspace

INFO = "infra_cache-0.1.0.dist-info"
METADATA = """\
Metadata-Version: 2.4
Name: infra-cache
Summary: A cache.
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.12
Requires-Dist: infra-result<0.2,>=0.1

# infra-cache
"""


@pytest.fixture
def package(add_package: Callable[..., Package]) -> Package:
    add_package("infra-result")
    package = add_package("infra-cache")
    (package.folder / "README.md").write_text("# infra-cache\n")
    return package


@pytest.fixture
def wheel(tmp_path: Path, package: Package, workspace: Callable[[], Workspace]) -> Callable[..., list[str]]:
    """Write a sound wheel with some files changed (`None`: left out), and return its faults."""

    def write(changed: Mapping[str, str | None] | None = None) -> list[str]:
        files: dict[str, str | None] = {
            "infra_cache/__init__.py": "",
            "infra_cache/py.typed": "",
            f"{INFO}/METADATA": METADATA,
            f"{INFO}/WHEEL": "",
            f"{INFO}/RECORD": "",
            f"{INFO}/licenses/LICENSE": "",
        }
        path = tmp_path / "it.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in (files | dict(changed or {})).items():
                if text is not None:
                    archive.writestr(name, text)
        return list(wheel_faults(package, path, workspace()))

    return write


def test_a_sound_wheel(wheel: Callable[..., list[str]]) -> None:
    assert wheel({f"{INFO}/entry_points.txt": ""}) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"infra_cache/py.typed": None}, "wheel has no py.typed"),
        ({"infra_cache/__init__.py": None}, "wheel lacks infra_cache/__init__.py"),
        ({f"{INFO}/licenses/LICENSE": None}, f"wheel lacks {INFO}/licenses/LICENSE"),
        ({"infra_cache/tests/test_a.py": ""}, "wheel carries the test infra_cache/tests/test_a.py"),
        ({"notes.txt": ""}, "wheel has the stray file notes.txt"),
        ({f"{INFO}/METADATA": METADATA.replace("# infra", "# other")}, "the description is not README.md"),
        ({f"{INFO}/METADATA": METADATA.replace("License-E", "X-E")}, "metadata has no License-Expression"),
        (
            {f"{INFO}/METADATA": METADATA.replace("<0.2,>=0.1", "")},
            "Requires-Dist: 'infra-result' has no upper bound",
        ),
    ],
)
def test_a_bad_wheel(wheel: Callable[..., list[str]], changed: Mapping[str, str | None], fault: str) -> None:
    assert fault in wheel(changed)


def test_an_empty_readme(wheel: Callable[..., list[str]], package: Package) -> None:
    (package.folder / "README.md").write_text("\n")
    assert "README.md is empty" in wheel()


SDIST = frozenset(
    {
        *("pyproject.toml", "PKG-INFO", ".gitignore", "README.md", "CHANGELOG.md", "LICENSE"),
        *("src/infra_cache/__init__.py", "src/infra_cache/py.typed", "tests/test_cache.py"),
    }
)


def sdist_of(path: Path, names: frozenset[str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"infra_cache-0.1.0/{name}"), io.BytesIO())
    return path


def test_a_sound_sdist(tmp_path: Path, package: Package) -> None:
    assert list(sdist_faults(package, sdist_of(tmp_path / "it.tar.gz", SDIST))) == []


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (SDIST - {"CHANGELOG.md"}, "sdist lacks CHANGELOG.md"),
        (SDIST - {"src/infra_cache/py.typed"}, "sdist lacks src/infra_cache/py.typed"),
        (SDIST | {"notes.txt"}, "sdist has the stray file notes.txt"),
        (SDIST - {"tests/test_cache.py"}, "sdist has no tests"),
    ],
)
def test_a_bad_sdist(tmp_path: Path, package: Package, names: frozenset[str], fault: str) -> None:
    assert list(sdist_faults(package, sdist_of(tmp_path / "it.tar.gz", names))) == [fault]
