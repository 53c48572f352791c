"""What a suite is: checks with ids, to be run against what an implementer's `make` yields."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import hypothesis

from infra_conformance.host import Host
from infra_protocols.clock import Clock

EXAMPLES: Final = "INFRA_CONFORMANCE_EXAMPLES"
"""The environment variable that says how many examples a check runs with, for a quick look or a long one."""


@dataclass(frozen=True, slots=True)
class Check:
    """
    One promise, and how to refer to it.

    >>> Check("store-01", "A value that was set is what get returns.").id
    'store-01'
    """

    id: str
    promise: str
    validates: tuple[str, ...] = ()
    """The numbers of the requirements it answers."""
    requires: str | None = None
    """The capabilities of the suite, as `supports_tags`, without which it does not apply, separated by blanks."""


class Suite[S](ABC):
    """
    The base of every suite.

    An implementer subclasses a suite under a name that starts with `Test` and says in `make` how a subject is made;
    pytest does the rest. Each example of each check gets a fresh subject, in an event loop of its own whose time is
    virtual: a check that waits an hour takes no time.

    Type parameters:
        S: what is checked.
    """

    real_time: ClassVar[bool] = False
    """Whether the subject uses threads, sockets or an engine: then time is real, and waits are waited for."""
    tick: ClassVar[float] = 1.0
    """The unit of the times that checks give and wait for, in seconds; a subject with real time wants a short one."""
    engine_error: ClassVar[type[Exception] | None] = None
    """What the subject's engine raises when it fails: it is injected at each await of the engine in turn."""
    known_failures: ClassVar[Mapping[str, str]] = {}
    """Ids of checks that are known to fail, each with the reason. One that passes all the same is a failure."""
    seed: ClassVar[int | None] = None
    """
    Where the random choices start from; `--conformance-seed` sets it.

    None: somewhere else each time, or always at 0 under settings that are derandomized, as Hypothesis's are in CI.
    """

    @abstractmethod
    def make(self, clock: Clock) -> AbstractAsyncContextManager[S]:
        """
        Return an async context manager that yields a fresh subject, and closes it.

        The subject takes its time from `clock`.
        """

    def settings(self) -> hypothesis.settings:
        """
        Return the Hypothesis settings to run under.

        By default they are those of the profile that is loaded; where the environment variable
        `INFRA_CONFORMANCE_EXAMPLES` holds a number, with that many examples.
        """
        examples = os.environ.get(EXAMPLES)
        return hypothesis.settings(max_examples=int(examples)) if examples else hypothesis.settings()

    def open(self) -> Host[S]:
        """Return a host that opens a new subject when it is entered."""
        return Host(self.make, real_time=self.real_time)

    @property
    def slack(self) -> float:
        """How far off the subject's time may be, in seconds: next to nothing, unless time is real."""
        return 0.4 * self.tick if self.real_time else 0.001

    @classmethod
    def checks(cls) -> dict[str, Check]:
        """Return the checks of the suite, by the name of their methods."""
        return dict(cls._checks())

    @classmethod
    def lacks(cls, check: Check) -> str | None:
        """Return the first capability that `check` requires and the suite declares not to have."""
        return next((name for name in (check.requires or "").split() if not getattr(cls, name)), None)

    @classmethod
    def _checks(cls) -> Iterator[tuple[str, Check]]:
        for name in dir(cls):
            check = getattr(getattr(cls, name), "conformance_check", None)
            if isinstance(check, Check):
                yield name, check


type AnySuite = Suite[Any]
