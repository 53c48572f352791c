"""What a gallery holds: subjects with one fault each, and the checks that must catch it."""

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import hypothesis

from infra_conformance.examine import QUICK, examine
from infra_conformance.forgotten import OLD, Forgotten
from infra_conformance.suite import Suite
from infra_protocols.clock import Clock

PATIENT: Final = hypothesis.settings(QUICK, max_examples=2000)
"""What is caught sooner or later is caught: the search ends with the first example that fails."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    A faulty subject, and the ids of the checks that must at least fail on it.

    The name of the subject's class says the fault, its docstring how it comes about.
    """

    make: Callable[[Clock], AbstractAsyncContextManager[Any]]
    """Makes the faulty subject, as `Suite.make` does."""
    name: str
    caught_by: frozenset[str]

    @classmethod
    def of(cls, subject: Callable[[Clock], object], *caught_by: str) -> Self:
        """Return the fault of a class of subjects, of which each needs a clock and no closing."""

        @asynccontextmanager
        async def make(clock: Clock) -> AsyncGenerator[object]:
            yield subject(clock)

        return cls(make, getattr(subject, "__name__", repr(subject)), frozenset(caught_by))

    def missed(self, suite: type[Suite[Any]]) -> Collection[str]:
        """Return the ids that should have caught the fault, under `suite`, and did not."""

        def make(_: Suite[Any], clock: Clock) -> AbstractAsyncContextManager[Any]:
            return self.make(clock)

        verdicts = examine(type(self.name, (suite,), {"make": make}), self.caught_by, PATIENT)
        caught = {id for id, failure in verdicts.items() if failure is not None}
        del verdicts  # and with it all that the faulty subjects left behind
        Forgotten.forgive(OLD)
        return self.caught_by - caught
