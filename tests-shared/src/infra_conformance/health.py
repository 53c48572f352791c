"""The suite of `HealthCheck`: what every check of a dependency promises."""

import asyncio
import inspect
from collections.abc import Sequence
from typing import ClassVar, Final

from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.suite import Suite
from infra_conformance.sweep import Pass
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.health import HealthCheck, HealthComponent, HealthReport, HealthResult
from infra_protocols.status import HealthStatus

PATIENCE: Final = 30.0
"""How many seconds a dependency that was mended has to be well again, where time is real."""


class CheckedDependency[T]:
    """
    A check, and what can be done to its dependency: what `HealthCheckSuite` checks.

    Type parameters:
        T: the dependency.
    """

    check: HealthCheck[T]
    """The check; its dependency is well."""

    async def break_down(self) -> None:
        """Have the dependency fail, so that whoever uses it is told so."""
        raise NotImplementedError

    async def hang(self) -> None:
        """Have the dependency answer nothing, neither well nor badly, for longer than the check would wait."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Have the dependency be well again."""
        raise NotImplementedError


class HealthCheckSuite[T](Suite[CheckedDependency[T]]):
    """
    Checks a `HealthCheck`.

    Type parameters:
        T: the dependency.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyCheck(HealthCheckSuite[list[str]]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyQueueAndItsCheck()
    """

    can_break: ClassVar[bool] = True
    """Whether the subject has `break_down` and `mend`."""
    can_hang: ClassVar[bool] = True
    """Whether the subject has `hang` and `mend`."""

    def secrets(self) -> Sequence[str]:
        """Return what the dependency is reached with and no report may hold: passwords, keys."""
        return ["s3cret"]

    @check("health-01", validates="11.4")
    async def test_it_is_a_check(self, trial: Trial[CheckedDependency[T]]) -> None:
        """It has the members of a HealthCheck, a name that a report can show, and the dependency it checks."""
        subject = trial.raw.check
        expect("isinstance(subject, HealthCheck)", isinstance(subject, HealthCheck), True)
        expect("check is a coroutine function", inspect.iscoroutinefunction(subject.check), True)
        expect("the name, asked for again", HealthComponent(subject).check.name, subject.name)
        expect("the dependency is the same each time", subject.dependency is subject.dependency, True)

    @check("health-02", validates="11.4")
    async def test_well(self, trial: Trial[CheckedDependency[T]]) -> None:
        """A dependency that is well is HEALTHY, and nothing is told to be wrong."""
        _expect_well(await trial.raw.check.check())

    @check("health-03", validates="11.4", requires="can_break")
    async def test_broken(self, trial: Trial[CheckedDependency[T]]) -> None:
        """A dependency that fails is UNHEALTHY, with the class of what is wrong; that is no exception."""
        await trial.subject.break_down()
        _expect_down(await _found(trial.raw.check))

    @check("health-04", validates="11.4", requires="can_break")
    async def test_now(self, trial: Trial[CheckedDependency[T]]) -> None:
        """What is told is how the dependency is now: it fails, is mended, and fails again."""
        subject = trial.raw.check
        for _ in range(2):
            await trial.subject.break_down()
            _expect_down(await _found(subject))
            await trial.subject.mend()
            await self._mended(trial)

    @check("health-05", validates="11.4")
    async def test_together(self, trial: Trial[CheckedDependency[T]]) -> None:
        """Checks that are made at once do not harm each other."""
        subject = trial.raw.check
        for result in await asyncio.gather(*(subject.check() for _ in range(5))):
            _expect_well(result)

    @check("health-06", validates="11.4", requires="can_hang")
    async def test_cancelled_while_it_hangs(self, trial: Trial[CheckedDependency[T]]) -> None:
        """A check that waits for a dependency which does not answer ends when it is cancelled, and leaves nothing."""
        subject = trial.raw.check
        await trial.subject.hang()
        checking = asyncio.ensure_future(subject.check())
        await trial.elapse(self.tick)
        checking.cancel()
        await asyncio.wait((checking,), timeout=PATIENCE)
        if not checking.done():
            raise Broken(ConformanceMessages.IGNORES_CANCEL)
        if not checking.cancelled():  # it may have found out before it was cancelled
            _expect_down(checking.result())

    @check("health-07", validates="11.4", requires="can_break")
    async def test_no_secrets(self, trial: Trial[CheckedDependency[T]]) -> None:
        """What a dependency is reached with is in no report, not even in one that shows messages."""
        await trial.subject.break_down()
        found = await _found(trial.raw.check)
        report = HealthReport(result=HealthResult(found.status, results={"part": found}))
        for shown in (str(report), repr(report), str(report.to_dict(messages=True))):
            for secret in self.secrets():
                if secret in shown:
                    raise Broken(ConformanceMessages.TELLS_SECRET.format(secret=secret, where=shown))

    @check("health-08", validates="11.4", requires="can_hang")
    async def test_answers_again(self, trial: Trial[CheckedDependency[T]]) -> None:
        """When a dependency that hung answers again, it is HEALTHY again."""
        await trial.subject.hang()
        checking = asyncio.ensure_future(trial.raw.check.check())
        await trial.elapse(self.tick)
        checking.cancel()
        await asyncio.wait((checking,))
        await trial.subject.mend()
        await self._mended(trial)

    @swept("health-30", validates="11.4")
    async def test_interrupted(self, trial: Trial[CheckedDependency[T]]) -> None:
        """A check that is interrupted passes its cancellation on, tells a failure as a result, and works again."""
        subject = trial.raw.check
        outcome = await trial.interrupt(subject.check())
        if outcome.ending is Pass.FAILED:
            raise Broken(ConformanceMessages.CHECK_RAISED.format(kind=type(outcome.value).__name__)) from outcome.value
        await self._mended(trial)

    async def _mended(self, trial: Trial[CheckedDependency[T]]) -> None:
        end = trial.time() + (PATIENCE if self.real_time else 0.0)
        while True:
            found = await _found(trial.raw.check)
            if found.status is HealthStatus.HEALTHY or trial.time() >= end:
                return _expect_well(found)
            await asyncio.sleep(0.1 * self.tick)


async def _found(subject: HealthCheck[object]) -> HealthResult:
    try:
        return await subject.check()
    except Exception as error:
        raise Broken(ConformanceMessages.CHECK_RAISED.format(kind=type(error).__name__)) from error


def _expect_well(found: HealthResult) -> None:
    expect("the result of a check", type(found).__name__, HealthResult.__name__)
    told = (found.status, found.checked, found.cause, found.message)
    expect("what is told of what is well", told, (HealthStatus.HEALTHY, True, None, None))


def _expect_down(found: HealthResult) -> None:
    expect("the status of what fails", found.status, HealthStatus.UNHEALTHY)
    expect("the cause of a failure is told", found.cause is not None, True)
