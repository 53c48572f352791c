"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class HealthMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only an implementation of health checks needs.

    >>> HealthMessages.MISSING_EXTRA.format(extra="redis")
    'This takes a library that is not installed: pip install infra-health[redis]'
    """

    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-health[{extra}]"
    BECAME: Final[str] = "%s is %s (%s)"
    NO_RESULT: Final[str] = "A check returned {kind}, which is no result"

    # Heartbeat
    HEARTBEAT_MALFORMED: Final[str] = "The heartbeat is none"
    HEARTBEAT_FAILED: Final[str] = "Writing the heartbeat failed: %s"

    # Command
    NOTHING_TO_CHECK: Final[str] = "say which module has the checks, or which file is the heartbeat"
    CANNOT_LOAD: Final[str] = "cannot load {target}: {reason}"
    NO_CHECKS: Final[str] = "{target} is neither a check, nor checks, nor a function that makes them"
    CANNOT_BEGIN: Final[str] = "cannot make what the checks need: {reason}"
    NOT_SECONDS: Final[str] = "{value!r} is not a number of seconds above 0"
