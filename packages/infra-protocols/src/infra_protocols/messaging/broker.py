"""The port of message brokers: topics, groups, and what becomes of a message until it is settled."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypedDict, Unpack, runtime_checkable

from infra_protocols.errors import ValidationError
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_range, require_type
from infra_result import Result

if TYPE_CHECKING:
    from infra_protocols.errors import MessagingError
    from infra_protocols.messaging.dead_letters import DeadLetterQueue


SLOTS: Final = 64
"""The most `partitions` that there can be: an engine may sort keys into so many slots, and slots into partitions."""
_WHOLE: Final = {"concurrency": 10_000, "prefetch": 100_000, "max_deliveries": 1_000_000}


@runtime_checkable
class Delivery(Protocol):
    """
    What goes with a message that is being handled; `delivery` holds that of the handler that asks.

    >>> async def count(message: str) -> None:
    ...     current = delivery.get()
    ...     print("try", current.attempt if current else 0)
    """

    @property
    def id(self) -> str:
        """What identifies the message: the same at every delivery, to every group."""
        ...

    @property
    def topic(self) -> str:
        """The topic on which it was published."""
        ...

    @property
    def key(self) -> str | None:
        """What it was published with as `key`."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, those that the broker added included; see `Header`."""
        ...

    @property
    def group(self) -> str | None:
        """The group that it is delivered to; `None` if the subscription is a group of its own."""
        ...

    @property
    def attempt(self) -> int:
        """
        Which delivery to the group this is: 1 is the first.

        Of one that was held by members which have died, an engine may have counted one too many for each of them that
        had not begun it, or not have heard of the last tries.
        """
        ...


delivery: Final[ContextVar[Delivery | None]] = ContextVar("delivery", default=None)
"""The delivery that the handler around is called for; `None` outside of handlers."""


@runtime_checkable
class MessageHandler[TMessage, TResult](Protocol):
    """
    Takes messages, one a call: any async function of one argument is one.

    That it returns settles the message. What it raises has the message delivered again, later, or ends it as a dead
    letter.

    Type parameters:
        TMessage: what it takes.
        TResult: what it returns: the reply, if the message is a request.

    >>> async def greet(name: str) -> str:
    ...     return f"hello {name}"
    >>> handler: MessageHandler[str, str] = greet
    """

    async def __call__(self, message: TMessage, /) -> TResult:
        """Take `message`."""
        ...


class SubscriptionOptions(TypedDict, total=False):
    """
    What may be said of a subscription; what is left out is as `SubscriptionConfig` has it.

    >>> careful: SubscriptionOptions = {"max_deliveries": 20, "retry_delay": 1.0}
    """

    partitions: int | None
    concurrency: int
    prefetch: int
    max_deliveries: int
    lease: float
    retry_delay: float
    retry_delay_max: float


@dataclass(frozen=True, slots=True)
class SubscriptionConfig:
    """
    How a subscription takes its messages.

    All members of a group say the same; where they differ in `partitions`, subscribing is refused.

    Raises:
        ValidationError: a number is out of bounds; or there are `partitions` and `concurrency` both.

    >>> SubscriptionConfig(partitions=8).max_deliveries
    5
    """

    partitions: int | None = None
    """
    Into how many parts the group's messages fall, by their keys, to keep the order of each key; `None`: order is not
    kept once a message is delivered again, or handlers run at once.

    Each part is taken by one member of the group at a time, message by message: one that is to be delivered again holds
    up those behind it, until it is settled.
    """
    concurrency: int = 1
    """How many handlers may run at once in this subscription; with `partitions`, one for each part."""
    prefetch: int = 100
    """
    How many messages this subscription may hold, handled or waiting; what it does not hold the others can have.

    With `partitions`, each of them may hold its share of that, and one at least.
    """
    max_deliveries: int = 5
    """How many times a message is delivered before it becomes a dead letter, as `Delivery.attempt` counts."""
    lease: float = 30.0
    """After how many seconds the messages of a member that has died go to another; one that lives renews in time."""
    retry_delay: float = 0.1
    """The bound, in seconds, of the wait before the second delivery; it doubles each time, with full jitter."""
    retry_delay_max: float = 30.0
    """The bound of any such wait, in seconds."""

    def __post_init__(self) -> None:
        """Refuse what is out of bounds."""
        for field, most in _WHOLE.items():
            or_raise(require_range(or_raise(require_type(getattr(self, field), field, int)), field, min=1, max=most))
        if self.partitions is not None:
            or_raise(
                require_range(
                    or_raise(require_type(self.partitions, "partitions", int)), "partitions", min=1, max=SLOTS
                )
            )
            if self.concurrency != 1:
                message = ErrorMessages.MESSAGING_EITHER.format(one="partitions", other="concurrency")
                raise ValidationError(message, field="concurrency", kind="int")
        or_raise(require_range(self.lease, "lease", min=0.01, max=86_400))
        or_raise(require_range(self.retry_delay, "retry_delay", min=0))
        or_raise(require_range(self.retry_delay_max, "retry_delay_max", min=self.retry_delay))


class Subscription(Protocol):
    """
    A handler's place in a group.

    >>> async def leave(subscription: Subscription) -> bool:
    ...     await subscription.unsubscribe()
    ...     return subscription.active
    """

    @property
    def pattern(self) -> str:
        """The topics whose messages it takes."""
        ...

    @property
    def group(self) -> str | None:
        """The group that it is a member of; `None` if it is a group of its own."""
        ...

    @property
    def active(self) -> bool:
        """Whether it still takes messages."""
        ...

    async def unsubscribe(self, *, forget: bool = False) -> None:
        """
        Take no more messages: what is handled is waited for, as `MessageBroker.close` does, what waits is given back.

        To unsubscribe again does nothing. A subscription that is a group of its own is forgotten in any case.

        Args:
            forget: have the group forgotten as well: what was kept for it goes, and nothing more is kept.

        Raises:
            BrokerUnavailableError: the engine does not answer; the handler is not called any more all the same.
            BrokerClosedError: the broker was closed before, so that the group cannot be forgotten.
        """
        ...


