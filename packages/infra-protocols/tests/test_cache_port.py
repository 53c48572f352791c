"""The data that crosses the port of caches. How `CacheKey` types what `get` returns is in typing/."""

import copy
import dataclasses
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import CacheEntry, CacheKey, CacheStats, ValidationError

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class TestKey:
    def test_is_a_value(self) -> None:
        assert CacheKey("a", int) == CacheKey("a", int)
        assert hash(CacheKey("a", int)) == hash(CacheKey("a", int))
        assert CacheKey("a", int) != CacheKey("b", int)
        whole: object = CacheKey("a", int)
        assert whole != CacheKey("a", bool)
        assert pickle.loads(pickle.dumps(CacheKey("a", int))) == CacheKey("a", int)
        assert copy.deepcopy(CacheKey("a", int)) == CacheKey("a", int)

    @pytest.mark.parametrize("name", ["", " ", "\t\n"])
    def test_has_a_name_that_is_not_blank(self, name: str) -> None:
        with pytest.raises(ValidationError) as caught:
            CacheKey(name, int)
        assert caught.value.field == "key"

    def test_has_a_name_that_is_text(self) -> None:
        name: Any = 3
        with pytest.raises(ValidationError, match="key must be text"):
            CacheKey(name, int)

    def test_cannot_be_changed(self) -> None:
        key: Any = CacheKey("a", int)
        with pytest.raises(dataclasses.FrozenInstanceError):
            key.name = "b"
        with pytest.raises((AttributeError, TypeError)):
            key.other = 1


class TestEntry:
    def test_is_for_ever_when_nothing_else_is_said(self) -> None:
        entry = CacheEntry("k", 1, NOW)
        assert (entry.ttl, entry.expires_at, entry.tags) == (None, None, ())
        assert not entry.is_expired

    @given(st.timedeltas(timedelta(seconds=60), timedelta(days=3650)), st.booleans())
    @settings(max_examples=100, deadline=None)
    def test_is_expired_when_its_time_is_over(self, distance: timedelta, over: bool) -> None:
        expires_at = datetime.now(UTC) + (-distance if over else distance)
        assert CacheEntry("k", 1, NOW, expires_at=expires_at).is_expired is over

    def test_is_a_value_that_cannot_be_changed(self) -> None:
        entry: Any = CacheEntry("k", 1, NOW, 5.0, NOW, ("t",))
        assert pickle.loads(pickle.dumps(entry)) == entry
        with pytest.raises(dataclasses.FrozenInstanceError):
            entry.value = 2


class TestStats:
    @given(st.integers(0, 10**6), st.integers(0, 10**6))
    @settings(max_examples=100, deadline=None)
    def test_the_ratio_is_that_of_hits_to_lookups(self, hits: int, misses: int) -> None:
        ratio = CacheStats(hits=hits, misses=misses).hit_ratio
        assert 0.0 <= ratio <= 1.0
        assert ratio * (hits + misses) == pytest.approx(hits)

    def test_count_from_nothing(self) -> None:
        stats = CacheStats()
        assert (stats.hits, stats.misses, stats.loads, stats.evictions, stats.size) == (0, 0, 0, 0, None)
        assert (stats.load_seconds, stats.expirations, stats.invalidations, stats.stale, stats.errors) == (
            0.0,
            0,
            0,
            0,
            0,
        )
        assert stats.hit_ratio == 0.0
