"""The pool keeps the promises of its port."""

from infra_conformance import Connection, ConnectionPoolSuite
from infra_pool import ConnectionPool
from infra_protocols import Clock, ConnectionFactory, PoolConfig, PoolMeter


class TestConnectionPool(ConnectionPoolSuite[Connection]):
    def make_pool(
        self, factory: ConnectionFactory[Connection], config: PoolConfig, clock: Clock, meter: PoolMeter | None
    ) -> ConnectionPool[Connection]:
        return ConnectionPool(factory, config, clock=clock, meter=meter)
