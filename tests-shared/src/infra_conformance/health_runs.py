"""What a composite promises of how it runs its checks: in time, beside one another, once, and whatever they do."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.health_script import ScriptedCheck
from infra_conformance.health_status import HEALTHY, NAMES, UNHEALTHY, CompositeChecks, Composites
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import HealthTimeoutError
from infra_protocols.health import CompositeHealthCheckProtocol, HealthReport

TIMEOUT: Final = HealthTimeoutError.__name__
SECRET: Final = "s3cret"
URL: Final = f"postgres://ada:{SECRET}@db1.internal:5432/shop"


class RunChecks(CompositeChecks):
    """The checks of how checks are run."""

    @check("composite-20", validates="11.5")
    async def test_raises(self, trial: Trial[Composites]) -> None:
        """A check that raises is UNHEALTHY, for the class of what it raised, and no other is the worse for it."""
        error = trial.draw(st.sampled_from([ConnectionError("gone"), KeyError("k"), asyncio.CancelledError()]))
        bad, good = ScriptedCheck("bad", error=error), ScriptedCheck("good")
        results = (await self._reported(self.composite(trial, bad, good))).result.results
        expect("the one that raises", (results["bad"].status, results["bad"].cause), (UNHEALTHY, type(error).__name__))
        expect("the other", results["good"].status, HEALTHY)

    @check("composite-21", validates="11.5")
    async def test_no_result(self, trial: Trial[Composites]) -> None:
        """A check that returns what is no HealthResult is UNHEALTHY, and has a cause."""
        answer = trial.draw(st.sampled_from([True, "healthy", HEALTHY, object()]))
        told = (await self._reported(self.composite(trial, ScriptedCheck(answer=answer)))).result.results["a"]
        expect("its status", told.status, UNHEALTHY)
        expect("it has a cause", told.cause is not None, True)

    @check("composite-22", validates="11.5")
    async def test_hangs(self, trial: Trial[Composites]) -> None:
        """A check that is not done in its time is cancelled, and UNHEALTHY whatever it found before; no other is."""
        slow, good = ScriptedCheck("slow"), ScriptedCheck("good")
        composite = self.composite(trial, slow, good, policy=self.policy(timeout=3))
        expect("the whole, before", (await self._reported(composite)).status, HEALTHY)
        slow.hold()
        results = (await self._within(trial, 3, self._reported(composite))).result.results
        expect("the one that hangs", (results["slow"].status, results["slow"].cause), (UNHEALTHY, TIMEOUT))
        expect("the other", results["good"].status, HEALTHY)
        await trial.elapse(self.tick)
        expect("how many still run", slow.running, 0)
        slow.let_go()
        expect("the whole, afterwards", (await self._reported(composite)).status, HEALTHY)

    @check("composite-23", validates="11.5")
    async def test_never_checked(self, trial: Trial[Composites]) -> None:
        """Of a check that has never come to an end it is told so; once it has, no longer."""
        slow = ScriptedCheck(held=True)
        composite = self.composite(trial, slow, policy=self.policy(timeout=3))
        expect("checked, at first", (await self._reported(composite)).result.results["a"].checked, False)
        slow.let_go()
        expect("checked, then", (await self._reported(composite)).result.results["a"].checked, True)
        slow.hold()
        expect("checked, later", (await self._reported(composite)).result.results["a"].checked, True)
        await trial.elapse(self.tick)

    @check("composite-24", validates="11.5")
    async def test_ignores_cancellation(self, trial: Trial[Composites]) -> None:
        """A check that does not heed its cancellation holds nothing up, and is not run beside itself."""
        stubborn, good = ScriptedCheck("stubborn", held=True, stubborn=True), ScriptedCheck("good")
        composite = self.composite(trial, stubborn, good, policy=self.policy(timeout=3))
        try:
            for _ in range(2):
                results = (await self._within(trial, 3, self._reported(composite))).result.results
                expect("the one that does not end", results["stubborn"].status, UNHEALTHY)
                expect("the other", results["good"].status, HEALTHY)
            expect("how often it was begun", stubborn.begun, 1)
        finally:
            stubborn.let_go()
            await trial.elapse(self.tick)
        expect("the whole, when it has ended", (await self._reported(composite)).status, HEALTHY)
        expect("how often it was begun", stubborn.begun, 2)

    @check("composite-25", validates="11.5")
    async def test_deadline(self, trial: Trial[Composites]) -> None:
        """At the deadline of the whole it tells what it has; what has not answered is UNHEALTHY."""
        good, slow = ScriptedCheck("good", seconds=self.tick), ScriptedCheck("slow", held=True)
        composite = self.composite(trial, good, slow, deadline=3 * self.tick)
        results = (await self._within(trial, 3, self._reported(composite))).result.results
        expect("the one that answered", results["good"].status, HEALTHY)
        expect("the one that has not", (results["slow"].status, results["slow"].cause), (UNHEALTHY, TIMEOUT))
        await trial.elapse(self.tick)

    @check("composite-26", validates="11.5")
    async def test_beside_one_another(self, trial: Trial[Composites]) -> None:
        """Checks are run beside one another: all take as long as the slowest."""
        checks = [ScriptedCheck(name, seconds=3 * self.tick) for name in NAMES]
        await self._within(trial, 3, self._reported(self.composite(trial, *checks)))

    @check("composite-30", validates="11.5")
    async def test_once(self, trial: Trial[Composites]) -> None:
        """However many ask, each check runs once at a time, and all get the same; who asks later has it run anew."""
        checks = [ScriptedCheck(name, seconds=self.tick) for name in NAMES]
        composite = self.composite(trial, *checks)
        asked = [asyncio.ensure_future(self._reported(composite)) for _ in range(20)]
        await trial.elapse(0.5 * self.tick)
        asked += [asyncio.ensure_future(self._reported(composite)) for _ in range(20)]
        reports = await asyncio.gather(*asked)
        expect("how often they ran", {each.begun for each in checks}, {1})
        expect("how many different reports there are", len({id(report.result) for report in reports}), 1)
        await self._reported(composite)
        expect("how often they ran, then", {each.begun for each in checks}, {2})

    @check("composite-31", validates="11.5")
    async def test_one_leaves(self, trial: Trial[Composites]) -> None:
        """A caller that is cancelled harms no other, were it the first or the last that asked."""
        subject = ScriptedCheck(seconds=2 * self.tick)
        composite = self.composite(trial, subject)
        asked = [asyncio.ensure_future(self._reported(composite)) for _ in range(3)]
        await trial.elapse(self.tick)
        leaving = trial.draw(st.lists(st.sampled_from(asked), min_size=1, max_size=2, unique=True))
        for each in leaving:
            each.cancel()
        await asyncio.wait(asked)
        expect("who was cancelled", [each.cancelled() for each in asked], [each in leaving for each in asked])
        expect("what the others got", {each.result().status for each in asked if each not in leaving}, {HEALTHY})
        expect("how often it ran", subject.begun, 1)

    @check("composite-32", validates="11.5")
    async def test_all_leave(self, trial: Trial[Composites]) -> None:
        """With the last caller the checks are cancelled too, and end before it does; the next caller begins anew."""
        subject = ScriptedCheck(held=True)
        composite = self.composite(trial, subject)
        asked = [asyncio.ensure_future(self._reported(composite)) for _ in range(2)]
        await trial.elapse(self.tick)
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
        expect("how many still run", subject.running, 0)
        subject.let_go()
        expect("the whole, afterwards", (await self._reported(composite)).status, HEALTHY)
        expect("how often it ran", subject.begun, 2)

    @check("composite-33", validates="11.5")
    async def test_leaving_the_stubborn(self, trial: Trial[Composites]) -> None:
        """A caller that is cancelled is not held up by a check that does not heed its cancellation."""
        subject = ScriptedCheck(held=True, stubborn=True)
        asked = asyncio.ensure_future(self._reported(self.composite(trial, subject)))
        await trial.elapse(self.tick)
        asked.cancel()
        try:
            await asyncio.wait((asked,), timeout=10 * self.tick)
            expect("the caller was cancelled", asked.done() and asked.cancelled(), True)
        finally:
            subject.let_go()
            await asyncio.wait((asked,))

    @check("composite-40", validates="11.4")
    async def test_no_addresses(self, trial: Trial[Composites]) -> None:
        """A report tells causes by class: no address where no messages are asked for, and never a password."""
        error = trial.draw(st.sampled_from([ConnectionError(f"cannot reach {URL}"), KeyError(URL), OSError(1, URL)]))
        report = await self._reported(self.composite(trial, ScriptedCheck(error=error)))
        for hidden, shown in (("db1.internal", str(report)), (SECRET, str(report.to_dict(messages=True)))):
            if hidden in shown:
                raise Broken(ConformanceMessages.TELLS_SECRET.format(secret=hidden, where=shown))
        message = report.result.results["a"].message
        expect("where it failed is in the message", message is not None and "db1.internal" in message, True)

    @check("composite-50", validates="11.5")
    async def test_cancelled_at_any_moment(self, trial: Trial[Composites]) -> None:
        """A report that is cancelled, whenever, leaves no check running, and the next is as if it had not been."""
        checks = [ScriptedCheck("slow", seconds=self.tick), ScriptedCheck("quick")]
        composite = self.composite(trial, *checks)
        asked = asyncio.ensure_future(composite.report())
        for _ in range(trial.draw(st.integers(0, 12))):
            await asyncio.sleep(0)
        await trial.elapse(trial.draw(st.sampled_from([0, 0.5, 1])) * self.tick)
        asked.cancel()
        await asyncio.wait((asked,))
        expect("how many run afterwards", [each.running for each in checks], [0, 0])
        if not asked.cancelled():
            expect("the whole", asked.result().status, HEALTHY)
        begun = [each.begun for each in checks]
        expect("the whole, afterwards", (await self._reported(composite)).status, HEALTHY)
        expect("how often they ran for that", [each.begun - n for each, n in zip(checks, begun, strict=True)], [1, 1])

    async def _reported(self, composite: CompositeHealthCheckProtocol) -> HealthReport:
        try:
            return await composite.report()
        except Exception as error:
            raise Broken(ConformanceMessages.CHECK_RAISED.format(kind=type(error).__name__)) from error

    async def _within[R](self, trial: Trial[Any], ticks: float, call: Awaitable[R]) -> R:
        began = trial.time()
        answer = await call
        if (took := trial.time() - began) > ticks * self.tick + (10 if self.real_time else self.slack):
            raise Broken(ConformanceMessages.TOOK.format(took=took, most=ticks * self.tick))
        return answer
