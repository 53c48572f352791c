"""How often caches have what is asked for, by the policy that picks what goes: counted, not timed."""

import random
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from itertools import accumulate

import cachetools
import libcachesim
import moka_py
import theine

from infra_cache import S3FIFOCache

KEYS, CALLS = 100_000, 500_000
SIZES = (KEYS // 100, KEYS // 10)
MUST = 0.5
REFERENCE, OURS = "libcachesim S3-FIFO", "S3FIFOCache"

type Trace = list[int]
type Replay = Callable[[Trace, int], int]
"""Asks a cache of this size for each key in turn, puts in what was not there, and counts what was."""


@dataclass(slots=True)
class HitTable:
    """What came out for one trace: the hit ratio of each contender, in percent, for each size of the cache."""

    title: str
    note: str
    rows: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        sizes = " | ".join(f"{size / KEYS:.0%} | to the reference" for size in SIZES)
        lines = [
            f"### {self.title}",
            "",
            self.note,
            "",
            f"| | {sizes} | must |",
            "|---" + "|---:" * (2 * len(SIZES) + 1) + "|",
        ]
        for name, ratios in self.rows.items():
            points = [ratio - least for ratio, least in zip(ratios, self.rows[REFERENCE], strict=True)]
            cells = " | ".join(f"{ratio:.2f} % | {more:+.2f}" for ratio, more in zip(ratios, points, strict=True))
            lines.append(f"| {name} | {cells} | {f'-{MUST}' if name == OURS else ''} |")
        return "\n".join(lines)


def tables() -> list[HitTable]:
    """Replay each trace in each cache."""
    made: list[HitTable] = []
    for title, note, trace in _traces():
        table = HitTable(title, note)
        for name, replay in CONTENDERS.items():
            table.rows[name] = [100 * replay(trace, size) / len(trace) for size in SIZES]
        made.append(table)
    return made


def _traces() -> Iterator[tuple[str, str, Trace]]:
    calls = f"{CALLS:,} calls of {KEYS:,} keys, seeded."
    for seed, skew in enumerate((0.9, 1.0)):
        yield f"Zipf {skew}", calls, _zipf(random.Random(seed), skew, CALLS)
    scan = 5_000
    for seed, skew in enumerate((0.9, 1.0)):
        trace, fresh = _zipf(random.Random(seed), skew, CALLS), KEYS
        mixed: Trace = []
        for start in range(0, CALLS, 2 * scan):
            mixed += trace[start : start + 2 * scan]
            mixed += range(fresh, fresh + scan)
            fresh += scan
        note = f"{calls} After each {2 * scan:,} of them, {scan:,} keys that never come again."
        yield f"Zipf {skew} with scans", note, mixed
    phases = 10
    for seed, skew in enumerate((0.9, 1.0)):
        rng = random.Random(seed)
        shifting = [key for _ in range(phases) for key in _zipf(rng, skew, CALLS // phases)]
        yield f"Zipf {skew}, the hot set shifting", f"{calls} Each {CALLS // phases:,} other keys are hot.", shifting


def _zipf(rng: random.Random, skew: float, calls: int) -> Trace:
    odds = list(accumulate(rank**-skew for rank in range(1, KEYS + 1)))
    return rng.choices(rng.sample(range(KEYS), KEYS), cum_weights=odds, k=calls)


def _in_mapping(make: Callable[[int], MutableMapping[int, bool]]) -> Replay:
    def replay(trace: Trace, size: int) -> int:
        cache, hits = make(size), 0
        for key in trace:
            if cache.get(key):
                hits += 1
            else:
                cache[key] = True
        return hits

    return replay


def _in_libcachesim(policy: type[libcachesim.CacheBase]) -> Replay:
    def replay(trace: Trace, size: int) -> int:
        cache, request, hits = policy(size, hashpower=18), libcachesim.Request(), 0
        request.obj_size = 1
        for key in trace:
            request.obj_id = key
            hits += cache.get(request)
        return hits

    return replay


def _in_theine(trace: Trace, size: int) -> int:
    cache, hits = theine.Cache[int, bool](size), 0
    for key in trace:
        if cache.get(key)[1]:
            hits += 1
        else:
            cache.set(key, True)
    cache.close()
    return hits


def _in_moka(trace: Trace, size: int) -> int:
    cache, hits = moka_py.Moka[int, bool](size), 0
    for key in trace:
        if cache.get(key):
            hits += 1
        else:
            cache.set(key, True)
    return hits


CONTENDERS: dict[str, Replay] = {
    REFERENCE: _in_libcachesim(libcachesim.S3FIFO),
    OURS: _in_mapping(S3FIFOCache),
    "libcachesim LRU": _in_libcachesim(libcachesim.LRU),
    "cachetools LRU": _in_mapping(cachetools.LRUCache),
    "cachetools LFU": _in_mapping(cachetools.LFUCache),
    "theine": _in_theine,
    "moka-py": _in_moka,
}
