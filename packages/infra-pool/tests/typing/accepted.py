# What pyright strict and mypy strict must both accept. Nothing here is run.

from dataclasses import dataclass
from typing import assert_type

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra_pool import (
    ConnectionFactory,
    ConnectionInfo,
    ConnectionPool,
    ConnectionPoolContext,
    PoolConfig,
    PoolLease,
    PoolMetric,
    PoolStats,
)
from infra_pool.postgres import PsycopgFactory
from infra_pool.sqlite import SqliteConnection, SqliteFactory
from infra_protocols import Clock, ConnectionPoolProtocol, PoolError, PoolLeaseError, ValidationError
from infra_result import Result


@dataclass
class Session:
    user: str


class Sessions:
    async def create(self) -> Session:
        return Session("ada")

    async def destroy(self, connection: Session) -> None: ...

    async def validate(self, connection: Session) -> bool:
        return True


def any_pool_will_do(pool: ConnectionPoolProtocol[Session]) -> ConnectionPoolProtocol[Session]:
    return pool


def meter(metric: PoolMetric, value: float) -> None: ...


def the_pool_is_one(clock: Clock) -> ConnectionPoolProtocol[Session]:
    return any_pool_will_do(
        ConnectionPool(Sessions(), PoolConfig(max_size=3), clock=clock, meter=meter, name="sessions")
    )


def a_factory_says_what_is_pooled(factory: ConnectionFactory[Session]) -> None:
    assert_type(ConnectionPool(factory), ConnectionPool[Session])
    assert_type(ConnectionPool(Sessions()), ConnectionPool[Session])


async def the_type_is_kept_from_the_factory_to_the_block(pool: ConnectionPool[Session]) -> None:
    assert_type(pool.connection(timeout=1), ConnectionPoolContext[Session])
    async with pool.connection() as session:
        assert_type(session, Session)
    async with pool as same:
        assert_type(same, ConnectionPool[Session])


async def a_lease_has_it_too(pool: ConnectionPool[Session]) -> None:
    acquired = await pool.acquire(1)
    assert_type(acquired, Result[PoolLease[Session], PoolError | ValidationError])
    lease = acquired.unwrap()
    assert_type(lease.connection, Session)
    assert_type(lease.info, ConnectionInfo[Session])
    assert_type(lease.release(), Result[None, PoolLeaseError])
    assert_type(pool.release(lease), Result[None, PoolLeaseError])
    assert_type(pool.stats(), PoolStats)


async def engines() -> None:
    async with ConnectionPool(PsycopgFactory()) as tuples, tuples.connection() as connection:
        assert_type(connection, AsyncConnection[TupleRow])
    async with ConnectionPool(SqliteFactory("app.db")) as files, files.connection() as file:
        assert_type(file, SqliteConnection)
