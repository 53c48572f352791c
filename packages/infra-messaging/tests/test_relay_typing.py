"""What type checkers make of the relay that runs by itself: see the file in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

ACCEPTED = Path(__file__).parent / "typing" / "accepted_relay.py"
FAULT = """\
from typing import Any

from infra_messaging import OutboxRelay
from infra_protocols import MessageBroker, Outbox


async def tell(error: Exception) -> None: ...


async def main(outbox: Outbox[str, Any], broker: MessageBroker[str]) -> None:
    OutboxRelay(outbox, broker, on_error=tell)
    await outbox.relay(broker, on_refused=tell)
"""


def test_pyright_strict_refuses_a_hook_that_nobody_awaits() -> None:
    expect_pyright(ACCEPTED, fault=FAULT, rules=["reportArgumentType"] * 2)


def test_mypy_strict_refuses_a_hook_that_nobody_awaits() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["arg-type"] * 2)
