"""A typed asyncio cache: ttl, tags, single-flight loading, and any cachetools policy."""

from infra_cache._policy import PolicyFactory
from infra_cache.decorator import cached
from infra_cache.keys import call_key
from infra_cache.memory import InMemoryCacheProvider
from infra_cache.messages import CacheMessages
from infra_cache.s3fifo import S3FIFOCache
from infra_cache.tiered import TieredCacheProvider

__all__ = [
    "CacheMessages",
    "InMemoryCacheProvider",
    "PolicyFactory",
    "S3FIFOCache",
    "TieredCacheProvider",
    "cached",
    "call_key",
]
