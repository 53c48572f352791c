"""How results are written for people."""

from typing import Final

from infra_protocols import HealthResult, HealthStatus

MARKS: Final = {HealthStatus.HEALTHY: "✓", HealthStatus.DEGRADED: "!", HealthStatus.UNHEALTHY: "✗"}
"""So that nobody has to tell colours apart."""


def seconds(value: float) -> str:
    """A duration, with as many digits as say something."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def measured(result: HealthResult) -> str:
    """What was measured besides; a share as a percentage."""
    if (found := result.measurement) is None:
        return ""
    if found.name == "utilization" and not found.unit:
        return f"{found.value:.1%} used"
    return f"{found.name} {found.value:g} {found.unit}".rstrip()


def remarks(result: HealthResult, *, messages: bool) -> str:
    """What else there is to say: what is wrong, and what is held back."""
    said = [
        "" if result.checked else "never checked yet",
        "" if result.observed is None else f"found {result.observed.value}, not often enough yet",
        result.cause or "",
        (result.message or "") if messages else "",
    ]
    return "; ".join(filter(None, said))
