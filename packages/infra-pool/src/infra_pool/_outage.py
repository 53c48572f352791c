"""When the next attempt to make a connection is due, while none can be made."""

import random
from collections.abc import Callable

SHARE = 0.25
"""The wait between two attempts, as a part of how long the outage has lasted: so it is noticed soon when it is over."""


class Outage:
    """
    The failures since the last connection that could be made.

    The waits grow with the outage, by a quarter each. Doubling them would make fewer attempts, and could leave the pool
    without connections for as long again as the outage was.
    """

    __slots__ = ("_due", "_failed_at", "_least", "_most", "_now", "error", "since")

    def __init__(self, now: Callable[[], float], least: float, most: float) -> None:
        self._now = now
        self._least = least
        self._most = most
        self._failed_at = self._due = 0.0
        self.since = 0.0
        self.error: BaseException | None = None

    def failed(self, began: float, error: BaseException) -> None:
        """
        Note that the attempt which began then has failed.

        Attempts that were under way together have failed together: they count once.
        """
        now = self._now()
        first, self.error = self.error is None, error
        if first:
            self.since = now
        elif began < self._failed_at:
            return
        self._failed_at = now
        wait = min(self._most, max(self._least, SHARE * (now - self.since)))
        self._due = now + wait * random.uniform(2 / 3, 1)

    def over(self) -> None:
        self.error = None

    def left(self) -> float:
        """Return how many seconds it is until the next attempt is due."""
        return 0.0 if self.error is None else self._due - self._now()
