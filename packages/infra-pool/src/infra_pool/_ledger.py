"""The accounts of a pool: where each of its connections is."""

from collections import deque

from infra_pool._slot import Slot
from infra_protocols import PoolStats


class Ledger[T]:
    """
    Every slot is in one place at a time: idle, tended (being validated or reset), dying (being destroyed), or lent.

    What is lent is what is nowhere else: so there is no count of it that could drift from the truth.
    """

    __slots__ = ("creating", "dying", "idle", "max_size", "min_size", "slots", "tended")

    def __init__(self, min_size: int, max_size: int) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.slots: set[Slot[T]] = set()
        self.idle: deque[Slot[T]] = deque()
        self.tended = self.dying = self.creating = 0

    def lent(self) -> int:
        return len(self.slots) - len(self.idle) - self.tended - self.dying

    def has_room(self) -> bool:
        return len(self.slots) + self.creating < self.max_size

    def lacks(self) -> bool:
        """Say whether there are fewer than `min_size`, those on their way included and those that go left out."""
        return len(self.slots) - self.dying + self.creating < self.min_size

    def spare(self) -> int:
        """Return how many there are beyond `min_size`."""
        return len(self.slots) - self.dying - self.min_size

    def excess(self) -> int:
        """Return how many there are beyond `max_size`, which a smaller bound leaves behind."""
        return len(self.slots) - self.dying - self.max_size

    def stats(self, waiting: int) -> PoolStats:
        return PoolStats(
            idle=len(self.idle),
            in_use=self.lent(),
            unhealthy=self.tended + self.dying,
            total=len(self.slots),
            pending=self.creating,
            waiting=waiting,
        )
