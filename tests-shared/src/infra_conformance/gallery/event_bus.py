"""The gallery of event buses: one for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import event_bus_failures, event_bus_late, event_bus_turns, event_bus_types
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [
    *event_bus_types.FAULTS,
    *event_bus_turns.FAULTS,
    *event_bus_failures.FAULTS,
    *event_bus_late.FAULTS,
]
