"""Tags that release a package, and tags that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.checks.workspace import PRIVATE
from tools.release.__main__ import main
from tools.release.tag import RefusedTagError, released

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-23\n\n- Faster.\n\n## [0.1.0] - 2026-01-02\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    for name, classifiers in (("infra-cache", []), ("pastebin", [PRIVATE])):
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "CHANGELOG.md").write_text(CHANGELOG)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "0.2.0"\nclassifiers = {classifiers}\n'
        )
    return tmp_path


def test_a_tag_that_fits(root: Path) -> None:
    assert released(root, "infra-cache-v0.2.0").name == "infra-cache"


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("v0.2.0", "is not <distribution>-v<version>"),
        ("infra-cache-0.2.0", "is not <distribution>-v<version>"),
        ("infra-other-v0.2.0", "no package 'infra-other'"),
        ("pastebin-v0.2.0", "is private"),
        ("infra-cache-v0.1.0", "is at 0.2.0, the tag says 0.1.0"),
    ],
)
def test_a_tag_that_does_not_fit(root: Path, tag: str, reason: str) -> None:
    with pytest.raises(RefusedTagError, match=reason):
        released(root, tag)


@pytest.mark.parametrize("heading", ["## [0.2.0]", "## [0x2.0] - 2026-11-23", "### [0.2.0] - 2026-11-23", None])
def test_a_changelog_without_the_version(root: Path, heading: str | None) -> None:
    path = root / "packages/infra-cache/CHANGELOG.md"
    if heading is None:
        path.unlink()
    else:
        path.write_text(CHANGELOG.replace("## [0.2.0] - 2026-11-23", heading))
    with pytest.raises(RefusedTagError, match=r"no dated section for 0\.2\.0"):
        released(root, "infra-cache-v0.2.0")


def test_a_refusal_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no tag"]) == 1
    assert "is not <distribution>-v<version>" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
