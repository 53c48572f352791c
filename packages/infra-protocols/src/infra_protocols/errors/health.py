"""What goes wrong with a health check."""

from infra_protocols.errors.base import InfrastructureError


class HealthError(InfrastructureError):
    """
    A health check could not be carried out, or found what is not healthy.

    >>> HealthError.error_code
    'HEALTH_ERROR'
    """

    error_code = "HEALTH_ERROR"


class HealthTimeoutError(HealthError, TimeoutError):
    """
    A check did not end in the time it had.

    >>> HealthTimeoutError.error_code
    'HEALTH_TIMEOUT'
    """

    error_code = "HEALTH_TIMEOUT"


class HealthStaleError(HealthError):
    """
    The last good result of a check is too old to be believed.

    >>> HealthStaleError.error_code
    'HEALTH_STALE'
    """

    error_code = "HEALTH_STALE"


class HealthAnswerError(HealthError):
    """
    What is checked answers, and not as something healthy does.

    >>> HealthAnswerError.error_code
    'HEALTH_WRONG_ANSWER'
    """

    error_code = "HEALTH_WRONG_ANSWER"


class HealthLimitError(HealthError):
    """
    What was measured is beyond its limit.

    >>> HealthLimitError.error_code
    'HEALTH_BEYOND_LIMIT'
    """

    error_code = "HEALTH_BEYOND_LIMIT"
