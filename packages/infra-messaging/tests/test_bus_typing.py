"""What type checkers make of the bus: see the file in typing/."""

from pathlib import Path

from infra_conformance.type_checkers import expect_mypy, expect_pyright

TYPING = Path(__file__).parent / "typing"
ACCEPTED = TYPING / "accepted_bus.py"
FAULT = """\
from infra_messaging import EventBus


class Event: ...


class Opened(Event): ...


class Closed(Event): ...


class Box[T]:
    def __init__(self, content: T) -> None:
        self.content = content


async def on_opened(event: Opened) -> None: ...


def on_text(box: Box[str]) -> None: ...


async def main(bus: EventBus[Event]) -> None:
    bus.subscribe(Closed, on_opened)
    bus.subscribe(Event, on_opened)
    bus.subscribe(Opened, lambda event: event.no_such_thing)
    bus.subscribe(Box[int], on_text)
    await bus.publish("no event")
"""


def test_pyright_strict_agrees_with_every_line() -> None:
    rules = ["reportArgumentType"] * 4 + [
        "reportAttributeAccessIssue",
        "reportUnknownMemberType",
        "reportUnknownLambdaType",
    ]
    expect_pyright(ACCEPTED, TYPING / "accepted_bus_by_pyright.py", fault=FAULT, rules=rules)


def test_mypy_strict_accepts_what_it_should() -> None:
    expect_mypy(ACCEPTED, fault=FAULT, rules=["arg-type"] * 4 + ["attr-defined"])
