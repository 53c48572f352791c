"""What is done with a message that a subscription has received."""

from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Protocol

from infra_messaging._codecs import Encoding
from infra_messaging._engine import Envelope, Received
from infra_protocols import Clock, SubscriptionConfig, correlation_id, delivery, topic_matches

# Replies are for those who wait for them, and not for who listens to everything.
REPLIES = "_reply."


def is_for(pattern: str, topic: str) -> bool:
    """Say whether what is published on `topic` goes to a group with this pattern."""
    return pattern == topic if topic.startswith(REPLIES) else topic_matches(pattern, topic)


class UndecodableError(Exception):
    """The message cannot be decoded, now or ever; its cause says why."""


class Handling(Protocol):
    """What a subscription does with each message: `Handler`, or, for replies, `Requests`."""

    @property
    def call(self) -> Callable[[Any], Awaitable[Any]]:
        """What is called with what `read` returns; the message is to be settled if it returns."""
        ...

    def read(self, received: Received) -> Any:
        """
        Make the message that is delivered now the current one, and decode it.

        Raises:
            UndecodableError: that cannot be done.
        """
        ...

    async def answer(self, received: Received, result: Any) -> None:
        """Do something with a result of `call` that is not `None`."""
        ...

    async def buried(self, received: Received, error: Exception) -> None:
        """Hear that it has become a dead letter."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """What a subscription was made with."""

    pattern: str
    group: str | None
    config: SubscriptionConfig
    handling: Handling
    clock: Clock
    context: Context
    """What its handlers run in copies of."""


class Handler:
    """Decodes messages for the user's handler, and sends what it returns to those who have asked for it."""

    __slots__ = ("_as_it_is", "_call", "_decode", "_group", "_reply")

    def __init__(
        self, call: Callable[[Any], Awaitable[Any]], encoding: Encoding, group: str | None, reply: "Reply"
    ) -> None:
        self._call = call
        self._decode = encoding.decode
        self._as_it_is = not encoding.makes_bytes
        self._group = group
        self._reply = reply

    @property
    def call(self) -> Callable[[Any], Awaitable[Any]]:
        return self._call

    def read(self, received: Received) -> Any:
        received.group = self._group
        _set_delivery(received)
        envelope = received.envelope
        if (wanted := envelope.correlation_id) is not _correlation():
            correlation_id.set(wanted)
        if self._as_it_is:
            return envelope.data
        try:
            return self._decode(envelope.topic, envelope.data)
        except Exception as error:
            raise UndecodableError from error

    async def answer(self, received: Received, result: Any) -> None:
        await self._reply(received.envelope, result, None)

    async def buried(self, received: Received, error: Exception) -> None:
        await self._reply(received.envelope, None, error)


class Reply(Protocol):
    """Sends the reply to a request, or that it has failed; if the envelope is none, does nothing."""

    async def __call__(self, request: Envelope, message: Any, error: Exception | None, /) -> None: ...


# Bound once: this is done for each message.
_set_delivery: Final = delivery.set
_correlation: Final = correlation_id.get
