"""The suite of connection factories is proven by what it catches."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from infra_conformance import ConnectionFactorySuite, Trace
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_factory import MemoryFactory, Session
from infra_conformance.gallery.pool_factory import FAULTS
from infra_protocols.clock import Clock


async def begin(session: Session) -> None:
    session.in_transaction = True


async def is_in_transaction(session: Session) -> bool:
    return session.in_transaction


async def set_role(session: Session) -> None:
    session.settings["role"] = "admin"


async def has_role(session: Session) -> bool:
    return "role" in session.settings


class TestMemoryFactory(ConnectionFactorySuite[Session]):
    engine_error = ConnectionResetError
    can_linger = True
    can_cut = True
    can_refuse = True
    can_count = True

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MemoryFactory]:
        yield MemoryFactory()

    async def echo(self, connection: Session, number: int) -> int:
        return await connection.call(number)

    async def linger(self, connection: Session, number: int) -> int:
        return await connection.call(number, 10 * self.tick)

    async def cut(self, connection: Session) -> None:
        connection.end()

    async def refuse(self, factory: Any) -> None:
        factory.engine.refusing = True

    async def accept(self, factory: Any) -> None:
        factory.engine.refusing = False

    async def count(self, factory: Any) -> int:
        return len(factory.engine.sessions)

    def traces(self) -> Sequence[Trace[Session]]:
        return [Trace("an open transaction", begin, is_in_transaction), Trace("a setting", set_role, has_role)]


class PlainFactory:
    """What a pool can do with: no `is_alive`, no `reset`."""

    def __init__(self) -> None:
        self._factory = MemoryFactory()
        self.engine = self._factory.engine

    async def create(self) -> Session:
        return await self._factory.create()

    async def validate(self, connection: Session) -> bool:
        return not connection.answers and await self._factory.validate(connection)

    async def destroy(self, connection: Session) -> None:
        await self._factory.destroy(connection)


class TestPlainFactory(TestMemoryFactory):
    supports_is_alive = False
    supports_reset = False

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PlainFactory]:  # pyright: ignore[reportIncompatibleMethodOverride]
        yield PlainFactory()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestMemoryFactory)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in ConnectionFactorySuite.checks().values()}
    assert ids == {id for fault in FAULTS for id in fault.caught_by}
