"""The suite of compressors is proven by what it catches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from infra_conformance import CompressorSuite
from infra_conformance.gallery.compressor import FAULTS
from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.plain_compressor import PlainCompressor
from infra_protocols.clock import Clock


class TestPlainCompressor(CompressorSuite):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PlainCompressor]:
        yield PlainCompressor(clock)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault) -> None:
    assert not fault.missed(TestPlainCompressor)


def test_every_check_has_a_fault_that_trips_it() -> None:
    ids = {check.id for check in CompressorSuite.checks().values()}
    assert ids == {id for fault in FAULTS for id in fault.caught_by}
