"""What type checkers make of brokers: see the file in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

ACCEPTED = Path(__file__).parent / "typing" / "accepted_broker.py"
FAULT = """\
from infra_messaging import InMemoryBroker


async def on_text(text: str) -> None: ...


async def replies_with_text(number: int) -> str:
    return str(number)


async def main(broker: InMemoryBroker[int]) -> None:
    await broker.publish("numbers", "no number")
    await broker.subscribe("numbers", on_text)
    await broker.subscribe("numbers", replies_with_text)
    await broker.subscribe("numbers", print, partitions="8")
"""


def test_pyright_strict_agrees_with_every_line() -> None:
    expect_pyright(ACCEPTED, fault=FAULT, rules=["reportArgumentType"] * 5)


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["arg-type"] * 5)
