"""The port of the event bus: typed events inside of one process."""

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from infra_protocols.errors import DispatchError
from infra_result import Result


class EventSubscription(Protocol):
    """
    A handler's place on a bus.

    >>> def leave(subscription: EventSubscription) -> bool:
    ...     subscription.unsubscribe()
    ...     return subscription.active
    """

    @property
    def active(self) -> bool:
        """Whether the handler is still subscribed."""
        ...

    def unsubscribe(self) -> None:
        """
        Have the handler called no more by this subscription; another of the same handler stays.

        What runs is not stopped. To unsubscribe again does nothing.
        """
        ...


@runtime_checkable
class EventBusProtocol[TEvent](Protocol):
    """
    Hands events to those who asked for their type, inside of one process and one event loop.

    - **By type.** A handler gets the instances of the type it was subscribed to, those of its subclasses included, and
      nothing else.
    - **In order.** Handlers are called in the order in which they were subscribed, whatever type each asked for. Two
      subscriptions of one handler are two calls.
    - **All of them.** A handler that fails stops no other, and each failure is told to who published.
    - **Snapshot.** An event goes to those who are subscribed when it is published. One who subscribes while it is
      handed round does not get it; one who unsubscribes before its turn does not get it any more.

    Type parameters:
        TEvent: what all events are.

    >>> class Opened: ...
    >>> def greet(bus: EventBusProtocol[object]) -> EventSubscription:
    ...     return bus.subscribe(Opened, lambda event: print("hello"))
    """

    def subscribe[E](
        self, event_type: type[E], handler: Callable[[E], Awaitable[object] | object]
    ) -> EventSubscription:
        """
        Have `handler` called with each event that is an `event_type`.

        Args:
            event_type: a class; events of its subclasses count.
            handler: a function, or any callable; what it returns is awaited if it can be, and then thrown away.

        Type parameters:
            E: the events that `handler` takes.

        Raises:
            ValidationError: `event_type` is no class, or `handler` cannot be called.
        """
        ...

    async def publish(self, event: TEvent) -> Result[int, DispatchError]:
        """
        Hand `event` to all who are subscribed to its type, and return how many these were, when the last has ended.

        Returns an `Err` with:
            DispatchError: some failed; it tells which, and with what.

        Who cancels this cancels the handlers that run; those whose turn has not come are not called.
        """
        ...
