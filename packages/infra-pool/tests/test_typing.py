"""What type checkers make of the public names: see the file in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

ACCEPTED = Path(__file__).parent / "typing" / "accepted.py"
FAULT = """\
from infra_pool import ConnectionFactory, ConnectionPool


class Numbers:
    async def create(self) -> int:
        return 1

    async def destroy(self, connection: int) -> None: ...

    async def validate(self, connection: int) -> bool:
        return True


def texts(factory: ConnectionFactory[str]) -> ConnectionPool[str]:
    return ConnectionPool(factory)


texts(Numbers())
"""


def test_pyright_strict_agrees_with_every_line() -> None:
    expect_pyright(ACCEPTED, fault=FAULT, rules=["reportArgumentType"])


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["arg-type"])
