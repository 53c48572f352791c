"""Caches in Redis 7 or newer, or Valkey: standalone, behind Sentinel, over TLS, or a Cluster."""

from infra_cache._extras import missing_extra

try:
    import hiredis as _hiredis  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import redis as _redis  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("redis", _error) from _error

from infra_cache.redis._loads import Fetched
from infra_cache.redis.provider import RedisCacheProvider, WhenAway

__all__ = ["Fetched", "RedisCacheProvider", "WhenAway"]
