"""The suite of `EventBusProtocol`: what every bus of typed events promises."""

from infra_conformance.event_bus_base import MakeBus
from infra_conformance.event_bus_failures import FailureChecks
from infra_conformance.event_bus_model import EventBusMachine
from infra_conformance.event_bus_order import OrderChecks
from infra_conformance.event_bus_together import TogetherChecks
from infra_conformance.event_bus_types import TypeChecks
from infra_conformance.machine import Machine
from infra_conformance.proof import modelled

__all__ = ["EventBusSuite"]


class EventBusSuite(TypeChecks, OrderChecks, FailureChecks, TogetherChecks):
    """
    Checks an `EventBusProtocol`.

    >>> class TestMyBus(EventBusSuite):
    ...     def make_bus(self, timeout, concurrency):
    ...         return MyBus(timeout=timeout, concurrency=concurrency)
    """

    @modelled("bus-70", validates="10.1 10.3")
    def test_bus_model(self) -> type[Machine[MakeBus]]:
        """Whoever subscribes, unsubscribes and publishes, and be it while an event goes round, all is as told."""
        return EventBusMachine.over()
