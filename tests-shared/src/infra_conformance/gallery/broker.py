"""The gallery of `MessageBroker`: one broker for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import broker_bounds, broker_closing, broker_delivery, broker_groups, broker_letters
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [
    *broker_delivery.FAULTS,
    *broker_groups.FAULTS,
    *broker_letters.FAULTS,
    *broker_closing.FAULTS,
    *broker_bounds.FAULTS,
]
