"""One run of one check: a fresh subject, what is drawn for it, and the record of what happened."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from infra_conformance.equality import ByEquality
from infra_conformance.history import History, client, recorded
from infra_conformance.loop import EPOCH, START, VirtualLoop
from infra_conformance.messages import ConformanceMessages
from infra_conformance.sweep import InterruptError, Interruption, Outcome

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it


class Draw(Protocol):
    """Draws a value from a strategy, as `st.data()` does."""

    def __call__[T](self, strategy: SearchStrategy[T], /) -> T:
        """Return a value; Hypothesis chooses, remembers and shrinks it."""
        ...


class Broken(AssertionError):
    """What a subject did is not what was promised."""


def expect(what: str, got: object, want: object) -> None:
    """
    See that `got` equals `want` and is of the same type.

    Raises:
        Broken: it is not.

    >>> expect("get after set", 1, 1)
    >>> expect("get after set", True, 1)
    Traceback (most recent call last):
    infra_conformance.trial.Broken: get after set: expected 1, got True
    """
    if type(got) is not type(want) or got != want:
        raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=repr(want), got=repr(got)))


def expect_one_of(what: str, got: object, wanted: Sequence[object]) -> None:
    """
    See that `got` equals one of `wanted` and is of the same type.

    Raises:
        Broken: it equals none.

    >>> expect_one_of("get after a set that was cancelled", 1, [0, 1])
    """
    if not any(type(got) is type(want) and got == want for want in wanted):
        want = " or ".join(map(repr, wanted))
        raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=want, got=repr(got)))


def expect_same_members(what: str, got: Sequence[object], wanted: Sequence[object]) -> None:
    """
    See that `got` has the members of `wanted`, each as often, in whatever order.

    Raises:
        Broken: it has not.

    >>> expect_same_members("get_all", [2, 1], [1, 2])
    """
    missing, extra = list(wanted), list[object]()
    for member in got:
        if member in missing:
            missing.remove(member)
        else:
            extra.append(member)
    if missing or extra or type(got) is not type(wanted):
        message = ConformanceMessages.EXPECTED_MEMBERS.format(what=what, want=repr(wanted), got=repr(got))
        raise Broken(message)


def different[T](strategy: SearchStrategy[T], count: int) -> SearchStrategy[list[T]]:
    """
    Return a strategy of lists of `count` values that all differ; they need not be hashable.

    Type parameters:
        T: the kind of value.

    >>> from hypothesis import strategies as st
    >>> simplest(different(st.lists(st.booleans(), max_size=1), 3))
    [[], [False], [True]]
    """
    return st.lists(strategy, min_size=count, max_size=count, unique_by=ByEquality)


def simplest[T](strategy: SearchStrategy[T]) -> T:
    """
    Return the simplest value of `strategy`, the same every time.

    Type parameters:
        T: the kind of value.

    >>> from hypothesis import strategies as st
    >>> simplest(st.integers(min_value=7))
    7
    """
    return find(strategy, lambda _: True, settings=_FIRST)


_FIRST: Final = settings(database=None, derandomize=True, phases=[Phase.generate, Phase.shrink], max_examples=50)


async def refused[E: Exception](what: str, call: Awaitable[object], error: type[E]) -> E:
    """
    See that `call` raises `error`, and return what it raised.

    Type parameters:
        E: the error that must be raised.

    Raises:
        Broken: it raised something else, or nothing.

    >>> async def short() -> None:
    ...     raise KeyError("k")
    >>> asyncio.run(refused("short", short(), LookupError))
    KeyError('k')
    """
    try:
        await call
    except error as refusal:
        return refusal
    except Exception as other:
        message = ConformanceMessages.WRONG_REFUSAL.format(
            what=what, expected=error.__name__, kind=type(other).__name__, text=other
        )
        raise Broken(message) from other
    raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=error.__name__))


class Trial[S]:
    """
    What a check works with.

    Type parameters:
        S: the subject.

    Attributes:
        subject: the subject, with every call of it recorded.
        raw: the subject itself.
        draw: draws from a Hypothesis strategy.
        history: what was called so far.
    """

    def __init__(self, raw: S, history: History, draw: Draw, interruption: Interruption | None = None) -> None:
        self.raw: Any = raw
        self.history = history
        self.draw = draw
        self.subject: S = recorded(raw, history)
        self._interruption = interruption

    async def elapse(self, seconds: float) -> None:
        """Let `seconds` pass; in virtual time this takes none."""
        self.history.note(f"{seconds:g} s pass")
        await asyncio.sleep(seconds)

    def time(self) -> float:
        """Return the time of the event loop, in seconds."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """Return the time of day by the clock that the subject was given."""
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            return EPOCH + timedelta(seconds=self.time() - START)
        return datetime.now(UTC)

    async def together(self, **clients: Coroutine[Any, Any, object]) -> list[Any]:
        """Run each client's part concurrently, its calls recorded under its name, and return what they return."""

        async def named(name: str, part: Coroutine[Any, Any, object]) -> object:
            client.set(name)
            return await part

        return await asyncio.gather(*(named(name, part) for name, part in clients.items()))

    async def interrupt(self, call: Coroutine[Any, Any, object]) -> Outcome:
        """
        Run `call` and, in a sweep, interrupt it where this run of the sweep says.

        Raises:
            InterruptError: it did not take the interruption as it must.
        """
        if self._interruption is None:
            raise InterruptError(ConformanceMessages.NO_SWEEP)
        outcome = await self._interruption.of(call)
        self.history.note(
            ConformanceMessages.PASSED_THROUGH.format(ending=outcome.ending.value, where=self._interruption)
        )
        return outcome


type Scenario[S] = Callable[[Trial[S]], Awaitable[None]]
