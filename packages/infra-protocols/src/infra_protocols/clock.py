"""The one source of time: whatever decides by time is given a `Clock`, so that a test can turn it."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """
    Tells the time in two ways: for people, and for measuring.

    >>> isinstance(SystemClock(), Clock)
    True
    """

    def now(self) -> datetime:
        """Return the time of day as an aware datetime in UTC; it may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; it never goes back. All deadlines go by it."""
        ...


class SystemClock:
    """
    The clock of the machine.

    >>> SystemClock().now().tzinfo
    datetime.timezone.utc
    """

    __slots__ = ()

    monotonic: "staticmethod[[], float]" = staticmethod(time.monotonic)
    """`time.monotonic` itself: seconds, never going back."""

    now: "staticmethod[[], datetime]" = staticmethod(partial(datetime.now, UTC))
    """The machine's time of day in UTC; called without a frame of Python's, as `monotonic` is."""
