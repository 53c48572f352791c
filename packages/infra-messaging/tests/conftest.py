import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack
from uuid import uuid4

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


@pytest.fixture
def namespace() -> str:
    """What no other test has at the servers."""
    return uuid4().hex


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    """What is entered here is left when the test ends."""
    async with AsyncExitStack() as stack:
        yield stack
