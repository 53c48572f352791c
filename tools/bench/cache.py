"""infra-cache in memory against a dict, the caches it is built from, and the asyncio caches in use."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import cachetools
from aiocache import SimpleMemoryCache
from aiocache import cached as aiocache_cached
from async_lru import alru_cache
from cashews import Cache as Cashews

from infra_cache import InMemoryCacheProvider, cached
from tools.bench.harness import AsyncLoop, Contender, Table, compare
from tools.bench.memory import bytes_per_entry

SIZE = 1_000
KEYS = [f"user:{number}" for number in range(SIZE)]
TTL = 600.0


def tables() -> list[Table]:
    """Measure lookups, stores, decorator hits and waiting for one load."""
    return [_get(), _set(), _insert(), _decorated(), _waiters(), _invalidate(), bytes_per_entry()]


def _provider(size: int = SIZE) -> InMemoryCacheProvider[int]:
    return InMemoryCacheProvider[int](max_size=size)


def _with_lru() -> InMemoryCacheProvider[int]:
    return InMemoryCacheProvider[int](max_size=SIZE, policy=cachetools.LRUCache)


def _over_keys(call: Callable[[str], Awaitable[object]]) -> AsyncLoop:
    async def loop(n: int) -> None:
        for key in itertools.islice(itertools.cycle(KEYS), n):
            await call(key)

    return loop


def _into_keys(call: Callable[[str, int, float], Awaitable[object]], keys: list[str] = KEYS) -> AsyncLoop:
    async def loop(n: int) -> None:
        for key in itertools.islice(itertools.cycle(keys), n):
            await call(key, 1, TTL)

    return loop


def _fill(store: Callable[[str, int], Awaitable[object]]) -> None:
    async def fill() -> None:
        for number, key in enumerate(KEYS):
            await store(key, number)

    asyncio.run(fill())


def _cashews() -> Cashews:
    cache = Cashews()
    cache.setup("mem://", size=SIZE)
    return cache


def _get() -> Table:
    plain = {key: number for number, key in enumerate(KEYS)}
    lru: cachetools.LRUCache[str, int] = cachetools.LRUCache(SIZE)
    tlru: cachetools.TLRUCache[str, int] = cachetools.TLRUCache(SIZE, ttu=lambda key, value, now: now + TTL)
    lru.update(plain)
    tlru.update(plain)
    endless, ending, lru_ending, cashews, simple = (
        _provider(),
        _provider(),
        _with_lru(),
        _cashews(),
        SimpleMemoryCache(),
    )
    _fill(endless.set)
    _fill(lambda key, value: ending.set(key, value, TTL))
    _fill(lambda key, value: lru_ending.set(key, value, TTL))
    _fill(lambda key, value: cashews.set(key, value, expire=TTL))
    _fill(lambda key, value: simple.set(key, value, ttl=TTL))

    async def from_dict(key: str) -> int | None:
        return plain.get(key)

    async def from_lru(key: str) -> int | None:
        return lru.get(key)

    async def from_tlru(key: str) -> int | None:
        return tlru.get(key)

    return compare(
        "Getting what is there",
        "`dict.get` inside an `async def`",
        [
            Contender("dict", _over_keys(from_dict)),
            Contender("InMemoryCacheProvider, with ttl", _over_keys(ending.get), must=3, aim=2.5),
            Contender("InMemoryCacheProvider, without", _over_keys(endless.get), must=3, aim=2.5),
            Contender("InMemoryCacheProvider, LRU, with ttl", _over_keys(lru_ending.get)),
            Contender("cachetools.LRUCache", _over_keys(from_lru)),
            Contender("cachetools.TLRUCache", _over_keys(from_tlru)),
            Contender("cashews", _over_keys(cashews.get)),
            Contender("aiocache", _over_keys(simple.get)),
        ],
        number=4_000,
    )


def _set() -> Table:
    plain: dict[str, int] = {}
    lru: cachetools.LRUCache[str, int] = cachetools.LRUCache(SIZE)
    tlru: cachetools.TLRUCache[str, int] = cachetools.TLRUCache(SIZE, ttu=lambda key, value, now: now + TTL)
    ours, ours_lru, cashews = _provider(), _with_lru(), _cashews()

    async def into_dict(key: str, value: int, ttl: float) -> None:
        plain[key] = value

    async def into_lru(key: str, value: int, ttl: float) -> None:
        lru[key] = value

    async def into_tlru(key: str, value: int, ttl: float) -> None:
        tlru[key] = value

    return compare(
        "Setting with a ttl, the key being there",
        "`dict[key] = value` inside an `async def`",
        [
            Contender("dict", _into_keys(into_dict)),
            Contender("InMemoryCacheProvider", _into_keys(ours.set), must=3.5, aim=2.5),
            Contender("InMemoryCacheProvider, LRU", _into_keys(ours_lru.set)),
            Contender("cachetools.LRUCache, no ttl", _into_keys(into_lru)),
            Contender("cachetools.TLRUCache", _into_keys(into_tlru)),
            Contender("cashews", _into_keys(lambda key, value, ttl: cashews.set(key, value, expire=ttl))),
        ],
        number=4_000,
        note="aiocache is left out: it starts a timer for each set.",
    )


def _insert() -> Table:
    plain: dict[str, int] = {}
    lru: cachetools.LRUCache[str, int] = cachetools.LRUCache(SIZE)
    ours, ours_lru = _provider(), _with_lru()
    fresh = [f"user:{number}" for number in range(SIZE * 4)]

    async def into_dict(key: str, value: int, ttl: float) -> None:
        plain[key] = value
        if len(plain) > SIZE:
            del plain[next(iter(plain))]

    async def into_lru(key: str, value: int, ttl: float) -> None:
        lru[key] = value

    return compare(
        "Setting with a ttl, the key being new and the cache full",
        "the same with a `dict` that drops its oldest, inside an `async def`",
        [
            Contender("dict", _into_keys(into_dict, fresh)),
            Contender("InMemoryCacheProvider", _into_keys(ours.set, fresh)),
            Contender("InMemoryCacheProvider, LRU", _into_keys(ours_lru.set, fresh)),
            Contender("cachetools.LRUCache, no ttl", _into_keys(into_lru, fresh)),
        ],
        number=4_000,
    )


def _decorated() -> Table:
    plain = {key: number for number, key in enumerate(KEYS)}
    cashews = _cashews()

    async def from_dict(key: str) -> int | None:
        return plain.get(key)

    @cached(_provider(), ttl=TTL)
    async def ours(key: str) -> int:
        return plain[key]

    @cached(_with_lru(), ttl=TTL)
    async def ours_lru(key: str) -> int:
        return plain[key]

    @alru_cache(maxsize=SIZE, ttl=TTL)
    async def lru(key: str) -> int:
        return plain[key]

    @cashews(ttl=TTL)
    async def cashed(key: str) -> int:
        return plain[key]

    @aiocache_cached(ttl=int(TTL))
    async def aiocached(key: str) -> int:
        return plain[key]

    return compare(
        "Calling a decorated function, its answer being there",
        "`dict.get` inside an `async def`",
        [
            Contender("dict", _over_keys(from_dict)),
            Contender("infra_cache.cached", _over_keys(ours), must=6, aim=3.6),
            Contender("infra_cache.cached, LRU", _over_keys(ours_lru)),
            Contender("async_lru.alru_cache", _over_keys(lru)),
            Contender("cashews", _over_keys(cashed)),
            Contender("aiocache.cached", _over_keys(aiocached)),
        ],
        number=4_000,
        note="async_lru keeps a function's answers for that function alone, under keys that are no texts.",
    )


WAITERS = 1_000


def _waiters() -> Table:
    cache = _provider()

    async def future_each(n: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(n):
            futures: list[asyncio.Future[int]] = []

            async def wait(futures: list[asyncio.Future[int]] = futures) -> int:
                future = loop.create_future()
                futures.append(future)
                return await future

            tasks = [loop.create_task(wait()) for _ in range(WAITERS)]
            await asyncio.sleep(0)
            for future in futures:
                future.set_result(1)
            await asyncio.gather(*tasks)

    async def get_or_set(n: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(n):
            go = loop.create_future()

            async def load(go: asyncio.Future[None] = go) -> int:
                await go
                return 1

            tasks = [loop.create_task(cache.get_or_set("key", load)) for _ in range(WAITERS)]
            await asyncio.sleep(0)
            go.set_result(None)
            await asyncio.gather(*tasks)
            await cache.delete("key")

    return compare(
        "A thousand tasks waiting for one load",
        "a thousand tasks each awaiting a future of its own, that one task sets",
        [
            Contender("futures", future_each),
            Contender("InMemoryCacheProvider.get_or_set", get_or_set, must=1.3),
        ],
        number=3,
        per=WAITERS,
        subtract_loop=False,
    )


ENTRIES, MEMBERS = 100_000, 10_000


def _invalidate() -> Table:
    names = [f"user:{number}" for number in range(ENTRIES)]
    plain: dict[str, int] = {}
    index: dict[str, set[str]] = {}
    cache = InMemoryCacheProvider[int](max_size=ENTRIES)
    plain.update({name: number for number, name in enumerate(names)})
    asyncio.run(cache.set_many(plain))
    items = {name: number for number, name in enumerate(names[:MEMBERS])}

    async def with_cache(n: int) -> None:
        await cache.invalidate_by_tag("tag")

    async def with_index(n: int) -> None:
        for name in index.pop("tag"):
            del plain[name]

    async def refill_index() -> None:
        plain.update(items)
        index["tag"] = set(items)

    async def refill_cache() -> None:
        await cache.set_many(items, tags=["tag"])

    return compare(
        f"Removing a tag of {MEMBERS:,} in {ENTRIES:,} entries",
        "a dict of entries and a dict of sets of keys, both cleared by hand",
        [
            Contender("plain index", with_index, before=refill_index),
            Contender("InMemoryCacheProvider", with_cache, must=1.5, before=refill_cache),
        ],
        number=1,
        per=MEMBERS,
        subtract_loop=False,
        note="Per member; filling again is not in the time.",
    )
