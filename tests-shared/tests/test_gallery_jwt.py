"""The suite of providers of tokens is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from hypothesis import strategies as st

from infra_conformance import Forger, JWTProviderSuite
from infra_conformance.gallery import jwt_provider
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_jwt import Login, PlainProvider, forger
from infra_protocols.clock import Clock


class TestPlainProvider(JWTProviderSuite[Login]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PlainProvider]:
        yield PlainProvider(clock)

    def payloads(self) -> st.SearchStrategy[Login]:
        return st.builds(Login, st.text(st.characters(codec="utf-8"), max_size=8))

    def forger(self, now: float) -> Forger:
        return forger(now)


@pytest.mark.parametrize("fault", jwt_provider.FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestPlainProvider)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in JWTProviderSuite.checks().values()}
    assert ids == {id for fault in jwt_provider.FAULTS for id in fault.caught_by}
