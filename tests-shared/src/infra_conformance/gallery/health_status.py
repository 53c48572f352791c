"""Composites that tell a wrong status, of the whole or of a part."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, override

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_health import MemoryComposite, MemoryComposites, MemoryPart, order
from infra_protocols.clock import Clock
from infra_protocols.health import HealthComponent, HealthPolicy, HealthReport, HealthResult
from infra_protocols.status import HealthStatus


class BestStatusWins(MemoryComposite):
    """One part that is well will do."""

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        return min((result.status for result in results.values()), key=order, default=HealthStatus.HEALTHY)


class FirstBadStatusWins(MemoryComposite):
    """It looks no further than the first part that is not well."""

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        weighed = (self.parts[name].component.weigh(result.status) for name, result in results.items())
        return next((status for status in weighed if status is not HealthStatus.HEALTHY), HealthStatus.HEALTHY)


class DegradedIsWell(MemoryComposite):
    """It knows only up and down."""

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        whole = super().combined(results)
        return whole if whole is HealthStatus.UNHEALTHY else HealthStatus.HEALTHY


class NonCriticalTakesDown(MemoryComposite):
    """To it every part is critical."""

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        return HealthStatus.combine(result.status for result in results.values())


class NonCriticalIsIgnored(MemoryComposite):
    """What is not critical counts for nothing."""

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        return HealthStatus.combine(
            result.status for name, result in results.items() if self.parts[name].component.critical
        )


class _Reports(MemoryComposite):
    def shown(self, results: dict[str, HealthResult]) -> dict[str, HealthResult]:
        """Return the parts as they are told."""
        return results

    async def make(self) -> HealthReport:
        report = await super().make()
        return replace(report, result=replace(report.result, results=self.shown(dict(report.result.results))))


class TellsWhatItCounts(_Reports):
    """A part that is not critical is told as it counts, not as it is."""

    def shown(self, results: dict[str, HealthResult]) -> dict[str, HealthResult]:
        return {
            name: replace(found, status=self.parts[name].component.weigh(found.status))
            for name, found in results.items()
        }


class HidesPartsOfParts(_Reports):
    """Of a part that is a composite it tells the whole alone."""

    def shown(self, results: dict[str, HealthResult]) -> dict[str, HealthResult]:
        return {name: replace(found, results={}) for name, found in results.items()}


class InAnyOrder(_Reports):
    """It tells the worst first."""

    def shown(self, results: dict[str, HealthResult]) -> dict[str, HealthResult]:
        return dict(sorted(results.items(), key=lambda item: -order(item[1].status)))


class TellsNoTimes(_Reports):
    """It does not say when something was found, nor in what time."""

    def shown(self, results: dict[str, HealthResult]) -> dict[str, HealthResult]:
        return {name: replace(found, checked_at=None, duration=0.0) for name, found in results.items()}


class LastOfANameWins(MemoryComposite):
    """A second check of one name takes the place of the first."""

    def add(self, component: HealthComponent[Any], policy: HealthPolicy, clock: Clock) -> None:
        self.parts[component.check.name] = self.part(component, policy, clock)


class ForgetsItsParts(MemoryComposite):
    """It does not say what it depends on."""

    def __init__(
        self, components: Sequence[HealthComponent[Any]], policy: HealthPolicy, deadline: float, clock: Clock
    ) -> None:
        super().__init__(components, policy, deadline, clock)
        self.dependency: tuple[HealthComponent[Any], ...] = ()


class OneTtlForAll(MemoryPart):
    """What is bad holds as long as what is good."""

    def ttl(self, last: HealthResult) -> float:
        return self.policy.healthy_ttl


class HoldsTooLong(MemoryPart):
    """A result holds up to the end of its ttl, and at that moment."""

    def fresh(self) -> bool:
        return self.last is not None and self.clock.monotonic() - self.last_at <= self.ttl(self.last)


class NeverHolds(MemoryPart):
    """Each time the check is run anew."""

    def fresh(self) -> bool:
        return False


class WithoutHysteresis(MemoryPart):
    """Each result changes the status."""

    def moved(self, status: HealthStatus) -> HealthStatus:
        return status


class CountsAllFailures(MemoryPart):
    """A good result in between does not make it count anew."""

    @override
    def moved(self, status: HealthStatus) -> HealthStatus:
        bad = [status for _, status in self.found if status is not HealthStatus.HEALTHY]
        return status if self.told is None or len(bad) >= self.policy.failure_threshold else super().moved(status)


class ComesUpAtOnce(MemoryPart):
    """It waits before it goes down, and not before it comes up."""

    def moved(self, status: HealthStatus) -> HealthStatus:
        moved = super().moved(status)
        return status if order(status) < order(moved) else moved


class GoesDownToTheWorst(MemoryPart):
    """Of several results in a row that are worse, it takes the worst."""

    def moved(self, status: HealthStatus) -> HealthStatus:
        before, moved = self.told, super().moved(status)
        if before is None or order(moved) <= order(before):
            return moved
        return max((status for _, status in self.found[-self.policy.failure_threshold :]), key=order)


class FirstHasToBeConfirmed(MemoryPart):
    """It takes a check to be well until enough failures say otherwise, also at first."""

    def moved(self, status: HealthStatus) -> HealthStatus:
        if self.told is None:
            self.told: HealthStatus | None = HealthStatus.HEALTHY
        return super().moved(status)


class HidesWhatItHolds(MemoryPart):
    """It does not say what was found, where that does not count yet."""

    def tell(self) -> HealthResult:
        return replace(super().tell(), observed=None)


class ServesStaleAsGood(MemoryPart):
    """A status that is held is held for ever."""

    def stale(self) -> float | None:
        return None


class BelievesOldAnswers(MemoryPart):
    """What a check tells of long ago is as good to it as what it finds now."""

    def keep(self, found: HealthResult, began: float) -> None:
        super().keep(replace(found, checked_at=None), began)


class IgnoresOwnPolicies(MemoryPart):
    """All parts go by the policy of the composite."""

    def __init__(self, component: HealthComponent[Any], policy: HealthPolicy, clock: Clock) -> None:
        super().__init__(replace(component, policy=None), policy, clock)


def composite(kind: type[MemoryComposite], *caught_by: str) -> Fault:
    """
    Return the fault of a class of composites.

    >>> composite(BestStatusWins, "composite-02").name
    'BestStatusWins'
    """
    return Fault.of(type(kind.__name__, (MemoryComposites,), {"kind": kind}), *caught_by)


def part(kind: type[MemoryPart], *caught_by: str) -> Fault:
    """
    Return the fault of composites with a class of parts.

    >>> part(NeverHolds, "composite-10").name
    'NeverHolds'
    """
    return composite(type(kind.__name__, (MemoryComposite,), {"part": kind}), *caught_by)


FAULTS: Final = [
    composite(BestStatusWins, "composite-02", "composite-03", "composite-04"),
    composite(FirstBadStatusWins, "composite-02", "composite-03", "composite-04"),
    composite(DegradedIsWell, "composite-01", "composite-02", "composite-03"),
    composite(NonCriticalTakesDown, "composite-03"),
    composite(NonCriticalIsIgnored, "composite-03"),
    composite(TellsWhatItCounts, "composite-03"),
    composite(HidesPartsOfParts, "composite-04"),
    composite(InAnyOrder, "composite-05"),
    composite(TellsNoTimes, "composite-05", "composite-12"),
    composite(LastOfANameWins, "composite-06"),
    composite(ForgetsItsParts, "composite-01"),
    part(OneTtlForAll, "composite-10"),
    part(HoldsTooLong, "composite-10", "composite-30"),
    part(NeverHolds, "composite-10", "composite-13"),
    part(WithoutHysteresis, "composite-10", "composite-11", "composite-12"),
    part(CountsAllFailures, "composite-10", "composite-11"),
    part(ComesUpAtOnce, "composite-10", "composite-11"),
    part(GoesDownToTheWorst, "composite-10"),
    part(FirstHasToBeConfirmed, "composite-10"),
    part(HidesWhatItHolds, "composite-10"),
    part(ServesStaleAsGood, "composite-10", "composite-12"),
    part(BelievesOldAnswers, "composite-12"),
    part(IgnoresOwnPolicies, "composite-13"),
]
