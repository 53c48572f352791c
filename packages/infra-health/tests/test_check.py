"""The base of the checks of one dependency."""

import asyncio
import math
from typing import Any

import pytest

from infra_conformance.loop import VirtualLoop
from infra_health import DependencyCheck
from infra_protocols import HealthCheck, HealthResult, HealthStatus, Measurement, ValidationError


class Probed(DependencyCheck[Any]):
    async def probe(self) -> HealthResult | None:
        if isinstance(self.dependency, BaseException):
            raise self.dependency
        if isinstance(self.dependency, float):
            await asyncio.sleep(self.dependency)
            return None
        return self.dependency


def found(dependency: object, **options: Any) -> HealthResult:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(Probed(dependency, name="it", **options).check())


def test_nothing_to_tell_is_healthy() -> None:
    assert found(None) == HealthResult(HealthStatus.HEALTHY)


def test_what_is_returned_is_told() -> None:
    result = HealthResult(HealthStatus.DEGRADED, measurement=Measurement("lag", 1.0))
    assert found(result) is result


@pytest.mark.parametrize("error", [ConnectionError("gone"), TimeoutError("its own"), ValueError()])
def test_what_is_raised_is_told_by_its_class(error: Exception) -> None:
    assert found(error) == HealthResult.failed(error)


def test_what_takes_too_long_is_late() -> None:
    assert found(4.9).status is HealthStatus.HEALTHY
    late = found(5.1)
    assert (late.cause, late.message) == ("HealthTimeoutError", "No answer within 5.0s")
    assert found(0.3, timeout=0.2).cause == "HealthTimeoutError"


@pytest.mark.parametrize(
    ("field", "options"), [("name", {"name": " "}), ("timeout", {"timeout": 0}), ("timeout", {"timeout": math.nan})]
)
def test_bad_arguments_are_refused(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Probed(None, **dict[str, Any](name="it") | options)
    assert caught.value.field == field


def test_is_what_its_port_asks_for() -> None:
    check: HealthCheck[Any] = Probed(None, name="it")
    assert isinstance(check, HealthCheck)


@pytest.mark.parametrize("ending", [None, ConnectionError("while it tidied up")])
async def test_a_client_that_swallows_its_cancellation_is_cancelled_all_the_same(ending: Exception | None) -> None:
    class Swallows(DependencyCheck[None]):
        async def probe(self) -> HealthResult | None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ending is not None:
                    raise ending from None

    task = asyncio.ensure_future(Swallows(None, name="it").check())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert (await Swallows(None, name="it", timeout=0.01).check()).cause == "HealthTimeoutError"
