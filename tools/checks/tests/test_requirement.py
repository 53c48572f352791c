"""The reading of requirement strings."""

from __future__ import annotations

import pytest

from tools.checks.requirement import Requirement, normalized, release


def test_one_spelling_of_a_name() -> None:
    assert normalized("Infra_Cache") == normalized("infra.cache") == "infra-cache"


def test_parts_of_a_requirement() -> None:
    wanted = Requirement.parse("Infra_Cache[redis, msgspec] >=0.1, <0.2 ; python_version >= '3.12'")
    assert wanted.name == "infra-cache"
    assert wanted.extras == ("redis", "msgspec")
    assert [(clause.operator, clause.version) for clause in wanted.clauses] == [(">=", "0.1"), ("<", "0.2")]


def test_parentheses_of_older_metadata() -> None:
    assert Requirement.parse("result (>=1.0)").has_lower_bound


@pytest.mark.parametrize("text", ["result @ https://example.com/x.whl", "result>=1.0rc1", "result>", "", "-e ."])
def test_what_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        Requirement.parse(text)


@pytest.mark.parametrize(
    ("clause", "version", "admitted"),
    [
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1,<0.2", "0.1.99", True),
        (">=0.1,<0.2", "0.2.0", False),
        (">=0.1,<0.2", "0.0.9", False),
        (">=0.1.0", "0.1", True),
        (">0.1", "0.1.0", False),
        ("<=1", "1.0.0", True),
        ("==1.2", "1.2.0", True),
        ("==1.2", "1.2.1", False),
        ("==1.2.*", "1.2.7", True),
        ("==1.2.*", "1.20", False),
        ("!=1.2.*", "1.2.7", False),
        ("~=1.4", "1.9", True),
        ("~=1.4", "2.0", False),
        ("~=1.4.2", "1.4.9", True),
        ("~=1.4.2", "1.5", False),
        (">=10", "9", False),
    ],
)
def test_admits(clause: str, version: str, *, admitted: bool) -> None:
    assert Requirement.parse(f"result{clause}").admits(version) is admitted


@pytest.mark.parametrize(
    ("clause", "lower", "upper"),
    [
        ("", False, False),
        (">=1", True, False),
        ("<2", False, True),
        ("~=1.4", True, True),
        ("!=1", False, False),
    ],
)
def test_bounds(clause: str, *, lower: bool, upper: bool) -> None:
    wanted = Requirement.parse(f"result{clause}")
    assert (wanted.has_lower_bound, wanted.has_upper_bound) == (lower, upper)


def test_a_version_that_is_not_a_release() -> None:
    with pytest.raises(ValueError, match=r"0\.2rc1"):
        release("0.2rc1")
