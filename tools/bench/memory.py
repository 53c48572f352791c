"""How many bytes an entry takes, at a million entries."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable

import cachetools

from infra_cache import InMemoryCacheProvider, PolicyFactory, S3FIFOCache
from tools.bench.harness import Row, Table

ENTRIES = 1_000_000


def bytes_per_entry() -> Table:
    """Measure what is allocated while a cache of a million is filled; keys and values are part of it."""
    table = Table(
        f"Bytes an entry, at {ENTRIES:,} entries",
        "a `dict` of the same texts and whole numbers",
        "bytes",
        note="Allocated as tracemalloc counts it, keys and values included.",
    )
    dict_bytes = _allocated(_fill_dict)
    for name, fill, must, aim in (
        ("dict", _fill_dict, None, None),
        ("InMemoryCacheProvider, without ttl", lambda: _fill_cache(None), 2.8, 2.1),
        ("InMemoryCacheProvider, with ttl", lambda: _fill_cache(600.0), 2.8, 2.1),
        ("InMemoryCacheProvider, LRU, with ttl", lambda: _fill_cache(600.0, cachetools.LRUCache), None, None),
        ("the same, after another million", lambda: _fill_cache(600.0, cachetools.LRUCache, turns=2), None, None),
        ("InMemoryCacheProvider, with ttl, after another", lambda: _fill_cache(600.0, turns=2), None, None),
        ("cachetools.LRUCache", lambda: _fill_mapping(cachetools.LRUCache(ENTRIES)), None, None),
        ("cachetools.TTLCache", lambda: _fill_mapping(cachetools.TTLCache(ENTRIES, 600.0)), None, None),
    ):
        size = dict_bytes if fill is _fill_dict else _allocated(fill)
        table.rows.append(Row(name, size, size / dict_bytes, must, aim))
    return table


def _allocated(fill: Callable[[], object]) -> float:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = fill()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return (after - before) / ENTRIES


def _fill_dict() -> object:
    return {f"user:{number}": number for number in range(ENTRIES)}


def _fill_mapping(cache: cachetools.Cache[str, int]) -> object:
    for number in range(ENTRIES):
        cache[f"user:{number}"] = number
    return cache


def _fill_cache(ttl: float | None, policy: PolicyFactory[int] = S3FIFOCache, turns: int = 1) -> object:
    cache = InMemoryCacheProvider[int](max_size=ENTRIES, policy=policy)

    async def fill() -> None:
        for number in range(ENTRIES * turns):
            await cache.set(f"user:{number}", number, ttl)

    asyncio.run(fill())
    return cache
