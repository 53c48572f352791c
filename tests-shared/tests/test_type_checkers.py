"""What type checkers make of examples: seen to be what is expected, and told when it is not."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra_conformance.trial import Broken
from infra_conformance.type_checkers import expect_mypy, expect_pyright

ACCEPTED = "from typing import assert_type\n\nassert_type(len('text'), int)\n"
MISTAKEN = "from typing import assert_type\n\nassert_type(len('text'), str)\n"
REFUSED = "len(1)  # pyright: ignore[reportArgumentType]\n"
FAULT = "size: str = len('text')\n"

CHECKERS = [
    pytest.param(expect_pyright, "reportAssignmentType", "reportAssertTypeFailure", id="pyright"),
    pytest.param(expect_mypy, "assignment", "assert-type", id="mypy"),
]


@pytest.fixture
def example(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "example.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("agrees", "rule", "mistake"), CHECKERS)
class TestEachChecker:
    def test_accepts_the_examples_and_finds_the_fault(
        self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str
    ) -> None:
        agrees(
            example(ACCEPTED),
            example(ACCEPTED, "other.py"),
            fault=FAULT + FAULT[:4] + "2" + FAULT[4:],
            rules=[rule] * 2,
        )

    def test_an_example_that_is_not_accepted_is_told(
        self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str
    ) -> None:
        with pytest.raises(Broken, match=rf"\n  example\.py:3: .* \[{mistake}\]"):
            agrees(example(MISTAKEN), fault=FAULT, rules=[rule])

    def test_an_example_does_not_stand_in_for_the_fault(
        self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str
    ) -> None:
        with pytest.raises(Broken, match=r"example\.py"):
            agrees(example(FAULT), fault=ACCEPTED, rules=[rule])

    def test_a_fault_that_breaks_other_rules_is_told(
        self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str
    ) -> None:
        with pytest.raises(
            Broken, match=rf"(?s)expected of the planted fault {mistake}, .*\n  planted_fault\.py:1: .*{rule}"
        ):
            agrees(example(ACCEPTED), fault=FAULT, rules=[mistake])

    def test_a_fault_that_is_none_is_told(
        self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str
    ) -> None:
        with pytest.raises(Broken, match="it finds: nothing"):
            agrees(example(ACCEPTED), fault=ACCEPTED, rules=[rule])

    def test_no_example_hides_another(self, example: Callable[..., Path], agrees: Any, rule: str, mistake: str) -> None:
        with pytest.raises(FileExistsError):
            agrees(example(MISTAKEN), example(ACCEPTED, "folder/example.py"), fault=FAULT, rules=[rule])

    def test_a_checker_that_is_not_installed_is_told(
        self, monkeypatch: pytest.MonkeyPatch, agrees: Any, rule: str, mistake: str
    ) -> None:
        monkeypatch.setattr(sys, "path", [])
        for name in ("pyright", "mypy"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        with pytest.raises(ModuleNotFoundError, match=r"(pyright|mypy) is not installed"):
            agrees(fault=FAULT, rules=[rule])


def test_what_pyright_must_refuse_may_stand_in_an_example(example: Callable[..., Path]) -> None:
    expect_pyright(example(REFUSED), fault=FAULT, rules=["reportAssignmentType"])
    with pytest.raises(Broken, match="reportUnnecessaryTypeIgnoreComment"):
        expect_pyright(example(REFUSED.replace("1", "'text'")), fault=FAULT, rules=["reportAssignmentType"])


def test_a_checker_that_cannot_check_is_told(example: Callable[..., Path]) -> None:
    with pytest.raises(Broken, match=r"mypy could not check:\n.*syntax"):
        expect_mypy(example("class\n"), fault=FAULT, rules=["assignment"])
