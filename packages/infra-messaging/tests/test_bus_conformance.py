"""The bus keeps the promises of its port."""

from infra_conformance import EventBusSuite
from infra_messaging import EventBus


class TestEventBus(EventBusSuite):
    def make_bus(self, timeout: float | None, concurrency: int) -> EventBus[object]:
        return EventBus(timeout=timeout, concurrency=concurrency)
