"""The brokers of one example, and the handlers that take their messages, under watch."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from infra_conformance.history import History
from infra_protocols.context import correlation_id
from infra_protocols.messaging import Delivery, MessageBroker, delivery

_MOMENTS: Final = count()


class BrokerOptions(TypedDict, total=False):
    """What a check asks of a broker; what is left out is as the broker has it."""

    max_backlog: int
    close_timeout: float
    source: str


class Brokers[TMessage](ABC):
    """
    Brokers over one engine, each as if in a process of its own: what `BrokerSuite` checks.

    What one example makes nobody else may see: use names of its own at the engine. It is an async context manager,
    which closes the brokers at the end, and then calls `clear`.

    Type parameters:
        TMessage: the messages of the brokers.
    """

    def __init__(self) -> None:
        self._made: list[MessageBroker[TMessage]] = []

    @abstractmethod
    async def make_broker(self, **options: Unpack[BrokerOptions]) -> MessageBroker[TMessage]:
        """Return a new broker that is not open yet, with a connection of its own where there are connections."""

    async def clear(self) -> None:
        """Remove what the example has left at the engine, and close what is not the brokers' own."""
        return

    async def lose(self, broker: MessageBroker[TMessage]) -> None:
        """Have `broker` reach the engine no more, as if its process had been killed; needs `can_lose_member`."""
        raise NotImplementedError

    async def cut(self, broker: MessageBroker[TMessage]) -> None:
        """Break the connections of `broker` to its engine, which takes new ones at once; needs `can_cut`."""
        raise NotImplementedError

    async def publish_raw(self, topic: str, data: bytes) -> None:
        """Publish what is no message of the brokers, as somebody else might; needs `encodes`."""
        raise NotImplementedError

    async def make(self, **options: Unpack[BrokerOptions]) -> MessageBroker[TMessage]:
        """Make a broker that is closed at the end."""
        broker = await self.make_broker(**options)
        self._made.append(broker)
        return broker

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the brokers, and clear away what they left."""
        try:
            for broker in self._made:
                await broker.close(0)
        finally:
            self._made.clear()
            await self.clear()


@dataclass(slots=True, eq=False)
class Seen[TMessage]:
    """
    One call of a handler.

    Type parameters:
        TMessage: the message.
    """

    message: TMessage
    id: str
    topic: str
    key: str | None
    headers: Mapping[str, str]
    group: str | None
    attempt: int
    correlation: str | None
    began: float
    """When it was called, in seconds."""
    ended: float | None = None
    """When it returned, or raised; `None` while it runs."""
    error: BaseException | None = None
    first: int = field(default_factory=lambda: next(_MOMENTS))
    """The moment in which it was called: of two of these in one second the later has the higher number."""
    last: int | None = None
    """The moment in which it ended."""


type Act[TMessage] = Callable[[Seen[TMessage]], Awaitable[TMessage | None]]


class Consumer[TMessage]:
    """
    A handler under watch: it notes each call, and does what it is told.

    Args:
        name: what the history calls it.
        history: where its calls are noted.
        act: what it does; by default it returns at once.

    Type parameters:
        TMessage: the messages that it takes.
    """

    def __init__(self, name: str, history: History, act: Act[TMessage] | None = None) -> None:
        self.name: Final = name
        self.history: Final = history
        self.act = act
        self.seen: list[Seen[TMessage]] = []
        self.handled: list[TMessage] = []
        """The messages with which it has returned."""
        self.strays: int = 0
        """How many calls came without a `delivery`."""
        self.running: int = 0
        self.most: int = 0
        """How many calls ran at once, at most."""

    def __repr__(self) -> str:
        """Return its name."""
        return self.name

    async def __call__(self, message: TMessage, /) -> TMessage | None:
        """Take a message."""
        seen = self._note(message, delivery.get())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            reply = None if self.act is None else await self.act(seen)
            self.handled.append(message)
            return reply
        except BaseException as error:
            seen.error = error
            self.history.note(f"{self.name} fails on {message!r}: {type(error).__name__}")
            raise
        finally:
            self.running -= 1
            seen.ended = asyncio.get_running_loop().time()
            seen.last = next(_MOMENTS)

    def _note(self, message: TMessage, current: Delivery | None) -> Seen[TMessage]:
        now = asyncio.get_running_loop().time()
        if current is None:
            self.strays += 1
            seen = Seen(message, "", "", None, {}, None, 0, correlation_id.get(), now)
        else:
            seen = Seen(
                message,
                current.id,
                current.topic,
                current.key,
                dict(current.headers),
                current.group,
                current.attempt,
                correlation_id.get(),
                now,
            )
        self.history.note(f"{self.name} is given {message!r}, on {seen.topic!r}, try {seen.attempt}")
        self.seen.append(seen)
        return seen

    @property
    def messages(self) -> list[TMessage]:
        """The messages it was given, in order, as often as it was given them."""
        return [seen.message for seen in self.seen]

    def tries(self, message: TMessage) -> list[Seen[TMessage]]:
        """The calls with this message."""
        return [seen for seen in self.seen if seen.message == message]


def failing[TMessage](times: int, error: Callable[[], BaseException] | None = None) -> Act[Any]:
    """Return what raises at the first `times` deliveries of each message."""

    async def act(seen: Seen[Any]) -> None:
        if seen.attempt <= times:
            raise Sorry(f"not at try {seen.attempt}") if error is None else error()

    return act


class Sorry(Exception):
    """What a handler of the suite raises."""
