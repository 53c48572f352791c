"""The composite keeps every promise of its port."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infra_conformance import CompositeHealthCheckSuite, Composites
from infra_health import CompositeHealthCheck
from infra_protocols import Clock, HealthComponent, HealthPolicy


class MadeComposites(Composites):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def composite(
        self, components: Sequence[HealthComponent[Any]], policy: HealthPolicy, deadline: float
    ) -> CompositeHealthCheck:
        return CompositeHealthCheck(components, policy, deadline=deadline, clock=self._clock)


class TestComposite(CompositeHealthCheckSuite):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MadeComposites]:
        yield MadeComposites(clock)
