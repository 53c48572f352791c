"""Planted faults in requirements and versions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tools.checks import bounds
from tools.checks.report import Report
from tools.checks.workspace import Package, Workspace


@pytest.fixture
def faults(workspace: Callable[[], Workspace]) -> Callable[[], list[str]]:
    """Run the check on the planted workspace and return what it found."""

    def run() -> list[str]:
        report = Report()
        bounds.check(workspace(), report)
        return [f"{fault.package}: {fault.text}" for fault in report.faults]

    return run


def test_a_sound_workspace(add_package: Callable[..., Package], faults: Callable[[], list[str]]) -> None:
    add_package("infra-result", "1.2.3")
    add_package("infra-protocols", "0.4.1", dependencies=["infra-result>=1.2,<2"])
    add_package(
        "infra-conformance",
        "0.4.7",
        dependencies=["infra-protocols>=0.4,<0.5", "pytest>=9"],
        groups={"test": ["infra-result~=1.2"]},
    )
    assert faults() == []


@pytest.mark.parametrize(
    ("requirement", "complaint"),
    [
        ("infra-result", "has no lower bound"),
        ("infra-result", "has no upper bound"),
        ("infra-result>=1", "has no upper bound"),
        ("infra_result<2", "has no lower bound"),
        ("infra-result>=0.1,<0.2", "does not admit infra-result 1.2.3"),
        ("infra-result>=1.3,<2", "does not admit infra-result 1.2.3"),
        ("infra-result @ https://example.com/result.whl", "is not a requirement of"),
        ("httpx", "has no lower bound"),
        ("httpx<1", "has no lower bound"),
    ],
)
@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("dependencies", "dependencies"),
        ("extras", "extra it"),
        ("groups", "group it"),
    ],
)
def test_a_bad_requirement(
    add_package: Callable[..., Package],
    faults: Callable[[], list[str]],
    where: str,
    told: str,
    requirement: str,
    complaint: str,
) -> None:
    add_package("infra-result", "1.2.3")
    planted = {"dependencies": [requirement]} if where == "dependencies" else {where: {"it": [requirement]}}
    add_package("infra-cache", **planted)
    assert [text for text in faults() if text.startswith(f"infra-cache: {told}: ") and complaint in text]


def test_third_parties_need_no_upper_bound(
    add_package: Callable[..., Package], faults: Callable[[], list[str]]
) -> None:
    add_package("infra-cache", dependencies=["cachetools>=5"])
    assert faults() == []


def test_an_extra_of_the_package_s_own_extras_needs_no_bound(
    add_package: Callable[..., Package], faults: Callable[[], list[str]]
) -> None:
    add_package("infra-compress", extras={"zstd": ["zstandard>=0.23"], "all": ["infra-compress[zstd]"]})
    assert faults() == []


@pytest.mark.parametrize(("kit", "sound"), [("0.4.0", True), ("0.5.0", False), ("1.4.0", False), ("0.4", True)])
def test_the_kit_follows_the_ports(
    add_package: Callable[..., Package], faults: Callable[[], list[str]], kit: str, *, sound: bool
) -> None:
    add_package("infra-protocols", "0.4.1")
    add_package("infra-conformance", kit)
    assert (faults() == []) is sound


def test_a_version_must_be_numbers(add_package: Callable[..., Package], faults: Callable[[], list[str]]) -> None:
    add_package("infra-result", "0.2rc1")
    assert faults() == ["infra-result: '0.2rc1' is not a version of numbers and dots"]