@runtime_checkable
class MessageBroker[TMessage](Protocol):
    """
    Carries messages from those who publish them to those who subscribe to their topics.

    - **Groups.** Each group gets every message on the topics of its pattern that was published after its first member
      subscribed, also while no member is there. Its members share them. A subscription without a group is a group of
      its own, for as long as it lasts. The same name with another pattern is another group.
    - **At least once.** A message is settled when its handler has returned, and not before. If the handler raises, or
      its process dies, it is delivered again; it may come twice, and does not get lost.
    - **In the end.** After `max_deliveries` it becomes a dead letter, written before the message is settled. One that
      cannot be decoded does so at once: with its bytes, and without a handler being called.
    - **Order.** With `partitions`, the messages of one key are handled in the order in which they were published, one
      after the other, also when some are delivered again. Without, a group of one member with `concurrency` 1 begins
      them in that order, but for those that are delivered again.
    - **Bounds.** A member holds at most `prefetch` messages, the rest waits in the engine. A group for which too many
      wait makes `publish` refuse: nothing that was taken is dropped.
    - **Accepted is kept.** When `publish` returns, the engine has the message.
    - **Carried along.** A message goes with `correlation_id`, and one that is published by a handler with the trace of
      the message that is being handled, unless `headers` say otherwise.

    A broker is opened and used in one event loop.

    Type parameters:
        TMessage: the messages; where there are several kinds, a union of them.

    >>> async def greet(broker: MessageBroker[str]) -> str:
    ...     async def handler(name: str) -> None:
    ...         print("hello", name)
    ...     async with broker:
    ...         await broker.subscribe("people.*", handler, group="greeters")
    ...         return await broker.publish("people.new", "Ada")
    """

    async def open(self) -> None:
        """
        Begin; to open an open broker again does nothing.

        Raises:
            BrokerUnavailableError: the engine does not answer.
            BrokerClosedError: the broker was closed, which it stays.
        """
        ...

    async def close(self, timeout: float | None = None) -> None:
        """
        Take no more messages, give back what waits, wait for the handlers that run, and end.

        Handlers that still run when the time is over are cancelled, and their messages given back. Nothing of the
        broker runs afterwards. A close that is cancelled does no less than one whose time is over.

        Args:
            timeout: the seconds to wait for handlers; `None` is what the broker was made with.

        Raises:
            ValidationError: `timeout` is negative.
        """
        ...

    async def __aenter__(self) -> Self:
        """Open the broker."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the broker."""
        ...

    @property
    def dead_letters(self) -> "DeadLetterQueue[TMessage]":
        """The messages that could not be handled."""
        ...

    async def publish(
        self,
        topic: str,
        message: TMessage,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        """
        Have `message` delivered to every group whose pattern stands for `topic`, and return its id.

        Args:
            topic: a topic, without wildcards.
            message: what handlers are given.
            key: what the message is about, where order matters; see `SubscriptionConfig.partitions` and `require_key`.
            headers: more to go with it; see `require_headers`. The broker's are `ce-id`, `ce-time`, `ce-specversion`.
            id: what identifies the message, for who may publish it twice; by default a new one; see
                `require_message_id`. Some engines drop the second of two messages with one id, for a while.

        Raises:
            ValidationError: `topic`, `key`, `headers` or `id` is malformed, or `message` cannot be encoded.
            BacklogFullError: too much waits for one of the groups; that one does not get the message.
            BrokerRefusedError: the engine does not take it, as when the message is too large.
            BrokerUnavailableError: the engine does not answer; whether it has the message is not known.
            BrokerClosedError: the broker is not open.
        """
        ...

    async def subscribe(
        self,
        pattern: str,
        handler: MessageHandler[TMessage, TMessage | None],
        *,
        group: str | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> Subscription:
        """
        Have `handler` called with the messages on the topics that `pattern` stands for.

        When this returns, the group is there: what is published from then on is delivered to it.

        Args:
            pattern: a topic, which may have wildcards; see `infra_protocols.messaging.topics`.
            handler: is awaited with each message; what it returns is the reply, if the message is a request.
            group: the group to be a member of, see `require_group`; `None`: one of its own, which ends with the
                subscription.
            options: see `SubscriptionConfig`.

        Raises:
            ValidationError: `pattern`, `group` or an option is malformed; or the group has other `partitions`.
            BrokerUnavailableError: the engine does not answer.
            BrokerClosedError: the broker is not open.
        """
        ...

    async def request(
        self,
        topic: str,
        message: TMessage,
        *,
        timeout: float,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Result[TMessage, MessagingError]":
        """
        Publish `message` as a request, and return the first reply that comes in time.

        What a handler returns is the reply, unless that is `None`. Where the engine does not take the reply, the
        request is settled all the same: a handler that has returned is not called again for that.

        Args:
            topic: see `publish`.
            message: see `publish`.
            timeout: how many seconds to wait, for all of it.
            key: see `publish`.
            headers: see `publish`.

        Returns an `Err` with:
            RequestTimeoutError: no reply came in time; the request may have been handled.
            RequestFailedError: the request has become a dead letter.

        Raises:
            ValidationError: as `publish`; or `timeout` is not positive.
            BacklogFullError: as `publish`.
            BrokerUnavailableError: as `publish`.
            BrokerClosedError: the broker is not open, or was closed before a reply came.
        """
        ...
