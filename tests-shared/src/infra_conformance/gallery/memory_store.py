"""Correct stores, as plain as can be: what the faulty ones of the gallery are made from."""

import asyncio
import math

from infra_protocols.clock import Clock
from infra_protocols.validation import or_raise, require_range


class MemoryStore:
    """
    A correct `Store[str, int]`: a dict with deadlines.

    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryStore(SystemClock()).get("k")) is None
    True
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.data: dict[str, tuple[int, float]] = {}

    # -- What the faults change, in small pieces.

    def name(self, key: str) -> str:
        """Return where `key` is kept."""
        return key

    def good_ttl(self, ttl: float | None) -> float:
        """Return the ttl to keep."""
        return math.inf if ttl is None else or_raise(require_range(ttl, "ttl", above=0))

    def alive(self, deadline: float) -> bool:
        """Say whether a deadline is still to come."""
        return self.clock.monotonic() < deadline

    def look(self, key: str) -> int | None:
        """Return the visible value, if any."""
        value, deadline = self.data.get(self.name(key), (None, math.inf))
        return value if self.alive(deadline) else None

    def keep(self, key: str, value: int, deadline: float) -> None:
        """Keep a value until `deadline`."""
        self.data[self.name(key)] = (value, deadline)

    def remove(self, key: str) -> bool:
        """Remove what is under `key`, and say whether it was visible."""
        there = self.look(key) is not None
        self.data.pop(self.name(key), None)
        return there

    # -- The port.

    async def get(self, key: str) -> int | None:
        """Return the value."""
        return self.look(key)

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        """Keep the value."""
        self.keep(key, value, self.clock.monotonic() + self.good_ttl(ttl))

    async def delete(self, key: str) -> bool:
        """Remove the value."""
        return self.remove(key)

    async def exists(self, key: str) -> bool:
        """Say whether there is a value."""
        return self.look(key) is not None


class RemoteStore(MemoryStore):
    """
    A correct store whose data are a round trip away: each call suspends, then takes effect, then suspends again.

    >>> from infra_protocols import SystemClock
    >>> asyncio.run(RemoteStore(SystemClock()).exists("k"))
    False
    """

    async def get(self, key: str) -> int | None:
        """Return the value."""
        await trip()
        found = self.look(key)
        await trip()
        return found

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        """Keep the value."""
        good_ttl = self.good_ttl(ttl)
        await trip()
        self.keep(key, value, self.clock.monotonic() + good_ttl)
        await trip()

    async def delete(self, key: str) -> bool:
        """Remove the value."""
        await trip()
        there = self.remove(key)
        await trip()
        return there

    async def exists(self, key: str) -> bool:
        """Say whether there is a value."""
        return await self.get(key) is not None


async def trip() -> None:
    """
    Go half the way to an engine: wait for a future that is done a turn of the loop later.

    >>> asyncio.run(trip())
    """
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()
    loop.call_soon(_arrive, there)
    await there


def _arrive(there: "asyncio.Future[None]") -> None:
    if not there.done():
        there.set_result(None)
