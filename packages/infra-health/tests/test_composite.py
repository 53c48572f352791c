"""The composite, beyond the promises of its port: what it refuses, logs, and makes of composites within composites."""

import asyncio
import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_conformance.health_script import ScriptedCheck
from infra_conformance.loop import LoopClock, VirtualLoop
from infra_health import CompositeHealthCheck
from infra_protocols import (
    CompositeHealthCheckProtocol,
    HealthCheck,
    HealthComponent,
    HealthPolicy,
    HealthReport,
    HealthStatus,
    ValidationError,
)

STATUSES = st.sampled_from(HealthStatus)


def run(composite: CompositeHealthCheck) -> HealthReport:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(composite.report())


# **Feature: infrastructure-generics-review-2025, Property 15: Health Check Status Propagation**
# **Validates: Requirements 11.5**
@given(st.recursive(STATUSES, lambda parts: st.lists(parts, max_size=4), max_leaves=12))
def test_status_propagates_from_any_depth(tree: Any) -> None:
    def make(tree: Any, name: str) -> HealthCheck[Any]:
        if isinstance(tree, HealthStatus):
            return ScriptedCheck(name, status=tree)
        return CompositeHealthCheck([make(part, f"{name}{n}") for n, part in enumerate(tree)], name=name)

    def leaves(tree: Any) -> set[HealthStatus]:
        return {tree} if isinstance(tree, HealthStatus) else {leaf for part in tree for leaf in leaves(part)}

    whole = run(CompositeHealthCheck([make(tree, "a")])).status
    found = leaves(tree)
    if HealthStatus.UNHEALTHY in found:
        assert whole is HealthStatus.UNHEALTHY
    elif HealthStatus.DEGRADED in found:
        assert whole is HealthStatus.DEGRADED
    else:
        assert whole is HealthStatus.HEALTHY


def test_is_what_its_port_asks_for() -> None:
    composite: CompositeHealthCheckProtocol = CompositeHealthCheck([ScriptedCheck()])
    assert isinstance(composite, CompositeHealthCheckProtocol)
    assert isinstance(composite, HealthCheck)


@pytest.mark.parametrize("deadline", [0, -1, math.nan, "1"])
def test_refuses_a_deadline_that_is_none(deadline: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        CompositeHealthCheck([], deadline=deadline)
    assert caught.value.field == "deadline"


@pytest.mark.parametrize("name", ["a/b", "a:b", " "])
def test_refuses_a_name_that_no_report_can_show(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CompositeHealthCheck([ScriptedCheck(name)])
    assert caught.value.field == "name"


def test_what_is_within_leaves_time_to_tell_what_it_found() -> None:
    within = CompositeHealthCheck([ScriptedCheck("good"), ScriptedCheck("slow", held=True)], name="within", deadline=9)
    between = CompositeHealthCheck([within], HealthPolicy(timeout=100), name="between", deadline=100)
    report = run(CompositeHealthCheck([between], HealthPolicy(timeout=2)))
    results = report.result.results["between"].results["within"].results
    assert {name: part.status.value for name, part in results.items()} == {"good": "healthy", "slow": "unhealthy"}
    assert results["slow"].duration < 2


def test_a_task_that_a_check_left_behind_has_time_of_its_own() -> None:
    later = CompositeHealthCheck([ScriptedCheck("slow", seconds=3)])
    found: list[asyncio.Task[HealthReport]] = []

    class LeavesATask(ScriptedCheck):
        async def check(self) -> Any:
            found.append(asyncio.create_task(self.much_later()))
            return await super().check()

        async def much_later(self) -> HealthReport:
            await asyncio.sleep(100)
            return await later.report()

    async def main() -> HealthReport:
        await CompositeHealthCheck([LeavesATask()]).report()
        return await found[0]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()).status is HealthStatus.HEALTHY


def test_one_that_is_part_of_itself_is_not_waited_for() -> None:
    parts: list[HealthCheck[Any]] = []

    class Itself(ScriptedCheck):
        async def check(self) -> Any:
            return await parts[0].check()

    composite = CompositeHealthCheck([Itself("itself"), ScriptedCheck("good")])
    parts.append(composite)
    results = run(composite).result.results
    assert (results["itself"].cause, results["good"].cause) == ("LoadCycleError", None)


def test_time_without_an_end() -> None:
    composite = CompositeHealthCheck(
        [ScriptedCheck(seconds=1e6)], HealthPolicy(timeout=math.inf, max_age=math.inf), deadline=math.inf
    )
    assert run(composite).status is HealthStatus.HEALTHY


def test_changes_are_logged_by_class_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "infra_health")
    check = ScriptedCheck("db")
    with asyncio.Runner() as runner:
        composite = CompositeHealthCheck([check])
        for error in (None, ConnectionError("db1"), ConnectionError("db1"), None):
            check.error = error
            runner.run(composite.report())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "db is unhealthy (ConnectionError)"),
        ("INFO", "db is healthy (None)"),
    ]


def test_one_loop_after_another() -> None:
    stubborn = ScriptedCheck(held=True)
    composite = CompositeHealthCheck([stubborn], HealthPolicy(timeout=1))

    async def leave() -> None:
        task = asyncio.ensure_future(composite.report())
        await asyncio.sleep(0)
        task.cancel()

    with asyncio.Runner() as runner:
        runner.run(leave())
    stubborn.let_go()
    assert run(composite).status is HealthStatus.HEALTHY


def test_an_error_that_comes_too_late_is_not_reported_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    class Late(ScriptedCheck):
        async def check(self) -> Any:
            try:
                return await super().check()
            finally:
                raise ConnectionError

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        composite = CompositeHealthCheck([Late(held=True)], HealthPolicy(timeout=1))
        assert runner.run(composite.report()).result.results["a"].cause == "HealthTimeoutError"
        runner.run(asyncio.sleep(1))
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_parts_go_by_the_clock_they_are_given() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        clock = LoopClock(runner.get_loop())
        check = ScriptedCheck()
        composite = CompositeHealthCheck([HealthComponent(check)], HealthPolicy(healthy_ttl=5), clock=clock)
        for pause, runs in ((0, 1), (4.9, 1), (0.2, 2)):
            runner.run(asyncio.sleep(pause))
            assert runner.run(composite.report()).result.checked_at == clock.now()
            assert check.begun == runs
