"""What a composite must say of a check, in time, when each of its runs takes none."""

from typing import Final

from infra_protocols.health import HealthPolicy
from infra_protocols.status import HealthStatus

_ORDER: Final = list(HealthStatus)


class HealthModel:
    """
    The last results of a check, and what follows from them.

    >>> model = HealthModel(HealthPolicy(failure_threshold=2))
    >>> [model.ask(moment, HealthStatus(status)).value for moment, status in enumerate(["healthy", *["unhealthy"] * 2])]
    ['healthy', 'healthy', 'unhealthy']
    """

    def __init__(self, policy: HealthPolicy) -> None:
        self.policy = policy
        self.runs: int = 0
        """How often the check must have been run."""
        self._told: HealthStatus | None = None
        self._found: list[tuple[float, HealthStatus]] = []

    def ask(self, now: float, status: HealthStatus) -> HealthStatus:
        """Return what must be told of a check that finds `status`, if it is run now."""
        if not self._fresh(now):
            self.runs += 1
            self._found.append((now, status))
            self._told = self._moved(status)
        assert self._told is not None
        age = now - max((when for when, found in self._found if not _worse(found, self._told)), default=-1e9)
        if age > self.policy.max_age and self._told is not HealthStatus.UNHEALTHY:
            self._told = HealthStatus.UNHEALTHY
        return self._told

    @property
    def last(self) -> HealthStatus:
        """What the check found last."""
        return self._found[-1][1]

    def _fresh(self, now: float) -> bool:
        if not self._found:
            return False
        when, status = self._found[-1]
        policy = self.policy
        return now - when < (policy.healthy_ttl if status is HealthStatus.HEALTHY else policy.unhealthy_ttl)

    def _moved(self, status: HealthStatus) -> HealthStatus:
        if self._told is None:
            return status
        found = [status for _, status in self._found]
        bad, good = found[-self.policy.failure_threshold :], found[-self.policy.success_threshold :]
        mildest, sternest = min(bad, key=_ORDER.index), max(good, key=_ORDER.index)
        if len(bad) == self.policy.failure_threshold and _worse(mildest, self._told):
            return mildest
        if len(good) == self.policy.success_threshold and _worse(self._told, sternest):
            return sternest
        return self._told


def _worse(one: HealthStatus, other: HealthStatus) -> bool:
    return _ORDER.index(one) > _ORDER.index(other)
