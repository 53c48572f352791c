# What pyright strict must accept, and mypy does not: it takes no abstract class for a `type[...]`. Nothing here is run.

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from infra_messaging import EventBus


class Audited(ABC):
    @abstractmethod
    def who(self) -> str: ...


@runtime_checkable
class Named(Protocol):
    def name(self) -> str: ...


def on_audited(event: Audited) -> None: ...


def on_named(event: Named) -> None: ...


def abstract(bus: EventBus[object]) -> None:
    bus.subscribe(Audited, on_audited)
    bus.subscribe(Named, on_named)
    bus.subscribe(Named, lambda event: event.name())
