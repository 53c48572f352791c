"""What is known of one check: what it found last, and what status follows from that, in time."""

import logging
import math
from collections import deque
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Final

from infra_health.messages import HealthMessages
from infra_protocols import Clock, HealthPolicy, HealthResult, HealthStaleError, HealthStatus

_log: Final = logging.getLogger("infra_health")

STATUSES: Final = tuple(HealthStatus)
RANKS: Final = {status: rank for rank, status in enumerate(STATUSES)}
_DOWN: Final = RANKS[HealthStatus.UNHEALTHY]
_NEVER: Final = -math.inf


class Record:
    """The last results of a check. Ranks stand for statuses: the higher, the worse."""

    __slots__ = ("_borne_at", "_clock", "_kept_at", "_last", "_name", "_policy", "_ranks", "_told", "checked")

    def __init__(self, name: str, policy: HealthPolicy, clock: Clock) -> None:
        self._name = name
        self._policy = policy
        self._clock = clock
        self._ranks: deque[int] = deque(maxlen=max(policy.failure_threshold, policy.success_threshold))
        # When the check last found something that was at least as good as each status.
        self._borne_at = [_NEVER] * len(STATUSES)
        self._told: int | None = None
        self._last = HealthResult(HealthStatus.UNHEALTHY, checked=False)
        self._kept_at = _NEVER
        self.checked = False

    def holds(self, now: float) -> bool:
        """Whether the last result is to be told again, rather than the check run anew."""
        policy = self._policy
        ttl = policy.healthy_ttl if self._last.status is HealthStatus.HEALTHY else policy.unhealthy_ttl
        return now - self._kept_at < ttl

    def keep(self, found: HealthResult, began: float) -> None:
        """Keep what was found by a run that began at that moment."""
        self._kept_at = now = self._clock.monotonic()
        moment, age = self._clock.now(), 0.0
        if found.checked_at is not None:
            age = max(0.0, (moment - found.checked_at).total_seconds())
            moment -= timedelta(seconds=age)
        rank = RANKS[found.status]
        for worse in range(rank, len(STATUSES)):
            self._borne_at[worse] = max(self._borne_at[worse], now - age)
        self._last = replace(found, checked_at=moment, duration=found.duration or max(0.0, now - began))
        self._ranks.append(rank)
        self._become(self._follows(rank), self._last.cause)

    def tell(self, now: float) -> HealthResult:
        """Return what is to be told of the check at this moment."""
        told, last = self._told, self._last
        if told is None:
            return last
        if told != _DOWN and (age := now - self._borne_at[told]) > self._policy.max_age:
            text = HealthMessages.HEALTH_STALE.format(age=round(age, 3), max_age=self._policy.max_age)
            stale = HealthResult.failed(HealthStaleError(text))
            last = self._last = replace(last, cause=stale.cause, message=stale.message)
            self._become(_DOWN, stale.cause)
            told = _DOWN
        status = STATUSES[told]
        return last if last.status is status else replace(last, status=status, observed=last.status)

    def _follows(self, rank: int) -> int:
        if (told := self._told) is None or rank == told:
            return rank
        threshold = self._policy.failure_threshold if rank > told else self._policy.success_threshold
        if len(self._ranks) < threshold:
            return told
        latest = islice(reversed(self._ranks), threshold)
        # Only as far as all of them go: to the mildest of those that are worse, to the worst of those that are better.
        return max(told, min(latest)) if rank > told else min(told, max(latest))

    def _become(self, rank: int, cause: str | None) -> None:
        if rank == self._told:
            return
        if self._told is not None or rank:
            level = logging.WARNING if rank else logging.INFO
            _log.log(level, HealthMessages.BECAME, self._name, STATUSES[rank].value, cause)
        self._told = rank
