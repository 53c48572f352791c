"""Correct checks and composites, as plain as can be: what the faulty ones of the gallery are made from."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, override

from infra_conformance.gallery.memory_store import trip
from infra_conformance.health import CheckedDependency
from infra_conformance.health_status import Composites
from infra_protocols.clock import Clock
from infra_protocols.errors import HealthStaleError, HealthTimeoutError, ValidationError
from infra_protocols.flight import Flight
from infra_protocols.health import HealthCheck, HealthComponent, HealthPolicy, HealthReport, HealthResult
from infra_protocols.messages import ErrorMessages
from infra_protocols.status import HealthStatus

GRACE: Final = 0.1
ADDRESS: Final = "line://ada:s3cret@far"


class Line:
    """
    A dependency that is a round trip away, and can fail and hang.

    >>> asyncio.run(Line().call())
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answers: asyncio.Event = asyncio.Event()
        self.answers.set()

    async def call(self) -> None:
        """Go there and back."""
        await trip()
        await self.answers.wait()
        await trip()
        if self.error is not None:
            raise self.error


class LineCheck:
    """
    A correct `HealthCheck[Line]`.

    >>> asyncio.run(LineCheck(Line()).check()).status.value
    'healthy'
    """

    def __init__(self, line: Line) -> None:
        self.name = "line"
        self.dependency = line

    async def check(self) -> HealthResult:
        """Call the other end."""
        try:
            await self.dependency.call()
        except Exception as error:
            return HealthResult.failed(error)
        return HealthResult(HealthStatus.HEALTHY)


class CheckedLine(CheckedDependency[Line]):
    """
    The line, a check of it, and what happens to lines.

    >>> from infra_protocols import SystemClock
    >>> CheckedLine(SystemClock()).check.name
    'line'
    """

    kind: type[LineCheck] = LineCheck

    def __init__(self, clock: Clock) -> None:
        self.line: Line = Line()
        self.check: HealthCheck[Line] = self.kind(self.line)

    @override
    async def break_down(self) -> None:
        """Cut the line."""
        self.line.error = ConnectionResetError(f"cannot reach {ADDRESS}")

    @override
    async def hang(self) -> None:
        """Let nothing through."""
        self.line.answers.clear()

    @override
    async def mend(self) -> None:
        """Have a new line."""
        self.line.error = None
        self.line.answers.set()


class MemoryPart:
    """
    What a composite knows of one check.

    >>> from infra_protocols import SystemClock
    >>> MemoryPart(HealthComponent(LineCheck(Line())), HealthPolicy(), SystemClock()).fresh()
    False
    """

    def __init__(self, component: HealthComponent[Any], policy: HealthPolicy, clock: Clock) -> None:
        self.component = component
        self.policy: HealthPolicy = component.policy or policy
        self.clock = clock
        self.told: HealthStatus | None = None
        self.last: HealthResult | None = None
        self.last_at: float = 0.0
        self.checked: bool = False
        self.found: list[tuple[float, HealthStatus]] = []
        self.task: asyncio.Task[HealthResult] | None = None

    # -- What the faults change, in small pieces.

    def fresh(self) -> bool:
        """Say whether the last result still holds."""
        return self.last is not None and self.clock.monotonic() - self.last_at < self.ttl(self.last)

    def ttl(self, last: HealthResult) -> float:
        """Return how long `last` holds."""
        return self.policy.healthy_ttl if last.status is HealthStatus.HEALTHY else self.policy.unhealthy_ttl

    async def ask(self, seconds: float) -> None:
        """Run the check, for so many seconds at most, and keep what it finds."""
        began = self.clock.monotonic()
        if self.task is not None and not await self.wait(self.task, seconds):
            self.keep(self.timed_out(seconds), began)
            return
        self.task = asyncio.get_running_loop().create_task(self.component.check.check())
        try:
            done = await self.wait(self.task, seconds - (self.clock.monotonic() - began))
        except asyncio.CancelledError:
            await self.end(self.task)
            raise
        if done:
            self.checked = True
            self.keep(self.result(self.task), began)
        else:
            await self.give_up(self.task)
            self.keep(self.timed_out(seconds), began)

    async def wait(self, task: "asyncio.Task[HealthResult]", seconds: float) -> bool:
        """Wait for the check, and say whether it has ended."""
        done, _ = await asyncio.wait((task,), timeout=min(seconds, self.policy.timeout))
        return bool(done)

    async def give_up(self, task: "asyncio.Task[HealthResult]") -> None:
        """Do what is to be done about a check that is not done in time."""
        task.cancel()

    async def end(self, task: "asyncio.Task[HealthResult]") -> None:
        """Cancel the check, and wait for it unless it does not heed that."""
        task.cancel()
        await asyncio.wait((task,), timeout=GRACE)

    def timed_out(self, seconds: float) -> HealthResult:
        """Return the result of a check that is not done in time."""
        limit = min(seconds, self.policy.timeout)
        error = HealthTimeoutError(ErrorMessages.HEALTH_TIMEOUT.format(timeout=limit))
        return replace(HealthResult.failed(error), checked=self.checked)

    def result(self, task: "asyncio.Task[HealthResult]") -> HealthResult:
        """Return what the check found, whatever it did."""
        try:
            found: Any = task.result()
        except (Exception, asyncio.CancelledError) as error:
            return HealthResult.failed(error)
        return found if isinstance(found, HealthResult) else HealthResult.failed(TypeError(type(found).__name__))

    def keep(self, found: HealthResult, began: float) -> None:
        """Keep what was found, and see what status follows from it."""
        self.last_at = self.clock.monotonic()
        moment = self.clock.now()
        age = 0.0 if found.checked_at is None else max(0.0, (moment - found.checked_at).total_seconds())
        self.found.append((self.last_at - age, found.status))
        self.last = replace(
            found, checked_at=moment - timedelta(seconds=age), duration=found.duration or self.last_at - began
        )
        self.told = self.moved(found.status)

    def moved(self, status: HealthStatus) -> HealthStatus:
        """Return the status that follows from what was found."""
        if self.told is None:
            return status
        statuses = [status for _, status in self.found]
        bad, good = statuses[-self.policy.failure_threshold :], statuses[-self.policy.success_threshold :]
        mildest, sternest = min(bad, key=order), max(good, key=order)
        if len(bad) == self.policy.failure_threshold and order(mildest) > order(self.told):
            return mildest
        if len(good) == self.policy.success_threshold and order(sternest) < order(self.told):
            return sternest
        return self.told

    def stale(self) -> float | None:
        """Return how old what bears the status out is, if that is too old."""
        borne = max((at for at, status in self.found if order(status) <= order(self.held())), default=-1e9)
        age = self.clock.monotonic() - borne
        return age if age > self.policy.max_age and self.held() is not HealthStatus.UNHEALTHY else None

    def held(self) -> HealthStatus:
        """Return the status."""
        assert self.told is not None
        return self.told

    def tell(self) -> HealthResult:
        """Return what is told of the check, now."""
        last = self.last
        assert last is not None
        if (age := self.stale()) is not None:
            self.told = HealthStatus.UNHEALTHY
            text = ErrorMessages.HEALTH_STALE.format(age=age, max_age=self.policy.max_age)
            error = HealthStaleError(text)
            last = replace(last, cause=type(error).__name__, message=error.message)
        held = None if last.status is self.held() else last.status
        return replace(last, status=self.held(), observed=held)


