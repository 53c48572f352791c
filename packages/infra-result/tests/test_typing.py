"""What type checkers make of the public names: see the files in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

TYPING = Path(__file__).parent / "typing"
ACCEPTED = TYPING / "accepted.py"
ACCEPTED_BY_PYRIGHT = TYPING / "accepted_by_pyright.py"
REFUSED = TYPING / "refused.py"
FAULT = "from infra_result import Ok\n\nOk(1).value = 2\n"


def test_pyright_strict_agrees_with_every_line() -> None:
    expect_pyright(ACCEPTED, ACCEPTED_BY_PYRIGHT, REFUSED, fault=FAULT, rules=["reportAttributeAccessIssue"])


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["misc"])
