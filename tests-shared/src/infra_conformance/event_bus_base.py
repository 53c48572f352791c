"""What is checked of event buses, and what all those checks work with."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Protocol

from infra_conformance.event_bus_script import Hall
from infra_conformance.messages import ConformanceMessages
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.clock import Clock
from infra_protocols.errors import DispatchError, HandlerFailure, ValidationError
from infra_protocols.messaging import EventBusProtocol
from infra_result import Err, Ok, Result

BAD_TIMEOUTS = (0, -1, float("nan"), "1", True)
BAD_CONCURRENCIES = (0, -1, 1.5, "2", True)


class MakeBus(Protocol):
    """Makes buses: what `EventBusSuite` checks."""

    def __call__(self, timeout: float | None, concurrency: int, /) -> EventBusProtocol[Any]:
        """Return a new bus; see `EventBusSuite.make_bus`."""
        ...


class EventBusChecks(Suite[MakeBus]):
    """The base of the checks of event buses."""

    supports_timeout: ClassVar[bool] = True
    """Whether a bus can be made that gives each handler so much time; else `make_bus` is given `None`."""
    supports_concurrency: ClassVar[bool] = True
    """Whether a bus can be made that runs several handlers of an event at once; else `make_bus` is given 1."""

    @abstractmethod
    def make_bus(self, timeout: float | None, concurrency: int) -> EventBusProtocol[Any]:
        """
        Return a new bus.

        Args:
            timeout: how many seconds each handler may take, in real or in virtual time; `None`: as many as it takes.
            concurrency: how many handlers of an event may run at once.

        Raises:
            ValidationError: `timeout` is not above 0, or `concurrency` no whole number from 1.
        """

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[MakeBus]:
        """Yield what makes buses."""
        yield self.make_bus

    # -- What the checks are made of.

    def hall(self, trial: Trial[MakeBus], *, timeout: float | None = None, concurrency: int = 1) -> Hall:
        """Make a bus that nobody listens to yet, with a timeout in ticks."""
        seconds = None if timeout is None else timeout * self.tick
        trial.history.note(f"a bus with timeout={seconds}, concurrency={concurrency}")
        return Hall(trial.raw(seconds, concurrency), trial.history)

    def refuses(self, trial: Trial[MakeBus], what: str, timeout: Any, concurrency: Any) -> None:
        """See that there can be no such bus."""
        try:
            trial.raw(timeout, concurrency)
        except ValidationError:
            return
        raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=ValidationError.__name__))


def expect_called(result: Result[int, DispatchError], count: int) -> None:
    """See that `publish` returned how many were called, and no failures."""
    if isinstance(result, Err):
        raise Broken(ConformanceMessages.BUS_FAILED.format(text=result.error)) from result.error
    expect("what publish returns", result, Ok(count))


def expect_failures(result: Result[int, DispatchError], handlers: Sequence[object]) -> tuple[HandlerFailure, ...]:
    """See that `publish` returned the failures of these handlers, in order, and return them."""
    if isinstance(result, Ok):
        raise Broken(ConformanceMessages.BUS_NO_FAILURE.format(value=result.value))
    expect("the class of what publish returns", type(result.error).__name__, DispatchError.__name__)
    failures = result.error.failures
    told = [type(failure).__name__ for failure in failures]
    expect("the failures that it tells of", told, [HandlerFailure.__name__] * len(handlers))
    for number, (failure, handler) in enumerate(zip(failures, handlers, strict=True), 1):
        if failure.handler != handler:
            what = f"the handler of failure {number}"
            raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=handler, got=failure.handler))
    return failures
