"""An interruption strikes at each suspension point, in each of its ways, and is not to be swallowed."""

import asyncio

import pytest

from infra_conformance.sweep import InterruptError, Interruption, Moment, Outcome, Pass

STRUCK = {Moment.WAITING: Pass.CANCELLED, Moment.ANSWERED: Pass.CANCELLED, Moment.FAULT: Pass.FAILED}


class EngineLost(Exception):
    pass


async def naps(count: int, done: list[int]) -> int:
    for number in range(count):
        await asyncio.sleep(0)
        done.append(number)
    return count


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("count", [0, 1, 4])
async def test_each_point_is_struck_once(moment: Moment, count: int) -> None:
    for point in range(1, count + 1):
        done: list[int] = []
        interruption = Interruption(point, moment)
        outcome = await interruption.of(naps(count, done))
        assert outcome.ending is STRUCK[moment]
        assert done == list(range(point - 1))
        assert str(interruption) == f"interrupted at suspension point {point}, {moment.value}"
    past = Interruption(count + 1, moment)
    assert await past.of(naps(count, [])) == Outcome(Pass.FINISHED, count)
    assert past.used
    assert not past.struck
    assert str(past) == "not interrupted"


@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.ANSWERED])
async def test_a_swallowed_cancellation_is_told(moment: Moment) -> None:
    async def swallows() -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return "so what"
        return "done"

    with pytest.raises(InterruptError, match=r"point 1, .* swallowed its cancellation and returned 'so what'"):
        await Interruption(1, moment).of(swallows())


@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.ANSWERED])
async def test_a_replaced_cancellation_is_told(moment: Moment) -> None:
    async def replaces() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise LookupError("gone") from None

    with pytest.raises(InterruptError, match="turned its cancellation into LookupError: gone"):
        await Interruption(1, moment).of(replaces())


async def test_a_fault_reaches_the_call() -> None:
    seen: list[Exception] = []

    async def translates() -> None:
        try:
            await asyncio.sleep(0)
        except EngineLost as error:
            seen.append(error)
            raise LookupError("no engine") from error

    outcome = await Interruption(1, Moment.FAULT, EngineLost).of(translates())
    assert [type(error) for error in seen] == [EngineLost]
    assert outcome.ending is Pass.FAILED
    assert isinstance(outcome.value, LookupError)


async def test_a_retry_gets_over_a_fault() -> None:
    async def tries_again() -> str:
        try:
            await asyncio.sleep(0)
        except EngineLost:
            await asyncio.sleep(0)
        return "done"

    assert await Interruption(1, Moment.FAULT, EngineLost).of(tries_again()) == Outcome(Pass.FINISHED, "done")


@pytest.mark.parametrize("moment", Moment)
async def test_what_has_become_of_the_awaited_future(moment: Moment) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    arrived: list[bool] = []

    async def receive() -> str:
        try:
            return await answer
        except (asyncio.CancelledError, EngineLost):
            arrived.append(answer.done() and not answer.cancelled())
            raise

    def send() -> None:
        if not answer.done():
            answer.set_result("the answer")

    task = asyncio.create_task(Interruption(1, moment, EngineLost).of(receive()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if moment is Moment.ANSWERED:
        assert not answer.done()
        assert arrived == []  # it waits for the answer before it strikes
    send()
    outcome = await task
    assert outcome == Outcome(STRUCK[moment], outcome.value)
    assert outcome.value != "the answer"  # the answer came, and was lost with the call
    assert arrived == [moment is Moment.ANSWERED]
    assert answer.cancelled() is (moment is not Moment.ANSWERED)
