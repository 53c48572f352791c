"""How a check is carried out: by examples, by a sweep, or against a model; and how a failure is told."""

import random
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, NoReturn, cast

import hypothesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from infra_conformance.history import History
from infra_conformance.loop import SubjectError
from infra_conformance.machine import Machine
from infra_conformance.messages import ConformanceMessages
from infra_conformance.suite import Check, Suite
from infra_conformance.sweep import InterruptError, Interruption, Moment
from infra_conformance.trial import Broken, Draw, Trial

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it

MAX_POINTS: Final = 200
"""A call with more suspension points than this is swept no further."""
MODEL_STEPS: Final = 20
"""How many steps a run against a model has at most."""


class ConformanceFailure(AssertionError):
    """
    A promise is broken.

    The message names the promise and its id, what was wrong, the smallest history that shows it, and how to run it
    again with the same choices.
    """

    def __init__(self, check: Check, proof: "Proof[Any]", error: Exception) -> None:
        self.check = check
        self.history: History = proof.history
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        lines = [
            f"{check.id} is broken: {check.promise}",
            f"  subject: {type(proof.suite).__name__}",
            *([f"  requirements: {', '.join(check.validates)}"] if check.validates else []),
            f"  because: {kind}{error}",
            "  smallest history:",
            *(f"  {line}" for line in (str(proof.history) or f"  {ConformanceMessages.NO_CALLS}").splitlines()),
            f"  again with: --conformance-seed={proof.seed}",
        ]
        super().__init__("\n".join(lines))


ConformanceFailure.__module__ = "infra_conformance"  # as users import it


type Method[S] = Callable[[Any, Trial[S]], Coroutine[Any, Any, None]]
type Test = Callable[[Any], None]


class Proof[S]:
    """
    One run of one check, down to the history of its last example: after a failure, that is the smallest.

    Type parameters:
        S: the subject.
    """

    def __init__(self, suite: Suite[S], name: str) -> None:
        self.suite = suite
        self.settings: hypothesis.settings = _settings(suite)
        self.seed: int = _seed(suite, self.settings)
        self.history: History = History()
        self._name = f"{type(suite).__name__}_{name}".replace("-", "_")

    def begin(self, raw: S, draw: Draw, interruption: Interruption | None = None) -> Trial[S]:
        """Start a new example on `raw`."""
        self.history = History()
        return Trial(raw, self.history, draw, interruption)

    def by_examples(self, method: Method[S]) -> None:
        """Run `method` on what Hypothesis draws for it; once, when it draws nothing."""

        def example(data: st.DataObject) -> None:
            self._once(method, cast("Draw", data.draw))

        example.__name__ = self._name  # under which Hypothesis keeps the examples that failed
        self.settings(hypothesis.seed(self.seed)(given(st.data())(example)))()

    def by_sweep(self, method: Method[S]) -> None:
        """Run `method` anew for each suspension point of the call that it hands to `trial.interrupt`."""
        fault = self.suite.engine_error or ConnectionResetError
        settle = self.suite.tick if self.suite.real_time else 0.0
        for moment in Moment:
            if moment is Moment.FAULT and self.suite.engine_error is None:
                continue
            for point in count(1):
                interruption = Interruption(point, moment, fault, settle)
                self._once(method, _draws_nothing, interruption)
                if not interruption.used:
                    raise InterruptError(ConformanceMessages.NEVER_INTERRUPTED)
                if not interruption.struck or point == MAX_POINTS:
                    break

    def by_model(self, machine: type[Machine[S]]) -> None:
        """Run random steps of `machine` against the subject."""
        bound = machine.over(proof=self, suite=self.suite)
        bound.__name__ = self._name  # under which Hypothesis keeps the examples that failed
        settings = hypothesis.settings(self.settings, stateful_step_count=MODEL_STEPS)
        run_state_machine_as_test(hypothesis.seed(self.seed)(bound), settings=settings)

    def _once(self, method: Method[S], draw: Draw, interruption: Interruption | None = None) -> None:
        with self.suite.open() as host:
            host.run(lambda raw: method(self.suite, self.begin(raw, draw, interruption)))


def _settings(suite: Suite[Any]) -> hypothesis.settings:
    # No deadlines and no complaints about speed: a slow machine is not a broken subject. No phase that explains: the
    # history does, and tracing slows every call down.
    chosen = suite.settings()
    return hypothesis.settings(
        chosen,
        phases=[phase for phase in chosen.phases if phase is not Phase.explain],
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


def _seed(suite: Suite[Any], settings: hypothesis.settings) -> int:
    if suite.seed is not None:
        return suite.seed
    return 0 if settings.derandomize else random.randrange(2**32)


def _draws_nothing(strategy: st.SearchStrategy[Any], /) -> NoReturn:
    raise InterruptError(ConformanceMessages.NO_DRAWS)


def check(id: str, *, validates: str = "", requires: str | None = None) -> Callable[[Method[Any]], Test]:
    """
    Make a test of an async method that takes a `Trial`; the first line of its docstring is the promise.

    What it draws makes it a property: it is run with many examples, and one that fails is made small.

    Args:
        id: what the check is known by, for good.
        validates: the numbers of the requirements it answers, separated by blanks.
        requires: the capabilities without which it does not apply, separated by blanks.
    """

    def decorate(method: Method[Any]) -> Test:
        return _test(method, id, validates, requires, lambda proof: proof.by_examples(method))

    return decorate


def swept(id: str, *, validates: str = "", requires: str | None = None) -> Callable[[Method[Any]], Test]:
    """
    Make a sweep of an async method that takes a `Trial`, and hands one call to `trial.interrupt`.

    The method is run again and again, each time with the call interrupted at another of its suspension points, until
    the call gets to its end; what the method checks afterwards must hold every time.

    Args:
        id: what the check is known by, for good.
        validates: the numbers of the requirements it answers, separated by blanks.
        requires: the capabilities without which it does not apply, separated by blanks.
    """

    def decorate(method: Method[Any]) -> Test:
        return _test(method, id, validates, requires, lambda proof: proof.by_sweep(method))

    return decorate


def modelled(
    id: str, *, validates: str = "", requires: str | None = None
) -> Callable[[Callable[[Any], type[Machine[Any]]]], Test]:
    """
    Make a stateful test of a method that returns a `Machine`.

    Args:
        id: what the check is known by, for good.
        validates: the numbers of the requirements it answers, separated by blanks.
        requires: the capabilities without which it does not apply, separated by blanks.
    """

    def decorate(method: Callable[[Any], type[Machine[Any]]]) -> Test:
        return _test(method, id, validates, requires, lambda proof: proof.by_model(method(proof.suite)))

    return decorate


def _test(
    method: Callable[..., object],
    id: str,
    validates: str,
    requires: str | None,
    prove: Callable[[Proof[Any]], None],
) -> Test:
    promise, _, _ = (method.__doc__ or "").strip().partition("\n")
    check = Check(id, promise, tuple(validates.split()), requires)

    def test(suite: Suite[Any]) -> None:
        proof = Proof(suite, id)
        try:
            prove(proof)
        except (Broken, InterruptError, SubjectError) as error:
            raise ConformanceFailure(check, proof, error) from None
        except Exception as error:
            raise ConformanceFailure(check, proof, error) from error

    test.__name__ = method.__name__
    test.__qualname__ = method.__qualname__
    test.__module__ = method.__module__
    test.__doc__ = method.__doc__
    test.__dict__["conformance_check"] = check
    return test
