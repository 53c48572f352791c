"""
What an engine does for a broker, and no more.

`Broker` (in `_broker`) keeps the promises that are the same everywhere: what a subscription holds, how its handlers are
run, when a message is tried again and when it becomes a dead letter, renewing, draining, requests and replies, the
headers. An engine stores envelopes, hands them out, and forgets them when it is told to.

Every method raises `BrokerUnavailableError` when the server does not answer in time, and `BrokerRefusedError` when it
answers that it will not; an engine connects again by itself, and finds its groups again when it has.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from infra_protocols import DeadLetter, Header, SubscriptionConfig


class Envelope:
    """A message on its way, as an engine has it."""

    __slots__ = ("_headers", "correlation_id", "data", "id", "key", "named", "topic")

    def __init__(
        self, id: str, topic: str, key: str | None, headers: Mapping[str, str], data: bytes, *, named: bool = False
    ) -> None:
        self.id: str = id
        self.topic: str = topic
        self.key: str | None = key
        self.correlation_id: str | None = headers.get(Header.CORRELATION_ID)
        self._headers: Mapping[str, str] | None = headers
        self.data: bytes = data
        self.named: bool = named
        """Whether the caller gave the id, so that the same may come twice."""

    @property
    def headers(self) -> Mapping[str, str]:
        """All of them: those of the caller, and those that the broker adds."""
        return self._headers or {}


class Received:
    """An envelope that was handed out and is not settled; handlers see it as their `Delivery`."""

    __slots__ = ("attempt", "envelope", "group", "token")

    def __init__(self, envelope: Envelope, attempt: int, token: Any) -> None:
        self.envelope = envelope
        self.attempt = attempt
        """Which delivery to the group this is, as the engine counts; the broker counts on when it tries again."""
        self.token = token
        """What the engine knows it by."""
        self.group: str | None = None
        """For handlers; the broker sets it."""

    @property
    def id(self) -> str:
        return self.envelope.id

    @property
    def topic(self) -> str:
        return self.envelope.topic

    @property
    def key(self) -> str | None:
        return self.envelope.key

    @property
    def headers(self) -> Mapping[str, str]:
        return self.envelope.headers


class Feed(Protocol):
    """
    Where one subscription, or one of its partitions, gets its messages from.

    Each method may be cancelled at any `await`. What is lost between the engine and the broker by that is handed out
    again, after the lease at the latest.
    """

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        """Have `drop` called with what was received and is not this member's any more, as soon as that is known."""
        ...

    async def receive(self, most: int) -> Sequence[Received]:
        """
        Wait until there are messages, and return at most `most` of them, oldest first.

        It returns at least one, or after some seconds none. Messages that a dead member has held for longer than the
        lease are among them, also while nothing is published. Of a partition, it hands out messages only while this
        feed has the partition to itself, and first those that were handed out before and not settled.
        """
        ...

    async def settle(self, received: Sequence[Received]) -> None:
        """Forget these for the group."""
        ...

    async def give_back(self, received: Sequence[Received]) -> None:
        """Have these handed out again, to any member, at once; `attempt` of each tells how often it was handled."""
        ...

    async def renew(self, received: Sequence[Received]) -> None:
        """
        Let the lease of these begin anew, and of what was not received yet.

        It is called every third of a lease with all that are held, even if there are none. `attempt` of each tells how
        often its handling was begun.
        """
        ...

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        """Keep the dead letter, then settle the message."""
        ...

    async def close(self) -> None:
        """End: nothing is held any more. Of a subscription that is a group of its own, the group ends too."""
        ...


class Letters(Protocol):
    """The dead letters of an engine, of all groups; `data` of each is the message, `message` is `None`."""

    async def put(self, letter: DeadLetter[bytes], *, is_new: bool) -> bool:
        """
        Keep `letter`: one more, or in the place of the one with its id; `False` if it is there already, or is not.

        Nobody else's change comes between the look and what is written.
        """
        ...

    async def get(self, id: str) -> DeadLetter[bytes] | None:
        """Return the letter with this id."""
        ...

    async def oldest(self, limit: int | None) -> list[DeadLetter[bytes]]:
        """Return the oldest letters, or all."""
        ...

    async def remove(self, id: str) -> bool:
        """Drop the letter, and say whether there was one."""
        ...

    async def replay(self, id: str) -> bool:
        """
        Have the message of a letter handed out to its group as if never before, then drop the letter.

        `False` if there is no such letter, or its group is gone.
        """
        ...


class Engine(Protocol):
    """A kind of server, or none."""

    @property
    def letters(self) -> Letters:
        """Where the dead letters are."""
        ...

    async def open(self) -> None:
        """Connect, and make what has to be there; what fails or is cancelled leaves nothing, and may be tried again."""
        ...

    async def close(self) -> None:
        """End all that runs; all feeds are closed already. A client that was handed in is its owner's to close."""
        ...

    def publish(self, envelope: Envelope) -> Awaitable[None] | None:
        """
        Have the envelope stored for every group whose pattern stands for its topic; it is when this has been awaited.

        It returns `None` if there is nothing to wait for: an engine that has no server spares each message that.

        Raises:
            BacklogFullError: too much waits for a group.
        """
        ...

    async def subscribe(self, pattern: str, group: str | None, config: SubscriptionConfig) -> Sequence[Feed]:
        """
        Make the group if it is not there, and return the feed; with `partitions`, one feed for each.

        Every member of a group asks for all partitions. Each feed waits in `receive` until nobody else has its own, so
        that one member's end hands its partitions to the others.

        Raises:
            ValidationError: the group has other partitions.
        """
        ...

    async def forget(self, pattern: str, group: str) -> None:
        """Drop the group, and all that is kept for it but its dead letters."""
        ...
