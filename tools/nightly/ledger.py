"""What was written and invalidated when, in memory that processes share, and which reads that shows to be stale."""

import time
from collections.abc import Iterable
from math import inf
from typing import Final

KEPT: Final = 64
"""Of how many writes of a key, and invalidations of a tag by one party, the times are known."""


class Ledger:
    """
    A book of writes and invalidations, each by the time at which its call had returned.

    Every key has one party that writes it, with versions that grow by one, and each party has its own page for every
    tag: so no number has two writers, and no lock is needed. Times are those of `time.monotonic`, which the processes
    of a machine share.

    Args:
        memory: `Ledger.size` bytes, zeros at first; those of one file where processes share them.
        keys: how many keys there are; they go by number, and so do tags and parties.
        tags: how many tags.
        parties: how many parties.
    """

    def __init__(self, memory: memoryview, keys: int, tags: int, parties: int) -> None:
        self._cells = memory.cast("d")
        self._tags = tags
        self._parties = parties
        self._first_tag = 1 + keys * (2 + 2 * KEPT)

    @staticmethod
    def size(keys: int, tags: int, parties: int) -> int:
        """Return how many bytes a ledger takes."""
        return 8 * (1 + keys * (2 + 2 * KEPT) + tags * parties * (1 + 2 * KEPT))

    # -- The engine.

    def away(self) -> None:
        """Note that the engine goes away now."""
        self._cells[0] = inf

    def back(self, moment: float) -> None:
        """Note that whatever begins from `moment` on is to be answered."""
        self._cells[0] = moment

    def was_away(self, since: float) -> bool:
        """Say whether the engine was away at any time from `since` until now."""
        return self._cells[0] > since

    # -- Writes.

    def begin(self, key: int) -> int:
        """Note that a write of `key` begins, and return its version."""
        at = self._key(key)
        version = self.newest(key) + 1
        self._note(key, version, inf)
        self._cells[at] = version
        return version

    def newest(self, key: int) -> int:
        """Return the version of `key` that was begun last."""
        return int(self._cells[self._key(key)])

    def done(self, key: int, version: int) -> None:
        """Note that the write of `version` has returned."""
        self._note(key, version, time.monotonic())
        self._cells[self._key(key) + 1] = version

    def failed(self, key: int) -> None:
        """Note that what was begun and has not returned may happen at any time: no read of it is stale."""
        for version in range(self._settled(key) + 1, self.newest(key) + 1):
            self._note(key, version, -1.0)

    def returned(self, key: int, version: int) -> float:
        """Return when the write of `version` had returned, infinity if that is not known."""
        moment = self._time(key, version)
        return moment if moment > 0 else inf

    def overtaken(self, key: int, version: int, began: float) -> float:
        """
        Return for how long a newer version had been written when a read of this one began; 0 if none had.

        Where that is longer than the ledger remembers, it is what it remembers.
        """
        if self._time(key, version) < 0:
            return 0.0
        last = self._settled(key)
        times = [self._time(key, each) for each in range(max(version, last - KEPT) + 1, last + 1)]
        return began - min([each for each in times if 0 < each < began], default=began)

    # -- Invalidations.

    def invalidated(self, party: int, tag: int, began: float) -> None:
        """Note that an invalidation of `tag` by `party`, begun at `began`, has returned."""
        at = self._tag(party, tag)
        count = int(self._cells[at])
        pair = at + 1 + 2 * (count % KEPT)
        self._cells[pair + 1] = inf
        self._cells[pair] = began
        self._cells[pair + 1] = time.monotonic()
        self._cells[at] = count + 1

    def outlived(self, tags: Iterable[int], written: float, began: float) -> float:
        """Return for how long what was there at `written`, with `tags`, had been invalidated when a read began."""
        ends: list[float] = []
        for at in [self._tag(party, tag) for party in range(self._parties) for tag in tags]:
            pairs = self._cells[at + 1 : at + 1 + 2 * min(int(self._cells[at]), KEPT)].tolist()
            ends += [end for start, end in zip(pairs[::2], pairs[1::2], strict=True) if start > written and end < began]
        return began - min(ends, default=began)

    def _key(self, key: int) -> int:
        return 1 + key * (2 + 2 * KEPT)

    def _tag(self, party: int, tag: int) -> int:
        return self._first_tag + (party * self._tags + tag) * (1 + 2 * KEPT)

    def _settled(self, key: int) -> int:
        return int(self._cells[self._key(key) + 1])

    def _note(self, key: int, version: int, moment: float) -> None:
        at = self._key(key) + 2 + 2 * (version % KEPT)
        self._cells[at + 1] = inf
        self._cells[at] = version
        self._cells[at + 1] = moment

    def _time(self, key: int, version: int) -> float:
        at = self._key(key) + 2 + 2 * (version % KEPT)
        moment = self._cells[at + 1]
        return moment if self._cells[at] == version else inf
