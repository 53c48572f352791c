"""
infra-cache on Redis against raw redis-py, and the asyncio caches and clients in use.

All CPU time is that of this process; what Redis itself takes is not in it.
"""

import asyncio
import itertools
import os
import random
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import coredis
from cashews import Cache as Cashews
from coredis.patterns.cache import LRUCache
from redis.asyncio import Redis

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider
from tools.bench.harness import AsyncLoop, Contender, Row, Table, compare

URL = os.environ.get("INFRA_REDIS_URL", "redis://127.0.0.1:6379/0")
NAME = "infra-bench"
BATCH = 100
KEYS = [f"user:{number}" for number in range(BATCH)]
TTL = 600.0
MILLIS = 600_000


def tables() -> list[Table]:
    """Measure single calls, a hundred at a time, hits in memory and the invalidation of tags."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            subjects = runner.run(Subjects.open(stack))
            return [
                _get(subjects, runner),
                _set(subjects, runner),
                _hundred_gets(subjects, runner),
                _hundred_sets(subjects, runner),
                _local_hit(subjects, runner),
                runner.run(_invalidate(subjects.tagged)),
            ]
        finally:
            runner.run(stack.aclose())


class Subjects:
    """All that is measured, with the same hundred numbers in it; what they keep is removed at the end."""

    def __init__(self) -> None:
        self.raw = Redis.from_url(URL)
        self.tagged = RedisCacheProvider.from_url(URL, int, NAME)
        self.plain = RedisCacheProvider.from_url(URL, int, NAME, tags=False)
        self.behind = RedisCacheProvider.from_url(URL, int, f"{NAME}-tiered")
        self.tiered = TieredCacheProvider(InMemoryCacheProvider[int](), self.behind)
        self.cashews = Cashews()
        self.cashews.setup(URL)
        self.cashews_local = Cashews()
        self.cashews_local.setup(URL, client_side=True, client_side_prefix=f"{NAME}:cashews-local:")
        self.coredis = coredis.Redis.from_url(URL)
        self.coredis_local = coredis.Redis.from_url(URL, cache=LRUCache())
        self.keys = [f"{NAME}:raw:{key}" for key in KEYS]

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Subjects":
        self = cls()
        await stack.enter_async_context(self.raw)
        for cache in (self.tagged, self.plain, self.behind, self.tiered):
            await stack.enter_async_context(cache)
        for client in (self.coredis, self.coredis_local):
            await stack.enter_async_context(_held(client))
        for peer in (self.cashews, self.cashews_local):
            stack.push_async_callback(peer.close)
        stack.push_async_callback(self._clear)
        for number, (key, raw_key) in enumerate(zip(KEYS, self.keys, strict=True)):
            await self.raw.set(raw_key, number, px=MILLIS)
            for cache in (self.tagged, self.plain, self.tiered):
                await cache.set(key, number, TTL)
            await self.cashews.set(raw_key + ":cashews", number, expire=TTL)
            await self.cashews_local.set(key, number, expire=TTL)
            for read in (self.tiered.get, self.cashews_local.get):
                assert await read(key) == number
            for client in (self.coredis, self.coredis_local):
                assert await client.get(raw_key) == str(number).encode()
        return self

    async def _clear(self) -> None:
        for cache in (self.tagged, self.plain, self.behind):
            await cache.clear()
        async for key in self.raw.scan_iter(match=f"{NAME}:*", count=1000):
            await self.raw.unlink(key)


@asynccontextmanager
async def _held(context: AbstractAsyncContextManager[object]) -> AsyncGenerator[None]:
    # Entered and left in one task, as anyio asks; those of a runner's calls are not the same.
    opened, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with context:
            opened.set()
            await done.wait()

    task = asyncio.create_task(hold())
    await opened.wait()
    try:
        yield
    finally:
        done.set()
        await task


def _single(call: Callable[[str], Awaitable[object]], keys: list[str] = KEYS) -> AsyncLoop:
    async def loop(n: int) -> None:
        for key in itertools.islice(itertools.cycle(keys), n):
            await call(key)

    return loop


def _together(call: Callable[[str], Awaitable[object]], keys: list[str] = KEYS) -> AsyncLoop:
    async def loop(n: int) -> None:
        for _ in range(n):
            await asyncio.gather(*[call(key) for key in keys])

    return loop


def _at_once(call: Callable[[], Awaitable[object]]) -> AsyncLoop:
    async def loop(n: int) -> None:
        for _ in range(n):
            await call()

    return loop


def _get(of: Subjects, runner: asyncio.Runner) -> Table:
    return compare(
        "Getting what is there, one call at a time",
        "`get` of redis-py, which returns bytes",
        [
            Contender("redis-py", _single(of.raw.get, of.keys)),
            Contender("RedisCacheProvider", _single(of.tagged.get), must=1.5),
            Contender("RedisCacheProvider, tags=False", _single(of.plain.get), must=1.5),
            Contender("cashews", _single(of.cashews.get, [f"{key}:cashews" for key in of.keys])),
            Contender("coredis", _single(of.coredis.get, of.keys)),
        ],
        number=200,
        runner=runner,
    )


def _sets(of: Subjects) -> dict[str, tuple[Callable[[str], Awaitable[object]], list[str]]]:
    return {
        "redis-py": (lambda key: of.raw.set(key, 1, px=MILLIS), of.keys),
        "RedisCacheProvider": (lambda key: of.tagged.set(key, 1, TTL), KEYS),
        "RedisCacheProvider, tags=False": (lambda key: of.plain.set(key, 1, TTL), KEYS),
        "cashews": (
            lambda key: of.cashews.set(key, 1, expire=TTL),
            [f"{key}:cashews" for key in of.keys],
        ),
        "coredis": (lambda key: of.coredis.set(key, 1, px=MILLIS), of.keys),
    }


def _set(of: Subjects, runner: asyncio.Runner) -> Table:
    return compare(
        "Setting with a ttl, one call at a time",
        "`set(px=)` of redis-py",
        [
            Contender(name, _single(*how), must=1.5 if name.startswith("Redis") else None)
            for name, how in _sets(of).items()
        ],
        number=200,
        runner=runner,
    )


def _hundred_gets(of: Subjects, runner: asyncio.Runner) -> Table:
    async def pipeline() -> None:
        pipe = of.raw.pipeline(transaction=False)
        for key in of.keys:
            pipe.get(key)
        await pipe.execute()

    return compare(
        "Getting what is there, a hundred calls at a time",
        "a `pipeline(transaction=False)` of redis-py with a hundred `GET`s",
        [
            Contender("redis-py, a pipeline", _at_once(pipeline)),
            Contender("RedisCacheProvider", _together(of.tagged.get), must=1.1),
            Contender("RedisCacheProvider, tags=False", _together(of.plain.get), must=0.6),
            Contender("RedisCacheProvider.get_many", _at_once(partial(of.tagged.get_many, KEYS))),
            Contender("RedisCacheProvider.get_many, tags=False", _at_once(partial(of.plain.get_many, KEYS))),
            Contender("redis-py", _together(of.raw.get, of.keys)),
            Contender("cashews", _together(of.cashews.get, [f"{key}:cashews" for key in of.keys])),
            Contender("coredis", _together(of.coredis.get, of.keys)),
            Contender("gather of what does nothing", _together(_nothing)),
            Contender("gather of what waits for a future each", _waiting),
        ],
        number=10,
        per=BATCH,
        note="`asyncio.gather` of a hundred calls, unless it says otherwise; per call.",
        subtract_loop=False,
        runner=runner,
    )


async def _nothing(key: str) -> None:
    pass


async def _waiting(n: int) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(n):
        futures: list[asyncio.Future[int]] = []

        async def wait(futures: list[asyncio.Future[int]] = futures) -> int:
            future = loop.create_future()
            futures.append(future)
            return await future

        def answer(futures: list[asyncio.Future[int]] = futures) -> None:
            for future in futures:
                future.set_result(1)

        together = asyncio.gather(*[wait() for _ in KEYS])
        loop.call_soon(answer)  # when all of them have begun
        await together


def _hundred_sets(of: Subjects, runner: asyncio.Runner) -> Table:
    async def pipeline() -> None:
        pipe = of.raw.pipeline(transaction=False)
        for key in of.keys:
            pipe.set(key, 1, px=MILLIS)
        await pipe.execute()

    numbers = dict.fromkeys(KEYS, 1)
    ours = [
        Contender(f"{name}, each by itself" if name == "redis-py" else name, _together(*how))
        for name, how in _sets(of).items()
    ]
    return compare(
        "Setting with a ttl, a hundred calls at a time",
        "a `pipeline(transaction=False)` of redis-py with a hundred `SET`s with `px`",
        [
            Contender("redis-py, a pipeline", _at_once(pipeline)),
            *(Contender(c.name, c.loop, must=1.5 if c.name.startswith("Redis") else None) for c in ours),
            Contender("RedisCacheProvider.set_many", _at_once(lambda: of.tagged.set_many(numbers, TTL))),
        ],
        number=10,
        per=BATCH,
        note="`asyncio.gather` of a hundred calls, unless it says otherwise; per call.",
        subtract_loop=False,
        runner=runner,
    )


def _local_hit(of: Subjects, runner: asyncio.Runner) -> Table:
    plain = {key: number for number, key in enumerate(KEYS)}

    async def from_dict(key: str) -> int | None:
        return plain.get(key)

    return compare(
        "Getting what is in memory in front of Redis",
        "`dict.get` inside an `async def`",
        [
            Contender("dict", _single(from_dict)),
            Contender("TieredCacheProvider", _single(of.tiered.get), must=3.5),
            Contender("cashews, client_side", _single(of.cashews_local.get)),
            Contender("coredis, LRUCache", _single(of.coredis_local.get, of.keys)),
        ],
        number=2_000,
        runner=runner,
    )


SIZES = (10, 1_000, 100_000, 1_000_000)


async def _invalidate(cache: RedisCacheProvider[int]) -> Table:
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    ratios: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in range(15):
        times = await _invalidated(cache, SIZES if number % 5 == 0 else SIZES[:-1])
        for size, seconds in times.items():
            took[size].append(seconds)
            ratios[size].append(seconds / times[SIZES[0]])
    table = Table(
        "Invalidating a tag, by how many entries have it",
        f"a tag of {SIZES[0]} entries",
        "µs",
        note="By the clock on the wall, Redis included.",
    )
    for size in SIZES:
        value, ratio = statistics.median(took[size]) * 1e6, statistics.median(ratios[size])
        table.rows.append(Row(f"RedisCacheProvider, {size:,}", value, ratio, 1.5 if size > SIZES[0] else None))
    return table


async def _invalidated(cache: RedisCacheProvider[int], sizes: Sequence[int]) -> dict[int, float]:
    # All tags are filled first: then they find this process and Redis in the same state.
    for size in sizes:
        for first in range(0, size, 1_000):
            numbers = range(first, min(first + 1_000, size))
            await cache.set_many({f"member:{size}:{number}": number for number in numbers}, TTL, tags=[f"of {size}"])
    took: dict[int, float] = {}
    for size in random.sample(sizes, len(sizes)):
        for _ in range(10):
            await cache.get("user:0")
        start = time.perf_counter()
        await cache.invalidate_by_tag(f"of {size}")
        took[size] = time.perf_counter() - start
        assert await cache.get(f"member:{size}:{size - 1}") is None
    return took
