"""What type checkers make of the public names: see the files in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

TYPING = Path(__file__).parent / "typing"
ACCEPTED = TYPING / "accepted.py"
REFUSED = TYPING / "refused.py"
FAULT = "from infra_protocols import ErrorMessages\n\nErrorMessages.POOL_CLOSED.upper(1)\n"


def test_pyright_strict_agrees_with_every_line() -> None:
    expect_pyright(ACCEPTED, REFUSED, fault=FAULT, rules=["reportCallIssue"])


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["call-arg"])
