"""How checks are carried out, and how a failure is told."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar, override

import hypothesis
import pytest
from hypothesis import strategies as st

from infra_conformance import ConformanceFailure, Machine, Suite, Trial, check, expect, modelled, swept
from infra_conformance.examine import examine
from infra_conformance.machine import rule
from infra_protocols.clock import Clock

QUIET = hypothesis.settings(database=None, max_examples=100)


class Bag:
    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def put(self, number: int) -> None:
        self.numbers.append(number)

    async def total(self) -> int:
        return sum(self.numbers)


class SmallBag(Bag):
    """Keeps no more than two numbers, and none above 99."""

    @override
    async def put(self, number: int) -> None:
        if number < 100 and len(self.numbers) < 2:
            await super().put(number)


class BagMachine(Machine[Bag]):
    @override
    def opened(self) -> None:
        self.sum = 0

    @rule(number=st.integers(1, 9))
    def put(self, number: int) -> None:
        self.do(lambda trial: trial.subject.put(number))
        self.sum += number

    @rule()
    def total(self) -> None:
        expect("total", self.do(lambda trial: trial.subject.total()), self.sum)


class BagSuite(Suite[Bag]):
    drawn: ClassVar[list[int]] = []
    supports_magic: ClassVar[bool] = False

    @override
    def settings(self) -> hypothesis.settings:
        return QUIET

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Bag]:
        yield Bag()

    @check("bag-01", validates="1.1 2.3")
    async def test_put(self, trial: Trial[Bag]) -> None:
        """A number that is put counts.

        The rest is for those who read the source.
        """
        number = trial.draw(st.integers(0, 10**6))
        self.drawn.append(number)
        await trial.subject.put(number)
        expect("total after put", await trial.subject.total(), number)

    @modelled("bag-02")
    def test_model(self) -> type[Machine[Bag]]:
        """Any sequence of calls adds up."""
        return BagMachine

    @swept("bag-03")
    async def test_idle_sweep(self, trial: Trial[Bag]) -> None:
        """It forgets to interrupt anything."""

    @swept("bag-04")
    async def test_sweep(self, trial: Trial[Bag]) -> None:
        """A put that ends happened."""
        if (await trial.interrupt(trial.subject.put(1))).finished:
            expect("total", await trial.subject.total(), 1)

    @check("bag-05", requires="supports_magic")
    async def test_magic(self, trial: Trial[Bag]) -> None:
        """It does magic."""
        raise AssertionError


class SmallBagSuite(BagSuite):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[Bag]:
        yield SmallBag()


def failure(suite: type[Suite[Bag]], id: str) -> str:
    found = examine(suite, [id], QUIET)[id]
    assert isinstance(found, ConformanceFailure)
    return str(found)


def test_a_failure_is_told_with_its_smallest_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Suite, "seed", 1815)
    assert failure(SmallBagSuite, "bag-01").splitlines() == [
        "bag-01 is broken: A number that is put counts.",
        "  subject: SmallBagSuite",
        "  requirements: 1.1, 2.3",
        "  because: total after put: expected 100, got 0",
        "  smallest history:",
        "    1. put(100) -> None",
        "    2. total() -> 0",
        "  again with: --conformance-seed=1815",
    ]


def test_a_check_called_as_a_test_raises_its_failure() -> None:
    with pytest.raises(ConformanceFailure, match="bag-01 is broken") as caught:
        SmallBagSuite().test_put()
    assert caught.value.check.id == "bag-01"
    assert [call.name for call in caught.value.history.calls] == ["put", "total"]


def test_what_holds_passes_and_what_is_not_supported_is_not_run() -> None:
    assert examine(BagSuite, ["bag-01", "bag-02", "bag-04", "bag-05"], QUIET) == {
        "bag-01": None,
        "bag-02": None,
        "bag-04": None,
    }


def test_a_model_finds_the_shortest_way() -> None:
    told = failure(SmallBagSuite, "bag-02")
    assert "because: total: expected 3, got 2" in told
    assert [line.split(". ")[1] for line in told.splitlines() if ". " in line and "broken" not in line] == [
        *["put(1) -> None"] * 3,
        "total() -> 2",
    ]


def test_a_sweep_that_interrupts_nothing_is_an_error() -> None:
    told = failure(BagSuite, "bag-03")
    assert "because: the scenario never called trial.interrupt" in told
    assert "(no call was made)" in told


def draws(seed: int | None, derandomize: bool = False) -> list[int]:
    class Drawn(BagSuite):
        def settings(self) -> hypothesis.settings:
            return hypothesis.settings(QUIET, derandomize=derandomize)

    Drawn.seed = seed
    BagSuite.drawn.clear()
    Drawn().test_put()
    return list(BagSuite.drawn)


@pytest.mark.parametrize("derandomize", [False, True])
def test_the_seed_decides_what_is_drawn(derandomize: bool) -> None:
    once = draws(1, derandomize)
    assert len(once) == 100
    assert draws(1, derandomize) == once
    assert draws(2, derandomize) != once


def test_without_a_seed_each_run_draws_something_else_unless_it_is_derandomized() -> None:
    assert draws(None) != draws(None)
    assert draws(None, derandomize=True) == draws(None, derandomize=True) == draws(0)
