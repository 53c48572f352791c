"""
Caches in Redis under everything at once: several of them in two processes, with memory in front and without, while
Redis is killed and comes back empty.

Every value tells its key and version, so that each read can be judged. What is counted as a fault must be 0:

- stale: the read began after a later write of its key had returned, or an invalidation that began when the value was
  there; where there is memory in front and another cache has changed it, more than `GRACE` seconds after;
- wrong: the value was written under another key, or never;
- failed: an error, while Redis had been there since `GRACE_BACK` seconds before the call; or another error than
  that it is away, at any time;
- slow: a call that took longer than the timeout allows, by more than `SLACK`;
- left: a task that is there when all is closed.

What falls within the grace is counted as late. A write that has failed may still happen: what it wrote is not judged.
"""

import asyncio
import json
import mmap
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from infra_conformance.servers import EngineMissing, RedisServer
from infra_protocols import CacheUnavailableError
from tools.nightly.ledger import Ledger

SIZES: Final = {"keys": 80, "tags": 10, "parties": 2}
MEMORY: Final = 50  # fewer entries than there are keys: evictions happen all the time
CLIENTS: Final = ("plain", "one loader", "tiered", "tiered too")
READERS, WRITERS = 24, 8
TIMEOUT, SLACK = 1.0, 0.5
GRACE, GRACE_BACK = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Value:
    """What is kept: it tells where it belongs, and what has to be known to judge whoever reads it."""

    key: int
    version: int
    tagged: bool
    loaded_at: float | None = None
    """When its loader looked at the source, for one that was loaded; others are as old as their write."""


@dataclass(slots=True)
class Tally:
    """What was done, and what went wrong."""

    operations: int = 0
    found: int = 0
    cancelled: int = 0
    restarts: int = 0
    away: int = 0
    late: int = 0
    latest_ms: int = 0
    stale: int = 0
    wrong: int = 0
    failed: int = 0
    slow: int = 0
    left: int = 0
    examples: list[str] = field(default_factory=list[str])

    def faults(self) -> int:
        """Return how much went wrong."""
        return self.stale + self.wrong + self.failed + self.slow + self.left

    def add(self, other: "Tally") -> None:
        """Add what another party has counted."""
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if name == "latest_ms" else mine + value)

    def example(self, text: str) -> None:
        """Keep the first few faults, for whoever looks for their cause."""
        if len(self.examples) < 10:
            self.examples.append(text)


type Cache = RedisCacheProvider[Value] | TieredCacheProvider[Value]


class Client:
    """A cache, and what has been changed through it: that its own reads must know at once."""

    def __init__(self, name: str, cache: Cache) -> None:
        self.name = name
        self.cache = cache
        self.grace = GRACE if isinstance(cache, TieredCacheProvider) else 0.0
        self.own = Ledger(memoryview(bytearray(Ledger.size(**SIZES))), **SIZES)


def tags_of(key: int) -> tuple[int, int]:
    """Return the tags that a key has whenever it has any."""
    return key % 7, 7 + key % 3


def names(tags: Iterable[int]) -> list[str]:
    return [f"tag:{tag}" for tag in tags]


def is_loaded(key: int) -> bool:
    """Say whether a key is filled by loaders: its writer only changes the source, and deletes what is kept."""
    return bool(key % 2)


