"""The base of the stateful models: random steps against the subject, each compared with a model."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast

import hypothesis.stateful as stateful
from hypothesis import strategies as st

from infra_conformance.host import Host
from infra_conformance.messages import ConformanceMessages
from infra_conformance.trial import Trial

if TYPE_CHECKING:
    from infra_conformance.proof import Proof

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it


def rule[F: Callable[..., None]](**arguments: st.SearchStrategy[Any]) -> Callable[[F], F]:
    """
    Make a method of a `Machine` one of its steps; its arguments are drawn.

    It does what Hypothesis' decorator of that name does, with one difference: all steps occur in every run.
    Hypothesis leaves out some of them in each run, which finds more in large systems. The ports here are small, and
    their faults seldom show without a write, a removal and a look.

    Args:
        arguments: a strategy for each argument of the method.

    Type parameters:
        F: the method.

    >>> class Counting(Machine[list[int]]):
    ...     @rule(number=st.integers())
    ...     def append(self, number: int) -> None:
    ...         self.do(lambda trial: ...)
    """

    def mark(method: F) -> F:
        method.__dict__["conformance_rule"] = arguments
        return method

    return mark


class Machine[S](stateful.RuleBasedStateMachine):
    """
    A state machine that runs its steps, which are its methods with `rule`, on one subject.

    A step calls `self.do` with what it does to the subject, and compares the answer with its model.

    Type parameters:
        S: the subject.
    """

    proof: ClassVar["Proof[Any]"]
    """What runs the machine."""
    suite: ClassVar[Any]
    """The suite it is part of, with the strategies of the implementer."""

    @classmethod
    def over(cls, **fixed: object) -> type[Self]:
        """Return the machine with these class attributes: what is the same in all its runs."""
        return cast("type[Self]", type(cls.__name__, (cls,), fixed))

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self._before = sys.exception()
        self._rules = {
            name: method.conformance_rule
            for name in dir(type(self))
            if hasattr(method := getattr(type(self), name), "conformance_rule")
        }

    @stateful.initialize(watchful=st.booleans())
    def open(self, watchful: bool) -> None:
        """Open the subject; not in `__init__`, after whose failure nothing would be closed."""
        self._watchful = watchful
        self._host: Host[S] = self._open.enter_context(self.suite.open())
        self.trial: Trial[S] = self._host.run(self._begin)
        self.opened()

    def opened(self) -> None:
        """Draw up the model; a machine that has one overrides this."""

    @stateful.rule(data=st.data())
    def take_step(self, data: st.DataObject) -> None:
        """Take one step, whichever."""
        name = data.draw(st.sampled_from(list(self._rules)))
        arguments = {argument: data.draw(strategy) for argument, strategy in self._rules[name].items()}
        getattr(self, name)(**arguments)
        if self._watchful:
            mark = self.trial.history.mark()
            self.glance()
            self.trial.history.forget_since(mark)

    def glance(self) -> None:
        """
        Look whether all is as the model says; a machine that can overrides this.

        It is called after each step, in half of the runs: a fault then shows at once. In the other half nothing is
        looked at but by the steps, since a look may also heal. What is as it should be is not kept in the history.
        """

    def time(self) -> float:
        """Return the time by which the subject goes, in seconds."""
        return self._host.time()

    async def _begin(self, raw: S) -> Trial[S]:
        return self.proof.begin(raw, _draws_by_rule)

    def do[R](self, step: Callable[[Trial[S]], Awaitable[R]]) -> R:
        """
        Run `step` on the subject and return what it returns; `began` and `ended` tell when that was.

        Type parameters:
            R: what the step returns.
        """
        self.began: float = self._host.time()
        try:
            return self._host.run(lambda raw: step(self.trial))
        finally:
            self.ended: float = self._host.time()

    def teardown(self) -> None:
        """Close the subject; what is wrong at the close counts, unless something was wrong before."""
        vars(self).pop("trial", None)  # nobody is to hold the subject when it is looked for what it left
        error = sys.exception()
        if error is None or error is self._before:
            self._open.close()
        else:
            self._open.__exit__(type(error), error, None)


def _draws_by_rule(strategy: st.SearchStrategy[Any], /) -> NoReturn:
    raise AssertionError(ConformanceMessages.NO_DRAWS)
