"""The check of the event loop."""

import asyncio

import pytest

from infra_conformance.loop import VirtualLoop
from infra_health import LoopLagCheck
from infra_protocols import HealthResult


async def blocked(seconds: float) -> HealthResult:
    """Check while something keeps the loop for so long, once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.call_later(0.005, loop.skip, seconds)
    return await LoopLagCheck().check()


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "healthy"), (0.05, "healthy"), (0.2, "degraded"), (1.2, "unhealthy")]
)
def test_being_late_is_measured(seconds: float, status: str) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        found = runner.run(blocked(seconds))
    assert found.status.value == status
    assert found.measurement is not None
    assert found.measurement.value == pytest.approx(max(0, seconds - 0.005), abs=0.001)
    assert found.cause == (None if status == "healthy" else "HealthLimitError")
