"""A broker on Redis 7 or newer, or Valkey: standalone, behind Sentinel, over TLS, or a Cluster."""

from infra_messaging._extras import missing_extra

try:
    import hiredis as _hiredis  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import redis as _redis  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("redis", _error) from _error

from infra_messaging.redis.broker import RedisStreamBroker

__all__ = ["RedisStreamBroker"]
