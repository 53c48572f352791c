"""The two properties of the design that are about caches."""

import asyncio
import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from infra_cache import InMemoryCacheProvider
from infra_protocols import CacheKey

KEYS = st.sampled_from("abcdef")
TAGS = st.sampled_from(["red", "green", "blue", "Red", " red"])


@dataclass(frozen=True)
class User:
    id: int
    name: str


VALUES: list[tuple[type, SearchStrategy[object]]] = [
    (int, st.integers()),
    (bool, st.booleans()),
    (float, st.floats()),
    (str, st.text()),
    (bytes, st.binary()),
    (tuple, st.tuples(st.integers(), st.text())),
    (list, st.lists(st.integers() | st.none())),
    (dict, st.dictionaries(st.text(), st.integers())),
    (frozenset, st.frozensets(st.integers())),
    (User, st.builds(User, st.integers(), st.text())),
    (type(None), st.none()),
]


def equivalent(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


# **Feature: infrastructure-generics-review-2025, Property 4: Cache Type Preservation**
# **Validates: Requirements 6.2, 6.3, 6.4**
@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind.__name__ for kind, _ in VALUES])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_kept_comes_back_equal_and_of_the_same_type(
    kind: type, values: SearchStrategy[object], data: st.DataObject
) -> None:
    kept = data.draw(st.dictionaries(st.text(min_size=1).filter(str.strip), values, min_size=1, max_size=4))

    async def store_and_retrieve() -> None:
        cache = InMemoryCacheProvider[object]()
        for key, value in kept.items():
            await cache.set(key, value)
        many = await cache.get_many(kept)
        for key, value in kept.items():
            assert equivalent(await cache.get(key), value)
            assert equivalent(await cache.get(CacheKey(key, kind)), value)
            assert equivalent(many[key], value)
            entry = await cache.get_entry(key)
            assert entry is not None
            assert equivalent(entry.value, value)

    asyncio.run(store_and_retrieve())


# **Feature: infrastructure-generics-review-2025, Property 5: Cache Tag Invalidation**
# **Validates: Requirements 6.5**
@settings(max_examples=100, deadline=None)
@given(
    writes=st.lists(st.tuples(KEYS, st.lists(TAGS, max_size=4)), max_size=20), invalidated=st.lists(TAGS, max_size=3)
)
def test_invalidating_a_tag_removes_what_has_it_and_nothing_else(
    writes: list[tuple[str, list[str]]], invalidated: list[str]
) -> None:
    async def invalidate() -> None:
        cache = InMemoryCacheProvider[int]()
        model: dict[str, tuple[int, set[str]]] = {}
        for number, (key, tags) in enumerate(writes):
            await cache.set_with_tags(key, number, tags)
            model[key] = number, set(tags)
        for tag in invalidated:
            gone = {key for key, (_, tags) in model.items() if tag in tags}
            assert await cache.invalidate_by_tag(tag) == len(gone)
            for key in gone:
                del model[key]
            assert await cache.get_many(list("abcdef")) == {key: n for key, (n, _) in model.items()}
            assert cache.stats().size == len(model)

    asyncio.run(invalidate())
