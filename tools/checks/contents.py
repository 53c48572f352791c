"""What a wheel and an sdist may and must hold."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

from tools.checks.bounds import requirement_faults
from tools.checks.workspace import Package, Workspace

_DIST_INFO = frozenset({"METADATA", "WHEEL", "RECORD", "licenses/LICENSE"})
_SDIST_FILES = frozenset({"pyproject.toml", "PKG-INFO", ".gitignore", "README.md", "CHANGELOG.md", "LICENSE"})


def source_files(package: Package) -> set[str]:
    """Return what stands under src, as paths below it."""
    top = package.folder / "src"
    files = (path for path in package.source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(top).as_posix() for path in files}


def wheel_faults(package: Package, wheel: Path, workspace: Workspace) -> Iterator[str]:
    """Yield what is wrong with a wheel: its files, then what its metadata says."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"{package.import_name}-{package.version}.dist-info/"
        metadata = archive.read(f"{info}METADATA")
    expected = source_files(package) | {info + name for name in _DIST_INFO}
    yield from (f"wheel lacks {name}" for name in sorted(expected - names))
    # Which entry points there are is the package's own affair.
    yield from (f"wheel has the stray file {name}" for name in sorted(names - expected - {f"{info}entry_points.txt"}))
    yield from (f"wheel carries the test {name}" for name in sorted(names) if "tests" in Path(name).parts)
    if f"{package.import_name}/py.typed" not in names:
        yield "wheel has no py.typed"
    yield from metadata_faults(package, metadata, workspace)


def metadata_faults(package: Package, metadata: bytes, workspace: Workspace) -> Iterator[str]:
    """Yield what is wrong with the METADATA file of a wheel."""
    message = BytesParser().parsebytes(metadata)
    readme = (package.folder / "README.md").read_text(encoding="utf-8").strip()
    if not readme:
        yield "README.md is empty"
    payload = message.get_payload(decode=True)
    if not isinstance(payload, bytes) or payload.decode().strip() != readme:
        yield "the description is not README.md"
    for field in ("Summary", "License-Expression", "License-File", "Requires-Python"):
        if not message[field]:
            yield f"metadata has no {field}"
    for text in message.get_all("Requires-Dist", []):
        yield from requirement_faults(workspace, package, "Requires-Dist", text)


def sdist_faults(package: Package, sdist: Path) -> Iterator[str]:
    """Yield what is wrong with the files of an sdist."""
    top = f"{package.import_name}-{package.version}/"
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(top) for member in archive.getmembers() if member.isfile()}
    required = {f"src/{name}" for name in source_files(package)} | (_SDIST_FILES - {".gitignore"})
    yield from (f"sdist lacks {name}" for name in sorted(required - names))
    stray = (name for name in names - required - _SDIST_FILES if not name.startswith("tests/"))
    yield from (f"sdist has the stray file {name}" for name in sorted(stray))
    if not any(name.startswith("tests/test_") for name in names):
        yield "sdist has no tests"
