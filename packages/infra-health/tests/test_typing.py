"""What type checkers make of the public names: see the file in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

ACCEPTED = Path(__file__).parent / "typing" / "accepted.py"
FAULT = """\
from infra_health import health_check


@health_check
async def double(number: int) -> int:
    return 2 * number


double.check()
"""


def test_pyright_strict_agrees_with_every_line() -> None:
    expect_pyright(ACCEPTED, fault=FAULT, rules=["reportArgumentType", "reportUnusedCoroutine"])


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["type-var", "unused-coroutine"])
