"""Waiting that can be cut short."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any


async def pause(seconds: float, until: asyncio.Event) -> None:
    """Wait for so long, or until the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Wait until these have ended, however they did."""
    if tasks:
        await asyncio.wait(tasks)


def limit(task: asyncio.Task[Any], seconds: float, hurry: Callable[[], object]) -> None:
    """Have `task` hurried after so many seconds, if it has not ended by then."""
    timer = asyncio.get_running_loop().call_later(seconds, hurry)
    task.add_done_callback(lambda _: timer.cancel())


async def carried_through[T](task: asyncio.Task[T], hurry: Callable[[], object]) -> T:
    """Wait until `task` has ended, also when cancelled: then it is hurried, and the cancellation passed on later."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
            hurry()
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # asked for here, since nobody else will
        raise cancelled
    return task.result()


def is_being_cancelled() -> bool:
    """Say whether a `CancelledError` of now comes from outside of this task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
