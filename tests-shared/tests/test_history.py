"""What a history shows: each call with its ending, who made it, and what happened in between."""

import asyncio
from collections.abc import Callable

import pytest

from infra_conformance.history import MAX_SHOWN, Ending, History, client, recorded


class Shop:
    size = 3

    async def buy(self, *names: str, count: int = 1) -> list[str]:
        return list(names) * count

    async def rob(self) -> None:
        raise PermissionError("not here")

    async def wait(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> bool:
        return True

    def burn(self) -> None:
        raise OSError("fire")


async def test_returned_and_raised() -> None:
    history = History()
    shop = recorded(Shop(), history)
    assert await shop.buy("tea", count=2) == ["tea", "tea"]
    with pytest.raises(PermissionError):
        await shop.rob()
    assert shop.close()
    with pytest.raises(OSError, match="fire"):
        shop.burn()
    assert shop.size == 3
    assert str(history).splitlines() == [
        "  1. buy('tea', count=2) -> ['tea', 'tea']",
        "  2. rob() raised PermissionError: not here",
        "  3. close() -> True",
        "  4. burn() raised OSError: fire",
    ]


async def test_pending_then_cancelled() -> None:
    history = History()
    task = asyncio.create_task(recorded(Shop(), history).wait())
    await asyncio.sleep(0)
    assert str(history) == "  1. wait() has not returned"
    task.cancel()
    await asyncio.wait([task])
    assert str(history) == "  1. wait() was cancelled"
    assert history.calls[0].ending is Ending.CANCELLED
    assert history.calls[0].ended is None


async def test_a_call_starts_when_it_is_awaited() -> None:
    history = History()
    call = recorded(Shop(), history).buy("tea")
    assert history.calls == []
    await call
    assert len(history.calls) == 1


async def test_what_changes_later_is_shown_as_it_was() -> None:
    history = History()
    bought = await recorded(Shop(), history).buy("tea")
    bought.clear()
    assert str(history) == "  1. buy('tea') -> ['tea']"


def begun_by(history: History, who: str) -> Callable[[], None]:
    client.set(who)
    call = history.begin("get", ("k",), {})
    return lambda: history.end(call, Ending.RETURNED, who)


async def test_several_clients_are_shown_with_their_ticks() -> None:
    history = History()

    async def by(who: str) -> None:
        end = begun_by(history, who)
        await asyncio.sleep(0)
        if who != "C":
            end()

    await asyncio.gather(by("A"), by("B"), by("C"))
    history.note("1 s pass")
    history.end(history.begin("close", (), {}), Ending.RETURNED, None)
    assert str(history).splitlines() == [
        "  1. [A 1..4] get('k') -> 'A'",
        "  2. [B 2..5] get('k') -> 'B'",
        "  3. [C 3..] get('k') has not returned",
        "  4. -- 1 s pass --",
        "  5. [- 6..7] close() -> None",
    ]


async def test_calls_of_a_recorded_one_can_be_told_by_its_own_name() -> None:
    history = History()
    client.set("A")
    for by in ("", "B"):
        await recorded(Shop(), history, by).buy("tea")
    assert [call.client for call in history.calls] == ["A", "B"]


def test_a_long_history_shows_its_end() -> None:
    history = History()
    for number in range(1, MAX_SHOWN + 6):
        history.note(f"note {number}")
    lines = str(history).splitlines()
    assert lines[0].strip() == "(5 before)"
    assert lines[1] == "  6. -- note 6 --"
    assert len(lines) == MAX_SHOWN + 1
    assert lines[-1] == f" {MAX_SHOWN + 5}. -- note {MAX_SHOWN + 5} --"


def test_what_came_since_a_mark_is_forgotten() -> None:
    history = History()
    history.note("before")
    mark = history.mark()
    history.begin("get", (), {})
    history.note("after")
    history.forget_since(mark)
    assert history.calls == []
    assert str(history) == "  1. -- before --"
