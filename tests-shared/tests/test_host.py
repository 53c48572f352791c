"""A host keeps its subject in one task, and tells what the subject leaves behind."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from infra_conformance.host import Host
from infra_conformance.loop import Deadlock, SubjectError
from infra_protocols.clock import Clock

kept: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def plain(clock: Clock) -> AsyncGenerator[list[int]]:
    yield []


async def forever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise LookupError("nobody asked")


async def leaks_task(_: list[int]) -> None:
    kept.add(asyncio.create_task(forever()))


async def leaks_timer(_: list[int]) -> None:
    asyncio.get_running_loop().call_later(7, kept.clear)


async def leaks_exception(_: list[int]) -> None:
    task = asyncio.create_task(fails())
    await asyncio.wait([task])


async def forgets_coroutine(_: list[int]) -> None:
    forever()  # pyright: ignore[reportUnusedCoroutine]  # that it is not awaited is the point


async def hangs(_: list[int]) -> None:
    await forever()


async def naps_for_days(_: list[int]) -> None:
    for _hour in range(48):
        await asyncio.sleep(3600)


async def lets_cancellation_out(_: list[int]) -> None:
    raise asyncio.CancelledError


async def breaks(_: list[int]) -> None:
    raise LookupError("the failure")


def test_a_subject_has_one_task_for_its_whole_life() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[None]:
        tasks.append(asyncio.current_task())
        yield
        tasks.append(asyncio.current_task())

    async def look(_: None) -> None:
        tasks.append(asyncio.current_task())

    with Host(make) as host:
        host.run(look)
        host.run(look)
    assert len(tasks) == 4
    assert tasks[0] is not None
    assert len(set(tasks)) == 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (leaks_task, "after close, tasks are left: forever"),
        (leaks_timer, "after close, timers are left: .*TimerHandle"),
        (leaks_exception, r"the event loop reported: .*LookupError\('nobody asked'\)"),
        (forgets_coroutine, "coroutine 'forever' was never awaited"),
    ],
)
def test_what_is_left_is_told(call: Callable[[list[int]], Awaitable[None]], told: str) -> None:
    with pytest.raises(SubjectError, match=told), Host(plain) as host:
        host.run(call)
    kept.clear()


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (hangs, Deadlock, "can never happen"),
        (naps_for_days, SubjectError, "did not finish within 100000 s"),
        (lets_cancellation_out, SubjectError, "nobody cancelled ended in CancelledError"),
        (breaks, LookupError, "the failure"),
    ],
)
def test_a_call_that_does_not_end_well_is_told(
    call: Callable[[list[int]], Awaitable[None]], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told), Host(plain) as host:
        host.run(call)


def test_a_call_that_hangs_in_real_time_is_told() -> None:
    with pytest.raises(SubjectError, match=r"within 0\.01 s"), Host(plain, real_time=True, budget=0.01) as host:
        host.run(hangs)


@pytest.mark.parametrize("opening", [True, False])
def test_an_error_of_make_reaches_the_caller(opening: bool) -> None:
    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[None]:
        if opening:
            raise LookupError("in enter")
        yield
        raise LookupError("in exit")

    opened = False
    with pytest.raises(LookupError, match="in enter" if opening else "in exit"), Host(make):
        opened = True
    assert opened is not opening


def test_closing_does_not_mask_a_failure() -> None:
    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[list[int]]:
        yield []
        await forever()

    async def leaks_and_breaks(subject: list[int]) -> None:
        await leaks_timer(subject)
        await leaks_task(subject)
        await breaks(subject)

    with pytest.raises(LookupError, match="the failure"), Host(make) as host:
        host.run(leaks_and_breaks)
    kept.clear()


def test_an_error_of_closing_does_not_mask_a_failure() -> None:
    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[list[int]]:
        try:
            yield []
        finally:
            raise OSError("the aftermath")

    with pytest.raises(LookupError, match="the failure"), Host(make) as host:
        host.run(breaks)
