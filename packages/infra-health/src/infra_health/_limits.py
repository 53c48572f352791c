"""Numbers that are fine up to a limit, and bad from another."""

from infra_health.messages import HealthMessages
from infra_protocols import HealthLimitError, HealthResult, HealthStatus, Measurement, or_raise, require_range


class Limits:
    """From where on a measurement is `DEGRADED`, and from where on `UNHEALTHY`."""

    __slots__ = ("_degraded_at", "_unhealthy_at")

    def __init__(self, degraded_at: float, unhealthy_at: float, *, most: float) -> None:
        self._degraded_at = or_raise(require_range(degraded_at, "degraded_at", min=0, max=most))
        self._unhealthy_at = or_raise(require_range(unhealthy_at, "unhealthy_at", min=degraded_at, max=most))

    def judge(self, measured: Measurement) -> HealthResult:
        for status, limit in (
            (HealthStatus.UNHEALTHY, self._unhealthy_at),
            (HealthStatus.DEGRADED, self._degraded_at),
        ):
            if measured.value >= limit:
                text = HealthMessages.HEALTH_BEYOND_LIMIT.format(
                    measurement=measured.name, value=round(measured.value, 3), limit=limit
                )
                failed = HealthResult.failed(HealthLimitError(text), status)
                return HealthResult(status, failed.cause, failed.message, measured)
        return HealthResult(HealthStatus.HEALTHY, measurement=measured)
