"""Checks made one: how the whole is, whatever its parts do."""

from collections.abc import Iterable
from typing import Any, Final

from infra_health._attempt import Part, run
from infra_health.messages import HealthMessages
from infra_protocols import (
    Clock,
    Flight,
    HealthCheck,
    HealthComponent,
    HealthPolicy,
    HealthReport,
    HealthResult,
    HealthStatus,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
)

_POLICY: Final = HealthPolicy()


class CompositeHealthCheck:
    """
    Runs checks beside one another, each in its time, and tells how the whole is.

    It keeps all the promises of `infra_protocols.CompositeHealthCheckProtocol`. A composite within another leaves a
    tenth of the time that it has there to tell what it found. Each change of a status is logged to `infra_health`, a
    check that goes down or is degraded as a warning.

    Args:
        checks: the parts: checks, and components, which are checks that count for less or have a policy of their own.
        policy: that of the parts which have none of their own.
        name: what it is called as a part of another composite.
        deadline: within how many seconds a report is made.
        clock: where the time is taken from.

    Raises:
        ValidationError: two parts share a name, a name is blank or has a `:` or `/`, or the deadline is not above 0.

    >>> import asyncio
    >>> from infra_health import health_check
    >>> @health_check
    ... async def queue() -> None:
    ...     raise ConnectionError("queue1 is down")
    >>> report = asyncio.run(CompositeHealthCheck([queue]).report())
    >>> report.status.value, report.result.results["queue"].cause
    ('unhealthy', 'ConnectionError')
    """

    def __init__(
        self,
        checks: Iterable[HealthCheck[Any] | HealthComponent[Any]],
        policy: HealthPolicy = _POLICY,
        *,
        name: str = "service",
        deadline: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._deadline = or_raise(require_range(deadline, "deadline", above=0))
        self._clock = clock or SystemClock()
        self._parts: dict[str, Part] = {}
        for check in checks:
            self._add(check if isinstance(check, HealthComponent) else HealthComponent(check), policy)
        self._flight: Flight[str, HealthReport] = Flight()

    @property
    def name(self) -> str:
        """What it is called as a part of another composite."""
        return self._name

    @property
    def dependency(self) -> tuple[HealthComponent[Any], ...]:
        """The parts."""
        return tuple(part.component for part in self._parts.values())

    async def check(self) -> HealthResult:
        """Return how the whole is."""
        return (await self.report()).result

    async def report(self) -> HealthReport:
        """Return how the whole is and each of its parts."""
        return await self._flight.run(self._name, self._make)

    def _add(self, component: HealthComponent[Any], policy: HealthPolicy) -> None:
        name = component.check.name
        if name in self._parts:
            message = HealthMessages.HEALTH_NAME_TAKEN.format(field="name", name=name)
            raise ValidationError(message, field="name", kind="str")
        self._parts[name] = Part(component, policy, self._clock)

    async def _make(self) -> HealthReport:
        began = self._clock.monotonic()
        await run([part for part in self._parts.values() if not part.record.holds(began)], self._deadline)
        now = self._clock.monotonic()
        results = {name: part.record.tell(now) for name, part in self._parts.items()}
        status = HealthStatus.combine(self._parts[name].component.weigh(it.status) for name, it in results.items())
        whole = HealthResult(status, checked_at=self._clock.now(), duration=now - began, results=results)
        return HealthReport(result=whole)
