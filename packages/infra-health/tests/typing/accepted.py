# What pyright strict and mypy strict must both accept. Nothing here is run.

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

from httpx import AsyncClient
from redis.asyncio import Redis

from infra_health import (
    CompositeHealthCheck,
    DependencyCheck,
    DiskSpaceCheck,
    FunctionCheck,
    HealthApp,
    Heartbeat,
    HeartbeatCheck,
    LoopLagCheck,
    MemoryCheck,
    PoolCheck,
    StoreCheck,
    TcpCheck,
    health_app,
    health_check,
)
from infra_health.http import HttpCheck
from infra_health.redis import RedisCheck
from infra_health.sqlite import SqliteCheck
from infra_protocols import (
    CompositeHealthCheckProtocol,
    ConnectionPoolProtocol,
    HealthCheck,
    HealthComponent,
    HealthPolicy,
    HealthReport,
    HealthResult,
    HealthStatus,
    Store,
)


@health_check
async def database() -> None: ...


@health_check(name="licence", timeout=1)
def licence() -> bool:
    return True


@health_check
async def degraded() -> HealthStatus | HealthResult:
    return HealthStatus.DEGRADED


class Queue:
    pass


class QueueCheck(DependencyCheck[Queue]):
    async def probe(self) -> HealthResult | None:
        return None


def any_check_will_do(check: HealthCheck[Any]) -> HealthCheck[Any]:
    return check


def what_is_checked_is_typed(queue: Queue, check: FunctionCheck[Callable[[], bool]]) -> None:
    typed: HealthCheck[Queue] = QueueCheck(queue, name="queue")
    assert_type(typed.dependency, Queue)
    assert_type(licence.dependency(), bool)
    assert_type(check.dependency(), bool)


def all_are_checks(
    pool: ConnectionPoolProtocol[bytes], store: Store[int, str], client: Redis, http: AsyncClient
) -> list[HealthCheck[Any]]:
    pooled: HealthCheck[ConnectionPoolProtocol[bytes]] = PoolCheck(pool)
    stored: HealthCheck[Store[int, str]] = StoreCheck(store, "value", lambda: 7)
    return [
        pooled,
        stored,
        TcpCheck("db", 5432),
        DiskSpaceCheck(Path("/")),
        MemoryCheck(),
        LoopLagCheck(),
        HeartbeatCheck("alive"),
        SqliteCheck("words.db"),
        RedisCheck(client),
        HttpCheck("http://other/readyz", client=http, expected={200}),
        any_check_will_do(database),
        any_check_will_do(degraded),
    ]


async def composites(checks: list[HealthCheck[Any]]) -> HealthStatus:
    composite: CompositeHealthCheckProtocol = CompositeHealthCheck(
        [*checks, HealthComponent(licence, critical=False)], HealthPolicy(failure_threshold=3), deadline=2
    )
    assert_type(await composite.report(), HealthReport)
    assert_type(await composite.check(), HealthResult)
    async with Heartbeat("alive", composite):
        return (await CompositeHealthCheck([composite]).report()).status


def applications(composite: CompositeHealthCheck) -> HealthApp:
    return health_app(composite, startup=database, version="1")