class Party:
    """What one process does: it writes the keys that are its own, and reads all."""

    def __init__(self, number: int, url: str, ledger: Ledger, seconds: float, seed: int) -> None:
        self.tally = Tally()
        self._number = number
        self._url = url
        self._ledger = ledger
        self._rng = random.Random(f"{seed} {number}")
        self._end = time.monotonic() + seconds
        self._clients: list[Client] = []
        self._through: dict[int, Client] = {}  # by whom a key must be written next, where the last write was cut off

    async def run(self) -> Tally:
        """Do it, and return what was counted."""
        async with AsyncExitStack() as stack:
            self._clients = [
                await self._client(stack, name) for name in ("plain", "one loader", "tiered", "tiered too")
            ]
            mine = [key for key in range(SIZES["keys"]) if key // 2 % SIZES["parties"] == self._number]
            async with asyncio.TaskGroup() as group:
                for number in range(WRITERS):
                    group.create_task(self._writer(mine[number::WRITERS]))
                for _ in range(READERS):
                    group.create_task(self._reader())
        await asyncio.sleep(0)
        return self.tally

    async def _client(self, stack: AsyncExitStack, name: str) -> Client:
        make = RedisCacheProvider[Value].from_url
        options = {"timeout": TIMEOUT, "one_loader": name == "one loader"}
        cache: Cache = await stack.enter_async_context(make(self._url, Value, "soak", **options))
        if name.startswith("tiered"):
            local = InMemoryCacheProvider[Value](max_size=MEMORY)
            cache = await stack.enter_async_context(TieredCacheProvider(local, cache))
        return Client(f"{name} of {self._number}", cache)

    async def _writer(self, keys: list[int]) -> None:
        while time.monotonic() < self._end:
            await asyncio.sleep(self._rng.expovariate(300))
            if self._rng.random() < 0.03:
                await self._invalidate(self._rng.randrange(SIZES["tags"]))
            else:
                await self._write(self._some(keys))

    async def _reader(self) -> None:
        while time.monotonic() < self._end:
            await asyncio.sleep(self._rng.expovariate(300))
            client, key = self._rng.choice(self._clients), self._some(range(SIZES["keys"]))
            choice = self._rng.random()
            if choice < 0.1:
                await self._get_many(client, self._rng.sample(range(SIZES["keys"]), 5))
            elif is_loaded(key) and choice < 0.6:
                await self._get_or_set(client, key)
            else:
                await self._get(client, key)

    async def _get(self, client: Client, key: int) -> None:
        began = time.monotonic()
        done, value = await self._call(client, 1, lambda: client.cache.get(str(key)))
        if done:
            self._judge(client, key, value, began)

    async def _get_many(self, client: Client, keys: list[int]) -> None:
        began = time.monotonic()
        done, found = await self._call(client, 1, lambda: client.cache.get_many(map(str, keys)))
        for name, value in found.items() if done else ():
            self._judge(client, int(name), value, began)

    async def _get_or_set(self, client: Client, key: int) -> None:
        began, get, load = time.monotonic(), client.cache.get_or_set, self._loader(key)
        done, value = await self._call(client, 3, lambda: get(str(key), load, self._ttl(), names(tags_of(key))))
        if done:
            self._judge(client, key, value, began)

    def _loader(self, key: int) -> Callable[[], Awaitable[Value]]:
        async def load() -> Value:
            value = Value(key, self._ledger.newest(key), tagged=True, loaded_at=time.monotonic())
            await asyncio.sleep(self._rng.choice((0, 0.001, 0.02)))
            return value

        return load

    async def _write(self, key: int) -> None:
        client = self._through.pop(key, None) or self._rng.choice(self._clients)
        version, name, ttl = self._ledger.begin(key), str(key), self._ttl()
        choice = self._rng.random()
        cache = client.cache
        if is_loaded(key) or choice < 0.2:
            done, _ = await self._call(client, 1, lambda: cache.delete(name))
        elif choice < 0.6:
            done, _ = await self._call(client, 1, lambda: cache.set(name, Value(key, version, tagged=False), ttl))
        else:
            value = Value(key, version, tagged=True)
            done, _ = await self._call(client, 1, lambda: cache.set_with_tags(name, value, names(tags_of(key)), ttl))
        if done:
            self._ledger.done(key, version)
            client.own.done(key, version)
        elif done is None:
            self._ledger.failed(key)
        else:
            self._through[key] = client  # one after the other is promised for what takes the same way only

    async def _invalidate(self, tag: int) -> None:
        client, began = self._rng.choice(self._clients), time.monotonic()
        done, _ = await self._call(client, 1, lambda: client.cache.invalidate_by_tag(f"tag:{tag}"))
        if done:
            self._ledger.invalidated(self._number, tag, began)
            client.own.invalidated(self._number, tag, began)

    def _some(self, keys: Sequence[int]) -> int:
        return keys[int(len(keys) * self._rng.random() ** 3)]  # some far more often than others

    def _ttl(self) -> float:
        return self._rng.choice((0.02, 0.5, 60.0))

    async def _call(self, client: Client, trips: int, call: Callable[[], Awaitable[Any]]) -> tuple[bool | None, Any]:
        """Return what `call` returns, after `True`; after `False` if it was cancelled, and `None` if it has failed."""
        began = time.monotonic()
        task = asyncio.ensure_future(call())
        if self._rng.random() < 0.05:
            await asyncio.sleep(self._rng.choice((0, 0, 0.0003, 0.001)))
            task.cancel()
        await asyncio.wait((task,))
        took = time.monotonic() - began
        self.tally.operations += 1
        if took > trips * TIMEOUT + SLACK:
            self.tally.slow += 1
            self.tally.example(f"slow: {took:.3f} s for {trips} round trips by {client.name}")
        if task.cancelled():
            self.tally.cancelled += 1
            return False, None
        if error := task.exception():
            if isinstance(error, CacheUnavailableError) and self._ledger.was_away(began):
                self.tally.away += 1
            else:
                self.tally.failed += 1
                self.tally.example(f"failed: {error!r} at {began:.3f} after {took:.3f} s by {client.name}")
            return None, None
        return True, task.result()

    def _judge(self, client: Client, key: int, value: Value | None, began: float) -> None:
        if value is None:
            return
        self.tally.found += 1
        if value.key != key or not 0 <= value.version <= self._ledger.newest(key):
            self.tally.wrong += 1
            self.tally.example(f"wrong: {value} under {key} by {client.name}")
            return
        lag, own_lag = self._lag(self._ledger, value, began), self._lag(client.own, value, began)
        if lag > client.grace or own_lag > 0:
            self.tally.stale += 1
            self.tally.example(f"stale: {value} by {lag * 1000:.1f} ms, own {own_lag * 1000:.1f} ms, by {client.name}")
        elif lag > 0:
            self.tally.late += 1
            self.tally.latest_ms = max(self.tally.latest_ms, round(lag * 1000))

    def _lag(self, ledger: Ledger, value: Value, began: float) -> float:
        lag = ledger.overtaken(value.key, value.version, began)
        if value.tagged:
            loaded_at = value.loaded_at
            written = self._ledger.returned(value.key, value.version) if loaded_at is None else loaded_at
            lag = max(lag, ledger.outlived(tags_of(value.key), written, began))
        return lag


async def _disturb(server: RedisServer, ledger: Ledger, tally: Tally, seconds: float, rng: random.Random) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() + 10.0 < end:
        await asyncio.sleep(rng.uniform(2.0, 8.0))
        ledger.away()
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(rng.choice((0.0, rng.uniform(0.0, 2.0))))
        await asyncio.to_thread(server.start)
        ledger.back(time.monotonic() + GRACE_BACK)
        tally.restarts += 1


async def soak(seconds: float, seed: int) -> Tally:
    """Run two processes against a Redis of their own for `seconds`, and return what both have counted."""
    with RedisServer() as server:
        file = server.folder / "ledger"
        file.write_bytes(bytes(Ledger.size(**SIZES)))
        party = Party(0, server.url, _ledger(file), seconds, seed)
        words = (sys.executable, "-m", __name__, server.url, str(file), str(seconds), str(seed))
        other = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        disturbing = asyncio.create_task(_disturb(server, _ledger(file), party.tally, seconds, random.Random(seed)))
        tally = await party.run()
        await disturbing
        output, _ = await other.communicate()
        tally.left = len(asyncio.all_tasks()) - 1
        tally.add(Tally(**json.loads(output)))
    return tally


def _ledger(file: Path) -> Ledger:
    with file.open("r+b") as opened:
        return Ledger(memoryview(mmap.mmap(opened.fileno(), 0)), **SIZES)


def run(seconds: float, seed: int) -> bool:
    """Soak, print the tally, and say whether nothing went wrong; without a `redis-server` it is left out."""
    try:
        tally = asyncio.run(soak(seconds, seed))
    except EngineMissing as missing:
        print(f"soak of Redis left out: {missing}")
        return True
    counts = {name: count for name, count in asdict(tally).items() if name != "examples"}
    print(f"soak of Redis (seed {seed}): " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    for example in tally.examples:
        print(f"  {example}")
    return tally.faults() == 0


async def _other(url: str, file: str, seconds: str, seed: str) -> None:
    tally = await Party(1, url, _ledger(Path(file)), float(seconds), int(seed)).run()
    tally.left = len(asyncio.all_tasks()) - 1
    print(json.dumps(asdict(tally)))


if __name__ == "__main__":
    asyncio.run(_other(*sys.argv[1:]))
