"""Checks made of functions: what they return, and what becomes of those that block."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from infra_conformance import CheckedDependency, HealthCheckSuite
from infra_conformance.servers import wait_until
from infra_health import FunctionCheck, health_check
from infra_protocols import Clock, HealthResult, HealthStatus, ValidationError


class Asked(CheckedDependency[Any]):
    """A function that asks something, and waits for `answers`."""

    answers: Any

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answers.set()
        self.check = FunctionCheck(self.ask, name="asked")

    def ask(self) -> Any:
        raise NotImplementedError

    def answer(self) -> None:
        if self.error is not None:
            raise self.error

    async def break_down(self) -> None:
        self.error = ConnectionError("cannot reach line://ada:s3cret@far")

    async def hang(self) -> None:
        self.answers.clear()

    async def mend(self) -> None:
        self.error = None
        self.answers.set()


class AskedAsync(Asked):
    def __init__(self) -> None:
        self.answers = asyncio.Event()
        super().__init__()

    async def ask(self) -> None:
        await self.answers.wait()
        self.answer()


class AskedBlocking(Asked):
    def __init__(self) -> None:
        self.answers = threading.Event()
        super().__init__()

    def ask(self) -> None:
        self.answers.wait()
        self.answer()


class TestAsync(HealthCheckSuite[Any]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[AskedAsync]:
        yield AskedAsync()


class TestBlocking(HealthCheckSuite[Any]):
    real_time = True
    tick = 0.1

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[AskedBlocking]:
        asked = AskedBlocking()
        yield asked
        asked.answers.set()


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [
        (None, "healthy", None),
        (True, "healthy", None),
        (False, "unhealthy", "HealthAnswerError"),
        (HealthStatus.DEGRADED, "degraded", None),
        (HealthResult(HealthStatus.UNHEALTHY, "OSError"), "unhealthy", "OSError"),
        ("healthy", "unhealthy", "TypeError"),
        (0, "unhealthy", "TypeError"),
        (1, "unhealthy", "TypeError"),
    ],
)
async def test_what_is_returned(answer: Any, status: str, cause: str | None) -> None:
    @health_check
    async def waits() -> Any:
        return answer

    @health_check
    def blocks() -> Any:
        return answer

    for check in (waits, blocks):
        result = await check.check()
        assert (result.status.value, result.cause) == (status, cause)


async def test_names() -> None:
    @health_check(name="db", timeout=1)
    async def database() -> None: ...

    async def disk() -> None: ...

    assert (database.name, health_check(disk).name) == ("db", "disk")
    assert health_check(disk).dependency is disk
    assert health_check(name="p")(partial(disk)).name == "p"
    with pytest.raises(ValidationError) as caught:
        health_check(partial(disk))
    assert caught.value.field == "name"


def test_only_functions_are_decorated() -> None:
    decorate: Any = health_check
    with pytest.raises(ValidationError) as caught:
        decorate(name="a")(3)
    assert caught.value.field == "function"


async def test_what_can_be_called_may_be_async_too() -> None:
    class Asks:
        async def __call__(self) -> None:
            assert threading.current_thread() is threading.main_thread()

    assert (await health_check(name="asks")(Asks()).check()).status is HealthStatus.HEALTHY


async def test_what_blocks_does_so_elsewhere_and_in_the_same_context() -> None:
    seen: list[object] = []
    variable = ContextVar("variable", default="none")
    variable.set("mine")

    @health_check
    def where() -> None:
        seen.extend([threading.current_thread() is threading.main_thread(), variable.get()])

    await where.check()
    assert seen == [False, "mine"]


async def test_what_hangs_is_not_called_again_until_it_has_ended() -> None:
    go, calls = threading.Event(), list[float]()

    @health_check(timeout=0.05)
    def hangs() -> None:
        calls.append(time.monotonic())
        go.wait()

    assert [(await hangs.check()).cause for _ in range(3)] == ["HealthTimeoutError"] * 3
    assert len(calls) == 1
    go.set()
    async with asyncio.timeout(30):
        while (await hangs.check()).status is not HealthStatus.HEALTHY:
            await asyncio.to_thread(time.sleep, 0.001)  # until the one that hung has ended
    assert len(calls) == 2


def test_what_hangs_keeps_no_loop_from_closing() -> None:
    go = threading.Event()

    @health_check(timeout=0.05)
    def hangs() -> None:
        go.wait()

    before = threading.active_count()
    with asyncio.Runner() as runner:
        assert runner.run(hangs.check()).cause == "HealthTimeoutError"
    go.set()
    wait_until(lambda: threading.active_count() == before, "the thread has ended")
