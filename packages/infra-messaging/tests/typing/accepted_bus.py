# What pyright strict and mypy strict must both accept. Nothing here is run.

from collections.abc import Awaitable
from typing import Any, assert_type

from infra_messaging import EventBus
from infra_protocols import DispatchError, EventBusProtocol, EventSubscription
from infra_result import Result


class Event: ...


class Opened(Event):
    def __init__(self, door: str) -> None:
        self.door = door


class DoorOpened(Opened): ...


class Closed(Event): ...


class Box[T]:
    def __init__(self, content: T) -> None:
        self.content = content


class IntBox(Box[int]): ...


async def on_opened(event: Opened) -> None: ...


async def on_any(event: object) -> int:
    return 1


def on_either(event: Opened | Closed) -> None: ...


def returns_an_awaitable(event: Opened) -> Awaitable[str]:
    raise NotImplementedError


class Listener:
    async def __call__(self, event: Opened) -> bool:
        return True

    def take(self, event: Event) -> None: ...


async def handlers_of_the_type_or_a_wider_one(bus: EventBus[Event], listener: Listener) -> None:
    assert_type(bus.subscribe(Opened, on_opened), EventSubscription)
    assert_type(bus.subscribe(Opened, on_opened).active, bool)
    bus.subscribe(DoorOpened, on_opened)
    bus.subscribe(Opened, on_any)
    bus.subscribe(Opened, on_either)
    bus.subscribe(Closed, on_either)
    bus.subscribe(Opened, returns_an_awaitable)
    bus.subscribe(Opened, listener)
    bus.subscribe(Event, listener.take)
    bus.subscribe(Opened, print)
    bus.subscribe(Opened, lambda event: event.door.upper())
    bus.subscribe(Opened, lambda event: on_opened(event))
    assert_type(await bus.publish(DoorOpened("front")), Result[int, DispatchError])


def generic(bus: EventBus[object]) -> None:
    def on_box(box: Box[Any]) -> None: ...

    def on_numbers(box: Box[int]) -> None: ...

    bus.subscribe(Box, on_box)
    bus.subscribe(IntBox, on_numbers)


def a_bus_of_more_is_one_of_less(bus: EventBus[Event]) -> EventBusProtocol[Opened]:
    return bus
