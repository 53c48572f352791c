import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

type Reports = list[dict[str, Any]]


@pytest.fixture
async def reports() -> AsyncIterator[Reports]:
    """
    What the event loop has to report: exceptions that nobody retrieved, callbacks that raised.

    A test that expects some takes them out of the list.
    """
    loop = asyncio.get_running_loop()
    seen: Reports = []
    loop.set_exception_handler(lambda _, context: seen.append(context))
    yield seen
    gc.collect(1)  # what a test made is young
    assert seen == []
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()


@pytest.fixture(params=["lazy", "eager"])
async def tasks(request: pytest.FixtureRequest) -> str:
    """How the event loop starts its tasks: in the next tick, or at once."""
    if request.param == "eager":
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    return request.param
