"""Health checks for asyncio services that answer in time and never lie."""

from infra_health.asgi import HealthApp, health_app
from infra_health.check import DependencyCheck
from infra_health.composite import CompositeHealthCheck
from infra_health.decorator import Finding, FunctionCheck, health_check
from infra_health.disk import DiskSpaceCheck
from infra_health.heartbeat import Heartbeat, HeartbeatCheck
from infra_health.loop_lag import LoopLagCheck
from infra_health.memory import MemoryCheck
from infra_health.messages import HealthMessages
from infra_health.pool import PoolCheck
from infra_health.store import StoreCheck
from infra_health.tcp import TcpCheck

__all__ = [
    "CompositeHealthCheck",
    "DependencyCheck",
    "DiskSpaceCheck",
    "Finding",
    "FunctionCheck",
    "HealthApp",
    "HealthMessages",
    "Heartbeat",
    "HeartbeatCheck",
    "LoopLagCheck",
    "MemoryCheck",
    "PoolCheck",
    "StoreCheck",
    "TcpCheck",
    "health_app",
    "health_check",
]
