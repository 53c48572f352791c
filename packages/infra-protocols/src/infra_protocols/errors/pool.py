"""What goes wrong with a pool of connections."""

from infra_protocols.errors.base import InfrastructureError


class PoolError(InfrastructureError):
    """
    A connection could not be had, given back or made.

    >>> PoolError.error_code
    'POOL_ERROR'
    """

    error_code = "POOL_ERROR"


class PoolTimeoutError(PoolError, TimeoutError):
    """
    No connection came free, or could be made, in the time there was.

    Its `__cause__` is what the last attempt to make one failed with, if it did.

    >>> PoolTimeoutError.error_code
    'POOL_TIMEOUT'
    """

    error_code = "POOL_TIMEOUT"


class PoolExhaustedError(PoolError):
    """
    So many wait for a connection already that one more is turned away at once.

    >>> PoolExhaustedError.error_code
    'POOL_EXHAUSTED'
    """

    error_code = "POOL_EXHAUSTED"


class PoolClosedError(PoolError):
    """
    The pool was closed, or not opened yet.

    >>> PoolClosedError.error_code
    'POOL_CLOSED'
    """

    error_code = "POOL_CLOSED"


class PoolLeaseError(PoolError):
    """
    A lease was given back that is not out: it was given back before, or belongs to another pool. Nothing was changed.

    >>> PoolLeaseError.error_code
    'POOL_LEASE_INVALID'
    """

    error_code = "POOL_LEASE_INVALID"


class PoolLoopError(PoolError, RuntimeError):
    """
    The pool was used from an event loop, or in a process, that is not the one in which it was opened.

    >>> PoolLoopError.error_code
    'POOL_WRONG_LOOP'
    """

    error_code = "POOL_WRONG_LOOP"
