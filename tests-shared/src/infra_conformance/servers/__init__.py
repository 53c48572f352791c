"""
Servers that tests start for themselves, to kill, cut off and fill them: alone, as a cluster, with a replica.

Each raises `EngineMissing` where its program is not there; `infra_conformance.engines.provided` makes that a skip.
"""

from infra_conformance.servers.cluster import RedisCluster, slot_of
from infra_conformance.servers.engine import Engine, EngineMissing, EngineSilent
from infra_conformance.servers.nats import NATS
from infra_conformance.servers.pgwire import PgConnection, PgError, Row
from infra_conformance.servers.postgres import POSTGRES, PostgresServer
from infra_conformance.servers.rabbitmq import RABBITMQ
from infra_conformance.servers.redis import REDIS, VALKEY, RedisServer
from infra_conformance.servers.resp import Reply, RespError
from infra_conformance.servers.sentinel import SERVICE, RedisSentinel
from infra_conformance.servers.server import Server
from infra_conformance.servers.waiting import wait_until

__all__ = [
    "NATS",
    "POSTGRES",
    "RABBITMQ",
    "REDIS",
    "SERVICE",
    "VALKEY",
    "Engine",
    "EngineMissing",
    "EngineSilent",
    "PgConnection",
    "PgError",
    "PostgresServer",
    "RedisCluster",
    "RedisSentinel",
    "RedisServer",
    "Reply",
    "RespError",
    "Row",
    "Server",
    "slot_of",
    "wait_until",
]
