"""The states that things are in, as `str` enums: each member is its JSON text."""

from collections.abc import Iterable
from enum import Enum


class BaseStatus(str, Enum):
    """
    The states of a piece of work in general.

    >>> import json
    >>> json.dumps(BaseStatus.ACTIVE)
    '"active"'
    """

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ConnectionStatus(str, Enum):
    """
    The states of a pooled connection.

    >>> ConnectionStatus("in_use") is ConnectionStatus.IN_USE
    True
    """

    IDLE = "idle"
    IN_USE = "in_use"
    UNHEALTHY = "unhealthy"
    CLOSED = "closed"


class TaskStatus(str, Enum):
    """
    The states of a background task.

    >>> TaskStatus.RETRYING.value
    'retrying'
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRYING = "retrying"


class HealthStatus(str, Enum):
    """
    The health of a component, best first.

    >>> HealthStatus.combine([HealthStatus.HEALTHY, HealthStatus.DEGRADED]).value
    'degraded'
    """

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @classmethod
    def combine(cls, statuses: "Iterable[HealthStatus]") -> "HealthStatus":
        """
        Return the worst of `statuses`; nothing to combine is `HEALTHY`.

        >>> HealthStatus.combine([]) is HealthStatus.HEALTHY
        True
        """
        order = list(cls)
        return max(statuses, key=order.index, default=order[0])
