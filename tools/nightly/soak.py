"""
A cache under everything at once, for as long as one likes: readers, writers, invalidations, cancellations, expiry.

What is counted must be 0 in the end: reads older than what was acknowledged before they began, values of another key,
callers that a stranger's cancellation harmed, tasks left behind, entries beyond the bound.
"""

import asyncio
import random
import time
from dataclasses import asdict, dataclass

from infra_cache import InMemoryCacheProvider

KEYS = 200
MAX_SIZE = 120  # fewer than there are keys: evictions happen all the time
CLIENTS = 40


@dataclass(slots=True)
class Tally:
    """What was done, and what went wrong."""

    operations: int = 0
    cancelled: int = 0
    stale: int = 0
    foreign: int = 0
    harmed: int = 0
    left: int = 0
    beyond: int = 0

    def faults(self) -> int:
        """Return how much went wrong."""
        return self.stale + self.foreign + self.harmed + self.left + self.beyond


async def soak(seconds: float, seed: int) -> Tally:
    """Run the clients for `seconds` and return the tally."""
    rng = random.Random(seed)
    cache = InMemoryCacheProvider[tuple[int, int]](max_size=MAX_SIZE, default_ttl=0.05)
    source = [0] * KEYS  # the version of each key at its source
    settled = [0] * KEYS  # the version that every read from now on must see, or a newer one
    tally = Tally()
    end = time.monotonic() + seconds

    async def load(number: int) -> tuple[int, int]:
        seen = source[number]
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(rng.choice((0, 0, 0.0005)))
        return number, seen

    async def read(number: int) -> None:
        oldest = settled[number]
        found = await cache.get_or_set(f"k{number}", lambda: load(number), tags=(f"t{number % 7}", "all"))
        tally.foreign += found[0] != number
        tally.stale += found[1] < oldest

    async def write(number: int) -> None:
        source[number] = version = source[number] + 1
        await asyncio.sleep(0)
        if rng.random() < 0.1:
            await cache.invalidate_by_tag(f"t{number % 7}")
        elif rng.random() < 0.01:
            await cache.clear()
        else:
            await cache.delete(f"k{number}")
        settled[number] = max(settled[number], version)

    async def client() -> None:
        while time.monotonic() < end:
            number = min(int(rng.expovariate(0.05)), KEYS - 1)
            task = asyncio.create_task((write if rng.random() < 0.2 else read)(number))
            doomed = rng.random() < 0.1
            if doomed:
                await asyncio.sleep(rng.choice((0, 0, 0.0003)))
                task.cancel()
            await asyncio.wait((task,))
            tally.operations += 1
            tally.cancelled += task.cancelled()
            tally.harmed += (task.cancelled() and not doomed) or (not task.cancelled() and task.exception() is not None)
            tally.beyond += (cache.stats().size or 0) > MAX_SIZE if rng.random() < 0.01 else False

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    await asyncio.sleep(0)
    tally.left = len(asyncio.all_tasks()) - 1
    return tally


def run(seconds: float, seed: int) -> bool:
    """Soak, print the tally, and say whether nothing went wrong."""
    tally = asyncio.run(soak(seconds, seed), debug=False)
    print(f"soak (seed {seed}): " + ", ".join(f"{name} {count:,}" for name, count in asdict(tally).items()))
    return tally.faults() == 0
