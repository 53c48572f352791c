"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class PoolMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only an implementation of a pool needs.

    >>> PoolMessages.POOL_CALL_TOO_SLOW.format(call="create", timeout=10.0)
    'create took longer than 10.0s'
    """

    POOL_CALL_TOO_SLOW: Final[str] = "{call} took longer than {timeout}s"
    POOL_CALL_FAILED: Final[str] = "Pool {pool}: {call} of connection {id} failed"
    POOL_OUTAGE: Final[str] = "Pool {pool}: no connection could be made; that is tried again until one can"
    POOL_OUTAGE_OVER: Final[str] = "Pool {pool}: a connection could be made again, after {seconds:.3f}s"
    POOL_CONNECTION_LEAKED: Final[str] = (
        "Pool {pool}: connection {id} has been out for {seconds}s; it was borrowed here:\n{stack}"
    )
    POOL_METER_FAILED: Final[str] = "Pool {pool}: the meter failed on {metric}"
    POOL_CONTEXT_IN_USE: Final[str] = "A borrow is for one `async with` at a time; ask the pool for another"

    # Engines
    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-pool[{extra}]"
    CONNECTION_UNSETTLED: Final[str] = "A connection came back while something still runs on it: it is {state}"
    REDIS_LOST: Final[str] = "The connection was lost, or has replies that nobody has read"
    SQLITE_CLOSED: Final[str] = "The connection is closed"
