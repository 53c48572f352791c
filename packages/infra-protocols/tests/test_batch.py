"""What a batch gathers, orders, takes back and fails."""

import asyncio
from collections.abc import Sequence

import pytest

from infra_protocols import Batch


class Line:
    """A line that is opened by hand, and notes what it was sent."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def send(self, requests: Sequence[int]) -> list[str | Exception]:
        self.sent.append(list(requests))
        await self.open.wait()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return [ValueError("odd") if request % 2 else str(request) for request in requests]


async def ticks(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_turn_of_the_loop_is_one_batch_and_the_next_waits_for_it() -> None:
    line = Line()
    batch = Batch(line.send)
    first = [batch.ask(0), batch.ask(2)]
    await ticks()
    second = [batch.ask(4), batch.ask(6)]
    await ticks()
    assert line.sent == [[0, 2]]
    line.open.set()
    assert [await each for each in first + second] == ["0", "2", "4", "6"]
    assert line.sent == [[0, 2], [4, 6]]


async def test_a_batch_has_its_bound() -> None:
    line = Line()
    line.open.set()
    batch = Batch(line.send, most=3)
    assert await asyncio.gather(*(batch.ask(2 * number) for number in range(7))) == [str(2 * n) for n in range(7)]
    assert line.sent == [[0, 2, 4], [6, 8, 10], [12]]


async def test_a_reply_may_be_an_error_for_one_alone() -> None:
    line = Line()
    line.open.set()
    batch = Batch(line.send)
    good, bad = batch.ask(2), batch.ask(3)
    assert await good == "2"
    with pytest.raises(ValueError, match="odd"):
        await bad


async def test_a_request_is_taken_back_before_it_is_sent_and_not_afterwards() -> None:
    line = Line()
    batch = Batch(line.send)
    sent, other = batch.ask(2), batch.ask(4)
    await ticks()
    unsent = batch.ask(6)
    sent.cancel()
    unsent.cancel()
    line.open.set()
    assert await other == "4"
    await batch.drain()
    assert line.sent == [[2, 4]]


@pytest.mark.parametrize("fatal", [False, True])
async def test_a_failed_batch_fails_its_callers_and_if_fatal_those_behind_it(fatal: bool) -> None:
    line = Line()
    line.error = ConnectionError("away")
    batch = Batch(line.send, fatal=ConnectionError if fatal else ())
    first = batch.ask(2)
    await ticks()
    behind = batch.ask(4)
    await ticks()
    line.open.set()
    with pytest.raises(ConnectionError):
        await first
    if fatal:
        with pytest.raises(ConnectionError):
            await behind
    else:
        assert await behind == "4"
    assert await batch.ask(6) == "6"


async def test_drain_waits_for_what_nobody_awaits() -> None:
    line = Line()
    batch = Batch(line.send)
    await batch.drain()
    batch.ask(2)
    draining = asyncio.create_task(batch.drain())
    await ticks()
    assert not draining.done()
    line.open.set()
    await draining
    assert line.sent == [[2]]


def test_it_serves_one_loop_after_another() -> None:
    line = Line()
    batch = Batch(line.send)

    async def leave_behind() -> None:
        batch.ask(2)
        await ticks()

    async def use() -> str:
        line.open.set()
        return await batch.ask(4)

    asyncio.run(leave_behind())
    assert asyncio.run(use()) == "4"
    assert line.sent == [[2], [4]]


async def test_who_waits_is_cancelled_when_the_loop_is_shut_down() -> None:
    line = Line()
    batch = Batch(line.send)
    first = batch.ask(2)
    await ticks()
    behind = batch.ask(4)
    (driver,) = (task for task in asyncio.all_tasks() if task.get_name() == "infra_protocols.batch")
    driver.cancel()
    await asyncio.wait((driver,))
    assert first.cancelled()
    assert behind.cancelled()
