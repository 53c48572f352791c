"""
infra-messaging's event bus against a bare loop of awaits, and three libraries in use that hand out events.

Handlers do nothing, so that what is measured is the handing out. blinker's signals know no types of events, and pyee's
emitters go by name: a name, or a signal, for each type is what their users would have.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from blinker import Signal
from bubus import BaseEvent
from bubus import EventBus as BubusBus
from pyee.asyncio import AsyncIOEventEmitter

from infra_messaging import EventBus
from tools.bench.harness import AsyncLoop, Contender, Row, Table, compare

type Handler = Callable[[object], Awaitable[None]]

TURNS = 3_000
"""How often an event is published in a round, to one handler."""


class Opened:
    """An event."""


class DoorOpened(Opened):
    """One of a subclass of what was asked for."""


class Base(ABC):
    """An abstract base of events."""

    @abstractmethod
    def who(self) -> str: ...


class Audited(Base):
    """An event whose base is abstract."""

    def who(self) -> str:
        return "Ada"


class BubusOpened(BaseEvent[None]):
    """The same for bubus, whose events are pydantic models."""


def tables() -> list[Table]:
    """Measure how an event gets to one handler, to ten, and to some of many."""
    logging.getLogger("bubus").setLevel(logging.ERROR)
    return [_to(1, must=1 / 0.30, aim=1 / 0.40), _to(10, must=1 / 0.75, aim=1 / 0.85), _kinds(), _many()]


def _handlers(count: int) -> list[Handler]:
    def another() -> Handler:
        async def handler(event: object) -> None: ...

        return handler

    return [another() for _ in range(count)]


def _bare(handlers: list[Handler]) -> AsyncLoop:
    event = Opened()

    async def loop(n: int) -> None:
        for _ in range(n):
            for handler in handlers:
                await handler(event)

    return loop


def _bus(handlers: list[Handler], event: object, event_type: type, *others: type, **settings: int) -> AsyncLoop:
    bus = EventBus[object](**settings)
    for other in others:
        bus.subscribe(other, handlers[0])
    for handler in handlers:
        bus.subscribe(event_type, handler)

    async def loop(n: int) -> None:
        for _ in range(n):
            await bus.publish(event)

    return loop


def _gathered(handlers: list[Handler]) -> AsyncLoop:
    event = Opened()

    async def loop(n: int) -> None:
        for _ in range(n):
            await asyncio.gather(*(handler(event) for handler in handlers))

    return loop


def _blinker(handlers: list[Handler]) -> AsyncLoop:
    signal, event = Signal(), Opened()
    for handler in handlers:
        signal.connect(handler, weak=False)

    async def loop(n: int) -> None:
        for _ in range(n):
            await signal.send_async(event)

    return loop


def _pyee(handlers: list[Handler]) -> AsyncLoop:
    emitter, event = AsyncIOEventEmitter(), Opened()
    for handler in handlers:
        emitter.add_listener("opened", handler)

    async def loop(n: int) -> None:
        for _ in range(n):
            emitter.emit("opened", event)
            await emitter.wait_for_complete()

    return loop


def _to(count: int, must: float, aim: float) -> Table:
    handlers = _handlers(count)
    table = compare(
        f"An event to {count} handler{'s' if count > 1 else ''}",
        "`await handler(event)` in a loop over the handlers",
        [
            Contender("awaits", _bare(handlers)),
            Contender("EventBus", _bus(handlers, Opened(), Opened), must=must, aim=aim),
            Contender("blinker, send_async", _blinker(handlers)),
            Contender("pyee, AsyncIOEventEmitter", _pyee(handlers)),
            Contender(
                f"all at once: EventBus, concurrency={count}", _bus(handlers, Opened(), Opened, concurrency=count)
            ),
            Contender("all at once: asyncio.gather", _gathered(handlers)),
        ][: None if count > 1 else 4],
        number=TURNS // count,
        rounds=101,
        note=f"Promised is {1 / must:.2f} of its speed, and aimed at {1 / aim:.2f}.",
    )
    floor = table.rows[0].value
    value = asyncio.run(_bubus(handlers))
    table.rows.append(Row("bubus", value, value / floor))
    return table


async def _bubus(handlers: list[Handler]) -> float:
    # It keeps its events, so each few of them have a bus of their own; in real time, since it has tasks and locks.
    clock, took, turns = asyncio.get_running_loop().time, list[float](), 20
    for round in range(7):
        bus = BubusBus(name=f"Bench{len(handlers)}x{round}")
        for number, handler in enumerate(handlers):
            handler.__name__ = f"handler_{number}"
            bus.on(BubusOpened, handler)
        await bus.dispatch(BubusOpened())
        start = clock()
        for _ in range(turns):
            await bus.dispatch(BubusOpened())
        took.append((clock() - start) / turns)
        await bus.stop(clear=True)
    return sorted(took)[len(took) // 2] * 1e9


def _kinds() -> Table:
    handlers = _handlers(1)

    def plain(event: object) -> None: ...

    def sync() -> AsyncLoop:
        bus, event = EventBus[object](), Opened()
        bus.subscribe(Opened, plain)

        async def loop(n: int) -> None:
            for _ in range(n):
                await bus.publish(event)

        return loop

    return compare(
        "An event to one handler, in other ways",
        "`await handler(event)`",
        [
            Contender("awaits", _bare(handlers)),
            Contender("EventBus", _bus(handlers, Opened(), Opened)),
            Contender("of a subclass", _bus(handlers, DoorOpened(), Opened)),
            Contender("of an abstract class", _bus(handlers, Audited(), Base)),
            Contender("to a plain function", sync()),
            Contender("timeout=10", _bus(handlers, Opened(), Opened, timeout=10)),
        ],
        number=TURNS,
    )


def _many() -> Table:
    handlers = _handlers(1)
    types = [type(f"Other{number}", (), {}) for number in range(1_000)]
    return compare(
        "An event to one handler, beside others that it does not concern",
        "a bus with that handler alone",
        [
            Contender("1 handler", _bus(handlers, Opened(), Opened)),
            Contender("100 more of other types", _bus(handlers, Opened(), Opened, *types[:100])),
            Contender("1,000 more of other types", _bus(handlers, Opened(), Opened, *types)),
        ],
        number=TURNS,
    )
