"""What a composite promises of statuses: which is told of the whole, and which of a part as time goes by."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.health_model import HealthModel
from infra_conformance.health_script import ScriptedCheck
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import HealthStaleError, ValidationError
from infra_protocols.health import (
    CompositeHealthCheckProtocol,
    HealthComponent,
    HealthPolicy,
    HealthReport,
    HealthResult,
)
from infra_protocols.status import HealthStatus

NAMES: Final = ("database", "cache", "queue", "disk", "mail", "search")
STATUSES: Final = st.sampled_from(HealthStatus)
HEALTHY, DEGRADED, UNHEALTHY = HealthStatus


class Composites(ABC):
    """Makes composites: what `CompositeHealthCheckSuite` checks."""

    @abstractmethod
    def composite(
        self, components: Sequence[HealthComponent[Any]], policy: HealthPolicy, deadline: float
    ) -> CompositeHealthCheckProtocol:
        """
        Return a new composite.

        Args:
            components: its parts.
            policy: that of the parts which have none of their own.
            deadline: how many seconds a report may take.
        """


class CompositeChecks(Suite[Composites]):
    """The base of the checks of composites."""

    def composite(
        self,
        trial: Trial[Composites],
        *checks: Any,
        policy: HealthPolicy | None = None,
        deadline: float | None = None,
    ) -> CompositeHealthCheckProtocol:
        """Return a composite of `checks` or components, with much time unless something else is said."""
        components: list[HealthComponent[Any]] = [
            each if isinstance(each, HealthComponent) else HealthComponent(each) for each in checks
        ]
        policy = self.policy() if policy is None else policy
        return trial.raw.composite(components, policy, 1000 * self.tick if deadline is None else deadline)

    def policy(self, **ticks: float) -> HealthPolicy:
        """Return a policy whose times are given in ticks; a check has a hundred of them, unless it says otherwise."""
        thresholds = {name: ticks.pop(name) for name in list(ticks) if name.endswith("threshold")}
        times = {"timeout": 100, "max_age": 10_000} | ticks
        given: dict[str, Any] = {name: value * self.tick for name, value in times.items()} | thresholds
        return HealthPolicy(**given)


class StatusChecks(CompositeChecks):
    """The checks of statuses."""

    @check("composite-01", validates="11.4 11.5")
    async def test_it_is_a_composite(self, trial: Trial[Composites]) -> None:
        """It is a HealthCheck whose check returns the result of its report, which is a HealthReport."""
        composite: Any = self.composite(trial, ScriptedCheck("a", status=DEGRADED))
        promised = isinstance(composite, CompositeHealthCheckProtocol)
        expect("isinstance(subject, CompositeHealthCheckProtocol)", promised, True)
        for name in ("check", "report"):
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(getattr(composite, name)), True)
        expect("the names of its parts", [part.check.name for part in composite.dependency], ["a"])
        expect("what report returns", isinstance(await composite.report(), HealthReport), True)
        expect("the status that check returns", (await composite.check()).status, DEGRADED)
        expect("the name may be that of a part", HealthComponent(composite).check.name, composite.name)

    # **Feature: infrastructure-generics-review-2025, Property 15: Health Check Status Propagation**
    # **Validates: Requirements 11.5**
    @check("composite-02", validates="11.5")
    async def test_the_worst_wins(self, trial: Trial[Composites]) -> None:
        """If any part is UNHEALTHY so is the whole; if none is and any is DEGRADED, so is the whole."""
        statuses = trial.draw(st.lists(STATUSES, max_size=len(NAMES)))
        checks = [ScriptedCheck(name, status=status) for name, status in zip(NAMES, statuses, strict=False)]
        report = await self.composite(trial, *checks).report()
        expect(f"the whole of {_shown(statuses)}", report.status, _combined(statuses))

    @check("composite-03", validates="11.5")
    async def test_not_critical(self, trial: Trial[Composites]) -> None:
        """A part that is not critical makes the whole DEGRADED at most, and is told as it is."""
        drawn = trial.draw(st.lists(st.tuples(STATUSES, st.booleans()), min_size=1, max_size=len(NAMES)))
        parts = [
            HealthComponent(ScriptedCheck(name, status=status), critical=critical)
            for name, (status, critical) in zip(NAMES, drawn, strict=False)
        ]
        report = await self.composite(trial, *parts).report()
        weighed = [status if critical else min(status, DEGRADED, key=_order) for status, critical in drawn]
        expect("the whole", report.status, _combined(weighed))
        expect("the parts", [part.status for part in report.result.results.values()], [each for each, _ in drawn])

    @check("composite-04", validates="11.5")
    async def test_nested(self, trial: Trial[Composites]) -> None:
        """A composite may be part of another, to which it is as its own whole is; its parts are told."""
        inner, outer = (
            trial.draw(st.lists(STATUSES, min_size=1, max_size=3)),
            trial.draw(st.lists(STATUSES, max_size=2)),
        )
        within = self.composite(trial, *(ScriptedCheck(name, status=s) for name, s in zip(NAMES, inner, strict=False)))
        beside = [ScriptedCheck(f"{name}2", status=s) for name, s in zip(NAMES, outer, strict=False)]
        report = await self.composite(trial, within, *beside).report()
        expect("the whole", report.status, _combined([*inner, *outer]))
        part = report.result.results[within.name]
        expect("the part that is a composite", part.status, _combined(inner))
        expect("the parts of that part", [each.status for each in part.results.values()], inner)

    @check("composite-05", validates="11.4")
    async def test_each_part_is_told(self, trial: Trial[Composites]) -> None:
        """Each part is told under its name, in the order of the checks, with what it found, when, and in what time."""
        slow = ScriptedCheck("slow", seconds=2 * self.tick)
        statuses = trial.draw(st.permutations([*HealthStatus, *HealthStatus]))
        checks = [
            ScriptedCheck(name, answer=HealthResult(status, cause=name))
            for name, status in zip(NAMES, statuses, strict=True)
        ]
        report = await self.composite(trial, *checks, slow).report()
        results = report.result.results
        expect("the names", list(results), [*NAMES, "slow"])
        found = [(results[name].status, results[name].cause) for name in NAMES]
        expect("what the parts found", found, list(zip(statuses, NAMES, strict=True)))
        expect("all were checked", [part.checked for part in results.values()], [True] * len(results))
        expect("the moment is told", [part.checked_at is not None for part in results.values()], [True] * len(results))
        took = results["slow"].duration
        if not 2 * self.tick - self.slack <= took <= 2 * self.tick + (10 if self.real_time else self.slack):
            raise Broken(ConformanceMessages.EXPECTED.format(what="its duration", want=2 * self.tick, got=took))

    @check("composite-06", validates="11.4")
    async def test_one_name_each(self, trial: Trial[Composites]) -> None:
        """Two parts of one name are refused with a ValidationError; none at all are HEALTHY."""
        try:
            self.composite(trial, ScriptedCheck("a"), ScriptedCheck("b"), ScriptedCheck("a"))
        except ValidationError:
            pass
        else:
            message = ConformanceMessages.NOT_REFUSED.format(what="two of one name", expected="ValidationError")
            raise Broken(message)
        expect("a composite of nothing", (await self.composite(trial).report()).status, HEALTHY)

    @check("composite-10", validates="11.5")
    async def test_in_time(self, trial: Trial[Composites]) -> None:
        """A result holds for its ttl, a status changes by its thresholds, and none is believed beyond its max_age."""
        ticks, counts = st.sampled_from([0, 2, 5]), st.integers(1, 3)
        drawn = trial.draw(st.tuples(ticks, ticks, counts, counts, st.sampled_from([8, 10_000])))
        names = ("healthy_ttl", "unhealthy_ttl", "failure_threshold", "success_threshold", "max_age")
        policy = self.policy(**dict(zip(names, drawn, strict=True)))
        subject, model = ScriptedCheck(), HealthModel(policy)
        composite = self.composite(trial, subject, policy=policy)
        steps = trial.draw(st.lists(st.tuples(STATUSES, st.sampled_from([0, 1, 3, 9])), min_size=3, max_size=12))
        for status, pause in steps:
            await self._passed(trial, pause)
            subject.status = status
            want = model.ask(trial.time(), status)
            told = (await composite.report()).result.results["a"]
            trial.history.note(f"it finds {status.value}: told {told.status.value}")
            expect("how often it ran", subject.begun, model.runs)
            expect("what is told", told.status, want)
            expect("what is held back", told.observed, None if model.last is want else model.last)

    @check("composite-11", validates="11.5")
    async def test_thresholds(self, trial: Trial[Composites]) -> None:
        """It takes so many failures in a row to go down, and so many successes in a row to come up."""
        down, up = trial.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        subject = ScriptedCheck()
        policy = self.policy(failure_threshold=down, success_threshold=up)
        composite = self.composite(trial, subject, policy=policy)
        for rounds, change, before, after in ((down, UNHEALTHY, HEALTHY, UNHEALTHY), (up, HEALTHY, UNHEALTHY, HEALTHY)):
            for status in [before, *[change] * (rounds - 1), before, *[change] * (rounds - 1)]:
                subject.status = status
                expect("the whole, while it is held", (await composite.report()).status, before)
            subject.status = change
            expect("the whole, after so many", (await composite.report()).status, after)

    @check("composite-12", validates="11.5")
    async def test_stale(self, trial: Trial[Composites]) -> None:
        """What a check tells of long ago, or what is held for too long, is UNHEALTHY, for HealthStaleError."""
        policy = self.policy(max_age=5, failure_threshold=10)
        old = ScriptedCheck("old")
        held = ScriptedCheck("held")
        composite = self.composite(trial, old, held, policy=policy)
        first = (await composite.report()).result.results["old"]
        assert first.checked_at is not None
        old.answer = HealthResult(HEALTHY, checked_at=first.checked_at)
        held.error = ConnectionError()
        await trial.elapse(4 * self.tick)
        before = await composite.report()
        if not self.real_time:  # else a slow machine is late
            expect("the whole, while it is held", before.status, HEALTHY)
        await trial.elapse(2 * self.tick)
        results = (await composite.report()).result.results
        for name in ("old", "held"):
            found = results[name]
            expect(f"{name}, later", (found.status, found.cause), (UNHEALTHY, HealthStaleError.__name__))
        old.answer = HealthResult(HEALTHY, checked_at=first.checked_at + timedelta(seconds=10_000 * self.tick))
        expect("one that is fresh", (await composite.report()).result.results["old"].status, HEALTHY)

    @check("composite-13", validates="11.5")
    async def test_own_policy(self, trial: Trial[Composites]) -> None:
        """A part with a policy of its own goes by that, the others by the composite's."""
        one, other = ScriptedCheck("one"), ScriptedCheck("other")
        part = HealthComponent(one, policy=self.policy(healthy_ttl=100))
        composite = self.composite(trial, part, other)
        for _ in range(2):
            await composite.report()
        expect("how often they ran", (one.begun, other.begun), (1, 2))

    async def _passed(self, trial: Trial[Composites], ticks: float) -> None:
        if ticks:
            await trial.elapse(ticks * self.tick)


def _order(status: HealthStatus) -> int:
    return list(HealthStatus).index(status)


def _combined(statuses: Sequence[HealthStatus]) -> HealthStatus:
    return next((status for status in (UNHEALTHY, DEGRADED) if status in statuses), HEALTHY)


def _shown(statuses: Sequence[HealthStatus]) -> str:
    return ", ".join(status.value for status in statuses)
