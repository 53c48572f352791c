"""A typed asyncio pool for connections of any kind."""

from infra_pool.context import ConnectionPoolContext
from infra_pool.lease import PoolLease
from infra_pool.messages import PoolMessages
from infra_pool.pool import ConnectionPool
from infra_protocols import ConnectionFactory, ConnectionInfo, PoolConfig, PoolMetric, PoolStats

__all__ = [
    "ConnectionFactory",
    "ConnectionInfo",
    "ConnectionPool",
    "ConnectionPoolContext",
    "PoolConfig",
    "PoolLease",
    "PoolMessages",
    "PoolMetric",
    "PoolStats",
]
