"""The event bus: typed events inside of one process."""

import math
from abc import ABCMeta, get_cache_token
from asyncio import CancelledError, current_task
from collections.abc import Awaitable, Callable
from typing import Final

from infra_messaging._members import Member
from infra_messaging._rounds import Plan, Round
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    DispatchError,
    EventBusProtocol,
    EventSubscription,
    ValidationError,
    or_raise,
    require_range,
    require_type,
)
from infra_result import Result

MOST_TYPES: Final = 1024
"""For how many types of events a bus keeps in mind who gets them; beyond that it begins anew, and lets go of them."""


class EventBus[TEvent](EventBusProtocol[TEvent]):
    """
    Hands events to those who asked for their type, as `EventBusProtocol` has it.

    An event is an `event_type` if its class is a subclass of that: by inheritance, by `ABC.register`, or, for a
    `runtime_checkable` protocol without data members, by its methods. What stands in brackets is not known at run
    time, so a `Box[int]` cannot be subscribed to: `Box` can, and so can a `class IntBox(Box[int])`.

    Handlers run in the task of whoever publishes, one after the other, as if they were awaited there: one that
    swallows its cancellation swallows it for that task too. With a `concurrency` of more than 1 each of several runs
    in a task of its own. Either way all have ended when `publish` returns, or raises.

    A handler may publish: `publish` returns to it when that event has gone round, and the one that it was called with
    goes on after that. So a circle of events is an endless recursion: it ends in a `RecursionError`, as one of the
    failures, or with a `concurrency` of more than 1 when memory does.

    What a handler raises is a failure, unless it is no `Exception`, as `KeyboardInterrupt` is: that passes, and the
    others are not called any more.

    A bus belongs to no event loop, and to one thread.

    Args:
        timeout: how many seconds each handler may take; one that takes longer is cancelled, and fails with
            `HandlerTimeoutError`, whatever it does then. A handler that does not await cannot be stopped, and so has
            all the time it takes. `None`: so has any.
        concurrency: how many handlers of an event may run at once; they are begun in order.

    Type parameters:
        TEvent: what all events are.

    Raises:
        ValidationError: `timeout` is not above 0, or `concurrency` no whole number from 1.

    >>> import asyncio
    >>> class Opened: ...
    >>> async def main() -> None:
    ...     bus = EventBus[object]()
    ...     bus.subscribe(object, lambda event: print("something happened"))
    ...     greeting = bus.subscribe(Opened, lambda event: print("hello"))
    ...     print(await bus.publish(Opened()))
    ...     greeting.unsubscribe()
    ...     print(await bus.publish(Opened()))
    >>> asyncio.run(main())
    something happened
    hello
    Ok(2)
    something happened
    Ok(1)
    """

    def __init__(self, *, timeout: float | None = None, concurrency: int = 1) -> None:
        seconds = math.inf if timeout is None else or_raise(require_range(timeout, "timeout", above=0))
        whole = or_raise(require_type(concurrency, "concurrency", int))
        self._timeout = None if seconds == math.inf else seconds
        self._concurrency: int = or_raise(require_range(whole, "concurrency", min=1))
        self._members: dict[Member, None] = {}
        self._plans: dict[type, Plan] = {}
        self._registrations: object = None
        """Changes with every `ABC.register`; None as long as that changes nothing here."""

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
            ValidationError: `event_type` is no class, or a protocol that its subclasses cannot be known by, or
                `handler` cannot be called.
        """
        _require_class(event_type)
        if not callable(handler):
            raise _wrong_kind("handler", "callable", handler)
        member = Member(event_type, handler, self._timeout, self._leave)
        self._members[member] = None
        self._plans.clear()
        if isinstance(event_type, ABCMeta):
            self._registrations = get_cache_token()
        return member

    async def publish(self, event: TEvent) -> Result[int, DispatchError]:
        """
        Hand `event` to all who are subscribed to its type, and return how many were called, when the last has ended.

        Returns an `Err` with:
            DispatchError: some failed; it tells which, and with what.

        Who cancels this cancels the handlers that run; those whose turn has not come are not called.
        """
        if self._registrations is not None and self._registrations != get_cache_token():
            self._registrations = get_cache_token()
            self._plans.clear()
        try:
            plan = self._plans[type(event)]
        except KeyError:
            plan = self._planned(type(event))
        task = current_task()
        assert task is not None
        cancelling = task.cancelling()
        if plan.together:
            spread = Round(plan, task, cancelling)
            await spread.run(event, self._concurrency)
            return spread.result()
        # What each handler adds to the awaiting of it is what a bus costs: it is one attribute, and no condition.
        troubled: Round | None = None
        for member in plan.members:
            try:
                await member.call(event)
            except (Exception, CancelledError) as error:
                troubled = troubled or Round(plan, task, cancelling)
                troubled.note(member, error)
        return plan.ok if troubled is None else troubled.result()

    def _planned(self, kind: type) -> Plan:
        if len(self._plans) >= MOST_TYPES:
            self._plans.clear()
        members = (member for member in self._members if issubclass(kind, member.event_type))
        plan = self._plans[kind] = Plan(members, self._concurrency)
        return plan

    def _leave(self, member: Member) -> None:
        del self._members[member]
        self._plans.clear()


def _require_class(event_type: object) -> None:
    if not isinstance(event_type, type):
        raise _wrong_kind("event_type", "a class", event_type)
    try:
        issubclass(object, event_type)
    except TypeError as error:
        raise _wrong_kind("event_type", "a class that issubclass takes", event_type) from error


def _wrong_kind(field: str, expected: str, value: object) -> ValidationError:
    message = MessagingMessages.VALIDATION_WRONG_KIND.format(field=field, expected=expected)
    return ValidationError(message, field=field, kind=type(value).__name__)
