import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from infra_conformance.loop import LoopClock, VirtualLoop

settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("ci")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests that ask for `clock`, be it for a broker of theirs, in virtual time."""
    virtual = "clock" in getattr(item, "fixturenames", ())
    return {"virtual": VirtualLoop} if virtual else {"real": asyncio.new_event_loop}


@pytest.fixture
async def clock() -> LoopClock:
    return LoopClock(asyncio.get_running_loop())
