"""Virtual time: it passes without waiting, and what can never happen is told."""

import asyncio
import time
from datetime import timedelta

import pytest

from infra_conformance import loop as loop_module
from infra_conformance.loop import EPOCH, Deadlock, LoopClock, SubjectError, VirtualLoop


def virtual() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=VirtualLoop)


def test_a_month_passes_without_waiting() -> None:
    month = 30 * 86400.0
    before = time.monotonic()
    with virtual() as runner:
        start = runner.get_loop().time()
        runner.run(asyncio.sleep(month))
        assert runner.get_loop().time() - start == month
    assert time.monotonic() - before < 60


def test_timers_run_in_the_order_of_their_times() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        woken.append((name, asyncio.get_running_loop().time() - start))

    async def main() -> None:
        await asyncio.gather(sleeper("late", 20), sleeper("early", 5), sleeper("middle", 10))

    with virtual() as runner:
        runner.run(main())
    assert woken == [("early", 5.0), ("middle", 10.0), ("late", 20.0)]


def test_a_timeout_is_virtual_too() -> None:
    async def main() -> None:
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()

    with virtual() as runner, pytest.raises(TimeoutError):
        runner.run(main())


def test_nothing_to_wait_for_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with virtual() as runner, pytest.raises(Deadlock, match="something that can never happen"):
        runner.run(main())


def test_more_time_than_allowed_is_told() -> None:
    loop = VirtualLoop()
    try:
        loop.allow(10)
        loop.run_until_complete(asyncio.sleep(10))
        loop.allow(10)
        task = loop.create_task(asyncio.sleep(11))
        with pytest.raises(SubjectError, match="did not finish within 10 s"):
            loop.run_until_complete(task)
        loop.allow(10)
        loop.run_until_complete(task)
    finally:
        loop.close()


def test_a_busy_wait_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "MAX_TURNS", 100)

    turns: list[int] = []

    async def main() -> None:
        for turn in range(1000):
            turns.append(turn)
            await asyncio.sleep(0)

    loop = VirtualLoop()
    task = loop.create_task(main())
    with pytest.raises(SubjectError, match="turned 100 times"):
        loop.run_until_complete(task)
    assert 90 < len(turns) < 110
    monkeypatch.undo()
    loop.run_until_complete(task)
    loop.close()


def test_pending_timers_are_those_neither_due_nor_cancelled() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert loop.pending_timers() == []
        due = loop.call_later(1, lambda: None)
        cancelled = loop.call_later(5, lambda: None)
        pending = loop.call_later(9, lambda: None)
        assert set(loop.pending_timers()) == {due, cancelled, pending}
        cancelled.cancel()
        await asyncio.sleep(2)
        assert loop.pending_timers() == [pending]
        pending.cancel()

    with virtual() as runner:
        runner.run(main())


def test_both_faces_of_the_clock_go_together() -> None:
    with virtual() as runner:
        clock = LoopClock(runner.get_loop())
        assert clock.now() == EPOCH
        for seconds in (0.25, 60, 86400):
            now, monotonic = clock.now(), clock.monotonic()
            runner.run(asyncio.sleep(seconds))
            assert clock.now() - now == timedelta(seconds=seconds)
            assert clock.monotonic() - monotonic == seconds
