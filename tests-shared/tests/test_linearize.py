"""Which concurrent histories of a register could have happened one call at a time."""

import random
from collections.abc import Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_conformance.history import Call, Ending
from infra_conformance.linearize import linearize, linearize_by_key


def register(state: int, call: Call) -> tuple[bool, int]:
    if call.name == "set":
        return True, call.args[0]
    return call.ending is not Ending.RETURNED or call.value == state, state


def write(value: int, started: int, ended: int | None) -> Call:
    ending = Ending.CANCELLED if ended is None else Ending.RETURNED
    return Call("W", "set", (value,), {}, started, ending=ending, ended=ended)


def read(value: int, started: int, ended: int | None) -> Call:
    ending = Ending.PENDING if ended is None else Ending.RETURNED
    return Call("R", "get", (), {}, started, ending=ending, value=value, ended=ended)


def explains(order: Sequence[Call], calls: Sequence[Call]) -> bool:
    """Whether `order` has every call that ended, none before one that was over earlier, and every answer right."""
    if any(call.ended is not None and call not in order for call in calls):
        return False
    for index, call in enumerate(order):
        if any(later.ended is not None and later.ended < call.started for later in order[index:]):
            return False
    state = 0
    for call in order:
        fits, state = register(state, call)
        if not fits:
            return False
    return True


def possible(calls: Sequence[Call]) -> bool:
    """What the search must find, by trying each order of each choice of calls."""
    return any(
        explains(order, calls)
        for size in range(len(calls) + 1)
        for chosen in combinations(calls, size)
        for order in permutations(chosen)
    )


@pytest.mark.parametrize(
    ("calls", "fine"),
    [
        ([], True),
        ([write(1, 1, 2), read(1, 3, 4)], True),
        ([write(1, 1, 2), read(0, 3, 4)], False),  # a stale read
        ([write(1, 1, 6), read(0, 2, 3), read(1, 4, 5)], True),
        ([write(1, 1, 6), read(1, 2, 3), read(0, 4, 5)], False),  # a write that is taken back
        ([write(1, 1, 5), write(2, 2, 6), read(1, 3, 8)], True),
        ([write(1, 1, 3), write(2, 2, 4), read(1, 5, 7), read(2, 8, 9)], False),  # two orders of two writes
        ([read(1, 1, 2), write(1, 3, 4)], False),  # a read of what is yet to come
        ([write(1, 1, None), read(0, 2, 3)], True),  # never happened
        ([write(1, 1, None), read(1, 2, 3)], True),  # happened
        ([write(1, 1, None), read(0, 2, 3), read(1, 4, 5)], True),  # happened late
        ([write(1, 1, None), read(1, 2, 3), read(0, 4, 5)], False),  # happened and was taken back
        ([read(0, 1, 2), read(1, 3, 4), write(1, 5, None)], False),  # not before it started
        ([read(9, 1, None), write(1, 2, 3)], True),
    ],
)
def test_known_histories(calls: list[Call], fine: bool) -> None:
    assert possible(calls) is fine
    assert (linearize(calls, 0, register) is not None) is fine


@st.composite
def histories(draw: st.DrawFn) -> list[Call]:
    count = draw(st.integers(1, 5))
    ticks = draw(st.permutations(range(2 * count)))
    calls: list[Call] = []
    for first, second in zip(ticks[::2], ticks[1::2], strict=True):
        make = draw(st.sampled_from([write, read]))
        ended = draw(st.sampled_from([max(first, second)] * 3 + [None]))
        calls.append(make(draw(st.integers(0, 2)), min(first, second), ended))
    return calls


@given(histories())
def test_it_agrees_with_trying_every_order(calls: list[Call]) -> None:
    order = linearize(calls, 0, register)
    assert (order is not None) is possible(calls)
    assert order is None or explains(order, calls)


def busy(clients: int, count: int) -> list[Call]:
    """Return a history of a true register whose clients overlap as chance has it."""
    choice, state, tick = random.Random(5), 0, 0
    calls: list[Call] = []
    running: dict[int, tuple[Call, bool]] = {}
    while len(calls) < count or running:
        tick += 1
        who = choice.randrange(clients)
        if who not in running:
            if len(calls) < count:
                make = choice.choice([write, read])
                calls.append(make(choice.randrange(5), tick, None))
                running[who] = calls[-1], False
            continue
        call, happened = running.pop(who)
        if happened:
            call.end(Ending.RETURNED, call.value, tick)
        else:
            call.value = state
            state = call.args[0] if call.name == "set" else state
            running[who] = call, True
    return calls


def test_a_hundred_calls_of_five_clients() -> None:
    calls = busy(5, 100)
    order = linearize(calls, 0, register)
    assert order is not None
    assert explains(order, calls)
    wrong = next(call for call in reversed(calls) if call.name == "get")
    wrong.value = 99
    assert linearize(calls, 0, register) is None


def test_each_key_is_searched_alone() -> None:
    def of(key: str, name: str, value: int, started: int) -> Call:
        return Call("A", name, (key, value), {}, started, ending=Ending.RETURNED, value=value, ended=started + 1)

    def keyed(state: int, call: Call) -> tuple[bool, int]:
        return (True, call.args[1]) if call.name == "set" else (call.value == state, state)

    good = [of("a", "set", 1, 1), of("b", "set", 2, 3), of("a", "get", 1, 5), of("b", "get", 2, 7)]
    stale = of("b", "get", 0, 9)
    assert linearize_by_key(good, lambda call: call.args[0], 0, keyed) is None
    assert linearize_by_key([*good, stale], lambda call: call.args[0], 0, keyed) == [good[1], good[3], stale]
