"""Composites that run their checks wrongly: late, twice, one after the other, or at the mercy of what they do."""

import asyncio
import math
from dataclasses import dataclass, replace
from typing import Final

from infra_conformance.gallery.health_status import composite, part
from infra_conformance.gallery.memory_health import MemoryComposite, MemoryPart
from infra_protocols._present import Json
from infra_protocols.health import HealthReport, HealthResult
from infra_protocols.status import HealthStatus

type Checking = asyncio.Task[HealthResult]


class RaisesThrough(MemoryPart):
    """What a check raises takes the report down."""

    def result(self, task: Checking) -> HealthResult:
        return task.result()


class FallsWithCancelled(MemoryPart):
    """It minds errors, and not a check that ends as if it had been cancelled."""

    def result(self, task: Checking) -> HealthResult:
        task.result() if task.cancelled() else None
        return super().result(task)


class TrustsAnyAnswer(MemoryPart):
    """What is returned is good, unless it says otherwise."""

    def result(self, task: Checking) -> HealthResult:
        try:
            return replace(task.result())
        except TypeError:
            return HealthResult(HealthStatus.HEALTHY)
        except (Exception, asyncio.CancelledError):
            return super().result(task)


class WaitsForEver(MemoryPart):
    """A check has all the time it takes."""

    async def wait(self, task: Checking, seconds: float) -> bool:
        await asyncio.wait((task,))
        return True


class IgnoresTheDeadline(MemoryPart):
    """Each check has its time, and the whole has none."""

    async def wait(self, task: Checking, seconds: float) -> bool:
        return await super().wait(task, math.inf)


class KeepsWhatItHad(MemoryPart):
    """While a check hangs, it tells what the check found before."""

    def timed_out(self, seconds: float) -> HealthResult:
        return self.last or super().timed_out(seconds)


class LetsItRun(MemoryPart):
    """It does not cancel what is too late."""

    async def give_up(self, task: Checking) -> None:
        pass


class WaitsForTheStubborn(MemoryPart):
    """It cancels what is too late, and waits until that has ended."""

    async def give_up(self, task: Checking) -> None:
        task.cancel()
        await asyncio.wait((task,))


class RunsItBesideItself(MemoryPart):
    """It forgets what is too late, and runs it again."""

    async def give_up(self, task: Checking) -> None:
        task.cancel()
        self.task: Checking | None = None


class AlwaysChecked(MemoryPart):
    """It does not tell a check that has answered from one that never has."""

    def timed_out(self, seconds: float) -> HealthResult:
        return replace(super().timed_out(seconds), checked=True)


class NeverChecked(MemoryPart):
    """One that does not answer now is told never to have answered."""

    def timed_out(self, seconds: float) -> HealthResult:
        return replace(super().timed_out(seconds), checked=False)


class LosesTheMessage(MemoryPart):
    """It tells what kind of error there was, and never what it said."""

    def result(self, task: Checking) -> HealthResult:
        return replace(super().result(task), message=None)


class LosesPartialResults(MemoryComposite):
    """When one is late at the deadline, it has nothing to tell of the others."""

    async def run(self, parts: list[MemoryPart]) -> None:
        began = {part: part.clock.monotonic() for part in parts}
        await super().run(parts)
        if any(part.clock.monotonic() - began[part] >= self.deadline for part in parts):
            for each in parts:
                each.keep(each.timed_out(self.deadline), began[each])


class OneAfterTheOther(MemoryComposite):
    """It runs a check when the one before has ended."""

    async def run(self, parts: list[MemoryPart]) -> None:
        for each in parts:
            await each.ask(self.deadline)


class NotSingleFlight(MemoryComposite):
    """Each who asks has the checks run; those that run already are late then."""

    async def report(self) -> HealthReport:
        return await self.make()


class TheFirstRunsItForAll(MemoryComposite):
    """The report is made by who asks first; when that one is cancelled, all are."""

    making: "asyncio.Future[HealthReport] | None" = None

    async def report(self) -> HealthReport:
        if self.making is None or self.making.done():
            self.making = asyncio.ensure_future(self.make())
        return await self.making


class RunsOnForNobody(MemoryComposite):
    """The checks run on when nobody waits for them any more."""

    making: "asyncio.Future[HealthReport] | None" = None

    async def report(self) -> HealthReport:
        if self.making is None or self.making.done():
            self.making = asyncio.ensure_future(self.make())
        return await asyncio.shield(self.making)


class LeavesATask(MemoryPart):
    """When it is cancelled it leaves its check to itself."""

    async def end(self, task: Checking) -> None:
        pass


class CancelsAndLeaves(MemoryPart):
    """When it is cancelled it cancels its check, and does not see it end."""

    async def end(self, task: Checking) -> None:
        task.cancel()


class HeldUpWhenItLeaves(MemoryPart):
    """When it is cancelled it waits until its check has ended, however long that takes."""

    async def end(self, task: Checking) -> None:
        task.cancel()
        await asyncio.wait((task,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Talkative(HealthReport):
    def to_dict(self, *, checks: bool = True, messages: bool = False) -> dict[str, Json]:
        return HealthReport.to_dict(self, checks=checks, messages=True)


class LeaksAddresses(MemoryComposite):
    """Its reports tell what errors said, whoever reads them."""

    async def make(self) -> HealthReport:
        return _Talkative(result=(await super().make()).result)


class LeaksPasswords(MemoryComposite):
    """It tells apart what failed by what the errors said."""

    async def make(self) -> HealthReport:
        result = (await super().make()).result
        errors = {name: str(getattr(each.component.check, "error", "")) for name, each in self.parts.items()}
        return HealthReport(result=replace(result, results={errors[name]: it for name, it in result.results.items()}))


FAULTS: Final = [
    part(RaisesThrough, "composite-20", "composite-40"),
    part(FallsWithCancelled, "composite-20"),
    part(TrustsAnyAnswer, "composite-21"),
    part(WaitsForEver, "composite-22", "composite-24", "composite-25"),
    part(IgnoresTheDeadline, "composite-25"),
    part(KeepsWhatItHad, "composite-22"),
    part(LetsItRun, "composite-22"),
    part(WaitsForTheStubborn, "composite-24"),
    part(RunsItBesideItself, "composite-24"),
    part(AlwaysChecked, "composite-23"),
    part(NeverChecked, "composite-23"),
    part(LosesTheMessage, "composite-40"),
    composite(LeaksPasswords, "composite-40"),
    composite(LeaksAddresses, "composite-40"),
    composite(LosesPartialResults, "composite-25"),
    composite(OneAfterTheOther, "composite-25", "composite-26"),
    composite(NotSingleFlight, "composite-30", "composite-31"),
    composite(TheFirstRunsItForAll, "composite-31"),
    composite(RunsOnForNobody, "composite-32", "composite-50"),
    part(LeavesATask, "composite-32", "composite-50"),
    part(CancelsAndLeaves, "composite-32", "composite-50"),
    part(HeldUpWhenItLeaves, "composite-33"),
]
