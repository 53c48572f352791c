"""A check of Redis or Valkey; it takes the extra `redis`."""

from typing import Any

from infra_health._extras import missing_extra
from infra_health.check import DependencyCheck
from infra_protocols import HealthResult

try:
    from redis.asyncio import Redis, RedisCluster
except ImportError as _error:
    raise missing_extra("redis", _error) from _error


class RedisCheck(DependencyCheck[Redis | RedisCluster]):
    """
    Has a server answer a PING; of a Cluster, each of its primaries.

    Whether it takes writes, `infra_health.StoreCheck` of what is kept there tells.

    Args:
        dependency: the client that the service uses; it is not closed.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with Redis(port=1) as client:
    ...         print((await RedisCheck(client).check()).cause)
    >>> asyncio.run(main())
    ConnectionError
    """

    def __init__(self, dependency: Redis | RedisCluster, *, name: str = "redis", timeout: float = 5.0) -> None:
        super().__init__(dependency, name=name, timeout=timeout)

    async def probe(self) -> HealthResult | None:
        """Ask for an answer."""
        client: Any = self.dependency
        nodes = {"target_nodes": RedisCluster.PRIMARIES} if isinstance(client, RedisCluster) else {}
        await client.execute_command("PING", **nodes)