class MemoryComposite:
    """
    A correct composite.

    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryComposite([], HealthPolicy(), 1.0, SystemClock()).check()).status.value
    'healthy'
    """

    part: type[MemoryPart] = MemoryPart

    def __init__(
        self, components: Sequence[HealthComponent[Any]], policy: HealthPolicy, deadline: float, clock: Clock
    ) -> None:
        self.name = "all"
        self.dependency: tuple[HealthComponent[Any], ...] = tuple(components)
        self.deadline = deadline
        self.parts: dict[str, MemoryPart] = {}
        for component in components:
            self.add(component, policy, clock)
        self.flight: Flight[str, HealthReport] = Flight()

    def add(self, component: HealthComponent[Any], policy: HealthPolicy, clock: Clock) -> None:
        """Add a part."""
        name = component.check.name
        if name in self.parts:
            raise ValidationError(ErrorMessages.HEALTH_NAME_TAKEN.format(field="name", name=name), field="name")
        self.parts[name] = self.part(component, policy, clock)

    async def check(self) -> HealthResult:
        """Return the result of the report."""
        return (await self.report()).result

    async def report(self) -> HealthReport:
        """Return what all find."""
        return await self.flight.run("report", self.make)

    async def make(self) -> HealthReport:
        """Run the checks that have to be run."""
        await self.run([part for part in self.parts.values() if not part.fresh()])
        results = {name: part.tell() for name, part in self.parts.items()}
        return HealthReport(result=HealthResult(self.combined(results), results=results))

    async def run(self, parts: list[MemoryPart]) -> None:
        """Run these beside one another."""
        async with asyncio.TaskGroup() as asked:
            for part in parts:
                asked.create_task(part.ask(self.deadline))

    def combined(self, results: dict[str, HealthResult]) -> HealthStatus:
        """Return the status of the whole."""
        return HealthStatus.combine(self.parts[name].component.weigh(result.status) for name, result in results.items())


class MemoryComposites(Composites):
    """
    Makes correct composites.

    >>> from infra_protocols import SystemClock
    >>> MemoryComposites(SystemClock()).composite([], HealthPolicy(), 1.0).name
    'all'
    """

    kind: type[MemoryComposite] = MemoryComposite

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @override
    def composite(
        self, components: Sequence[HealthComponent[Any]], policy: HealthPolicy, deadline: float
    ) -> MemoryComposite:
        """Return a composite."""
        return self.kind(components, policy, deadline, self.clock)


def order(status: HealthStatus) -> int:
    """
    Return how bad a status is.

    >>> order(HealthStatus.UNHEALTHY)
    2
    """
    return list(HealthStatus).index(status)
