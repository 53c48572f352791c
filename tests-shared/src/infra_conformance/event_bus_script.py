"""What the suite of buses publishes, and handlers that do as they are told and write down what they get."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from enum import Enum
from typing import Any, Final

from infra_conformance.history import History, recorded
from infra_protocols.errors import DispatchError
from infra_protocols.messaging import EventBusProtocol, EventSubscription
from infra_result import Result


class Event:
    """
    The base of what is published.

    >>> DoorOpened()
    DoorOpened()
    """

    def __repr__(self) -> str:
        """Show its class."""
        return f"{type(self).__name__}()"


class Opened(Event):
    """Something opened."""


class DoorOpened(Opened):
    """A door did."""


class WindowOpened(Opened):
    """A window did."""


class FrontDoorOpened(DoorOpened):
    """The front door did."""


class Closed(Event):
    """Something closed."""


class Slammed(DoorOpened, Closed):
    """A door opened and closed at once."""


TYPES: Final[tuple[type, ...]] = (Event, Opened, DoorOpened, WindowOpened, FrontDoorOpened, Closed, Slammed, object)


class Kind(Enum):
    """The kinds of handlers that there are."""

    FUNCTION = "an async function"
    METHOD = "an async method"
    PARTIAL = "a partial of an async function"
    OBJECT = "an object whose call is async"
    AWAITABLE = "a function that returns something to await"
    SYNC = "a plain function"


class StopError(BaseException):
    """What is no `Exception`, and so no failure, but passes through."""


class Listener:
    """
    A handler that does as it is told.

    What it is told is in its attributes, each of which may be changed at any time; a plain function heeds no times.
    """

    def __init__(self, hall: "Hall", name: str, kind: Kind) -> None:
        self.name: str = name
        self.kind: Kind = kind
        self.does: Callable[[Any], Awaitable[object] | object] | None = None
        """What it does first, when it has got an event."""
        self.seconds: float = 0.0
        """How long it takes then."""
        self.turns: int = 0
        """How many turns of the event loop it takes then."""
        self.answer: object = None
        """What it returns."""
        self.error: BaseException | None = None
        """What it raises instead."""
        self.when_cancelled: BaseException | bool = False
        """What it does of being cancelled: it passes it, for True swallows it, or raises this instead."""
        self._hall = hall

    def __repr__(self) -> str:
        """Show its name."""
        return self.name

    @property
    def handler(self) -> Callable[[Any], Any]:
        """What to subscribe; asked for again, it is equal to what it was, and only for some kinds the same."""
        match self.kind:
            case Kind.FUNCTION:
                return self._function
            case Kind.METHOD:
                return self._take
            case Kind.PARTIAL:
                return self._partial
            case Kind.OBJECT:
                return _Object(self._take)
            case Kind.AWAITABLE:
                return self._awaitable
            case Kind.SYNC:
                return self._sync

    @functools.cached_property
    def _function(self) -> Callable[[Any], Any]:
        async def take(event: object) -> object:
            return await self._take(event)

        return take

    @functools.cached_property
    def _partial(self) -> Callable[[Any], Any]:
        return functools.partial(self._function)

    async def _take(self, event: object) -> object:
        self._hall.begin(self, event)
        try:
            return await self._act(event)
        except asyncio.CancelledError:
            self._hall.cancel(self)
            for _ in range(3):
                await asyncio.sleep(0)  # cleaning up takes its time too
            if self.when_cancelled is False or self.error is not None:
                raise
            if self.when_cancelled is not True:
                raise self.when_cancelled from None
            return None
        finally:
            self._hall.end(self)

    async def _act(self, event: object) -> object:
        if self.does is not None and isinstance(done := self.does(event), Awaitable):
            await done
        if self.seconds:
            await asyncio.sleep(self.seconds)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.answer

    def _awaitable(self, event: object) -> object:
        return _Awaitable(self._take(event))

    def _sync(self, event: object) -> object:
        self._hall.begin(self, event)
        try:
            if self.does is not None:
                self.does(event)
            if self.error is not None:
                raise self.error
            return self.answer
        finally:
            self._hall.end(self)


class _Object:
    def __init__(self, call: Callable[[Any], Awaitable[object]]) -> None:
        self._call = call

    async def __call__(self, event: object) -> object:
        return await self._call(event)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Object) and self._call == other._call

    def __hash__(self) -> int:
        return hash(self._call)


class _Awaitable:
    def __init__(self, coroutine: Coroutine[Any, Any, object]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, object]:
        return self._coroutine.__await__()


class Hall:
    """
    A bus, and who listens on it: everything that happens is written down.

    Args:
        bus: the bus.
        history: where it is written down.
    """

    def __init__(self, bus: EventBusProtocol[Any], history: History) -> None:
        self.raw: EventBusProtocol[Any] = bus
        self.history: History = history
        self.got: list[tuple[str, object]] = []
        """Who got which event, in the order in which they began."""
        self.ended: list[str] = []
        """Who ended, in that order."""
        self.running: list[str] = []
        """Who runs at this moment."""
        self.most: int = 0
        """How many ran at any one moment."""
        self.cancelled: list[str] = []
        """Who was cancelled."""
        self.called_before: int = 0
        """How many had been called when the first was cancelled."""
        self.ended_before: int = 0
        """How many had ended by then."""

    @property
    def names(self) -> list[str]:
        """Who was called, in the order in which they began."""
        return [name for name, _ in self.got]

    def listener(self, name: str, kind: Kind = Kind.FUNCTION, **told: Any) -> Listener:
        """Make a handler, told what its attributes are to be."""
        listener = Listener(self, name, kind)
        for attribute, value in told.items():
            setattr(listener, attribute, value)
        return listener

    def join(self, event_type: type, listener: Listener) -> EventSubscription:
        """Subscribe a handler."""
        self.history.note(f"{listener} subscribes to {event_type.__name__}: {listener.kind.value}")
        return self.raw.subscribe(event_type, listener.handler)

    def listen(self, name: str, event_type: type = Event, kind: Kind = Kind.FUNCTION, **told: Any) -> EventSubscription:
        """Make a handler and subscribe it."""
        return self.join(event_type, self.listener(name, kind, **told))

    def leave(self, subscription: EventSubscription, name: str) -> None:
        """End the subscription of the handler of that name."""
        self.history.note(f"{name} unsubscribes")
        subscription.unsubscribe()

    async def publish(self, event: object) -> Result[int, DispatchError]:
        """Publish an event."""
        return await recorded(self.raw, self.history).publish(event)

    def forget(self) -> None:
        """Begin to write down anew."""
        self.got, self.ended, self.most, self.cancelled = [], [], 0, []

    def begin(self, listener: Listener, event: object) -> None:
        """Write down that a handler has got an event."""
        self.history.note(f"{listener} gets {event!r}")
        self.got.append((listener.name, event))
        self.running.append(listener.name)
        self.most = max(self.most, len(self.running))

    def cancel(self, listener: Listener) -> None:
        """Write down that a handler was cancelled."""
        if not self.cancelled:
            self.called_before, self.ended_before = len(self.got), len(self.ended)
        self.cancelled.append(listener.name)

    def end(self, listener: Listener) -> None:
        """Write down that it has ended."""
        self.running.remove(listener.name)
        self.ended.append(listener.name)
