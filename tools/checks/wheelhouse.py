"""The packages as users get them: built once for a process, installed into environments of their own."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.checks.command import run, uv
from tools.checks.report import each
from tools.checks.workspace import Package, Workspace

TEST_GROUP = "test"
# Whether the promises hold is what the test run asks; here it is whether the wheel holds all that the tests need.
_FEW_EXAMPLES = {"INFRA_CONFORMANCE_EXAMPLES": "10"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment made for one check, and a scratch folder outside the source tree."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def run(self, *words: str | Path, cwd: Path | None = None) -> str:
        # -I: neither the working directory nor PYTHONPATH can lend a module to the installed package.
        return run(self.python, "-I", *words, cwd=cwd or self.folder, env=_FEW_EXAMPLES)


@dataclass(frozen=True)
class Wheelhouse:
    """A folder with the wheel and the sdist of every published package."""

    folder: Path
    root: Path

    def wheel(self, package: Package) -> Path:
        return self.folder / f"{package.import_name}-{package.version}-py3-none-any.whl"

    def with_extras(self, package: Package) -> str:
        """Return what to install for the wheel with all its extras."""
        extras = f"[{','.join(package.extras)}]" if package.extras else ""
        return f"{package.name}{extras} @ {self.wheel(package).as_uri()}"

    def sdist(self, package: Package) -> Path:
        return self.folder / f"{package.import_name}-{package.version}.tar.gz"

    @contextmanager
    def environment(self) -> Generator[Environment]:
        """Make an empty environment of the running Python; it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            environment = Environment(Path(folder).resolve())
            run(
                uv(),
                "venv",
                "--quiet",
                "--no-project",
                "--python",
                sys.executable,
                environment.folder / "venv",
            )
            yield environment

    def install(self, environment: Environment, *words: str | Path) -> None:
        """Install with siblings taken from here, never from the source tree."""
        where = ("--python", environment.python, "--find-links", self.folder, "--no-sources")
        # Outside the workspace, so that none of its settings has a say.
        run(uv(), "pip", "install", "--quiet", *where, *words, cwd=environment.folder)

    def run_tests(self, environment: Environment, package: Package) -> str:
        """Run the tests and README of the sdist, with its source taken away; return pytest's last line."""
        with tarfile.open(self.sdist(package)) as archive:
            archive.extractall(environment.folder, filter="data")
        unpacked = environment.folder / self.sdist(package).name.removesuffix(".tar.gz")
        shutil.rmtree(unpacked / "src", ignore_errors=True)
        shutil.copy(self.root / "pyproject.toml", environment.folder)
        settings = ("-c", environment.folder / "pyproject.toml", "--rootdir", environment.folder)
        output = environment.run(
            "-m", "pytest", *settings, "-q", "-n2", "-p", "no:cacheprovider", unpacked, cwd=unpacked
        )
        return output.strip().splitlines()[-1]


@cache
def _built(root: Path) -> tuple[tempfile.TemporaryDirectory[str], Wheelhouse]:
    # The directory is held so that it lives as long as the process.
    holder = tempfile.TemporaryDirectory(prefix="wheelhouse-")
    house = Wheelhouse(Path(holder.name).resolve(), root)
    published = Workspace.read(root).published

    def build(package: Package) -> None:
        run(
            uv(),
            "build",
            "--quiet",
            "--no-sources",
            "--no-create-gitignore",
            "-o",
            house.folder,
            package.folder,
        )

    each(published, build)
    return holder, house


def wheelhouse(workspace: Workspace) -> Wheelhouse:
    """Return the wheels and sdists of all published packages, built at the first call."""
    return _built(workspace.root)[1]
