"""
The port of what ties messages to the transactions of a database.

With an `Outbox`, a message is published if, and only if, the transaction that wrote it was committed; with an `Inbox`,
a message that comes twice takes effect once. Together they make of "at least once" what users see as once (G. Hohpe,
B. Woolf, "Enterprise Integration Patterns", 2003: "Transactional Client", "Idempotent Receiver").
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import uuid4

from infra_protocols._frozen import mend
from infra_protocols.errors.messaging import MessagingError
from infra_protocols.messaging.headers import require_headers
from infra_protocols.messaging.names import require_key, require_message_id
from infra_protocols.messaging.topics import require_topic
from infra_protocols.protocols import Repository
from infra_protocols.validation import or_raise

if TYPE_CHECKING:
    from infra_protocols.messaging.broker import MessageBroker


def _new_id() -> str:
    return uuid4().hex


def _no_headers() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class OutboxMessage[TMessage]:
    """
    A message that is to be published.

    Type parameters:
        TMessage: the message.

    Raises:
        ValidationError: the topic, the key, the headers or the id is malformed.

    >>> OutboxMessage("orders.new", "book", key="ada").topic
    'orders.new'
    """

    topic: str
    message: TMessage
    key: str | None = None
    """Messages of one key are published in the order in which they were written."""
    headers: Mapping[str, str] = field(default_factory=_no_headers)
    id: str = field(default_factory=_new_id)
    """The id of the message on the broker too, by which an `Inbox` knows it again."""

    def __post_init__(self) -> None:
        """Refuse what no broker would take."""
        or_raise(require_topic(self.topic))
        or_raise(require_headers(self.headers))
        or_raise(require_message_id(self.id))
        if self.key is not None:
            or_raise(require_key(self.key))


mend(OutboxMessage)


@runtime_checkable
class Outbox[TMessage, TConnection](Protocol):
    """
    Keeps messages in a table until a relay has published them.

    - **All or nothing.** What a transaction wrote is published if it is committed, and never if it is rolled back.
    - **Once, as long as all goes well.** However many relays there are, each row is published by one of them; if that
      one dies in between, or the broker does not answer, it is published again, with the same id.
    - **Order.** Rows of one key are published in the order in which they were written, also when transactions commit in
      another order, and when publishing fails: then those behind wait. So a row waits for the transactions that wrote
      to its key before it, until each of them has ended; other keys go on, however many are refused.
    - **Carried along.** A message goes with what `correlation_id`, and the trace of the message being handled, were
      where it was written, unless its headers say otherwise; with nothing of who calls `relay`.
    - **Bounded.** What was published is not kept.

    Type parameters:
        TMessage: the messages.
        TConnection: a connection of the database.

    >>> async def order(outbox: Outbox[str, object], connection: object, book: str) -> None:
    ...     await outbox.bind(connection).create(OutboxMessage("orders.new", book))
    """

    def bind(self, connection: TConnection) -> Repository[OutboxMessage[TMessage], str]:
        """
        Return the messages that wait, as `connection` sees them: what is done there is part of its transaction.

        It is a `Repository`, whose `create` writes a message; it neither commits nor rolls back. A message that is
        updated keeps its place in the order. What a relay is publishing at the moment waits no more: who updates or
        deletes it waits for the relay, or is told that it is not there.

        Each of its methods raises:
            OutboxUnavailableError: the database does not answer.
            OutboxRefusedError: the database refuses, or a message cannot be read: the error names its `id`, `topic` and
                `key`, and it can be updated and deleted by its id.
        """
        ...

    async def relay(
        self,
        broker: "MessageBroker[TMessage]",
        *,
        limit: int = 100,
        on_refused: Callable[[MessagingError], None] | None = None,
    ) -> int:
        """
        Publish messages that wait and were committed, at most `limit`, and return how many were published.

        What is refused, or cannot be read, waits on. When that happens to `limit` of them, the call ends, and the next
        one begins behind them, so that what is behind has its turn; later they are tried again.

        Args:
            broker: where to; it is open.
            limit: how many messages at most.
            on_refused: is called in the end with the error of each message that was refused or cannot be read, none of
                which is raised then.

        Raises:
            ValidationError: `limit` is below 1.
            MessagingError: the broker does not answer, or else, without `on_refused`, it refused one: what it had
                accepted by then is published, what it had not waits on.
            OutboxUnavailableError: the database does not answer.
            OutboxRefusedError: the database refuses, or else, without `on_refused`, a message cannot be read any more.
        """
        ...


@runtime_checkable
class Inbox[TConnection](Protocol):
    """
    Knows which messages a consumer has acted on.

    What the consumer does on the connection, and that it has acted on this message, is one transaction: a message that
    comes again has no second effect, and one whose transaction failed takes effect the next time.

    Type parameters:
        TConnection: a connection of the database.

    >>> async def count(inbox: Inbox[list[str]], message: str, id: str) -> None:
    ...     async with inbox.once("statistics", id) as connection:
    ...         if connection is not None:
    ...             connection.append(message)
    """

    def once(self, consumer: str, message_id: str) -> AbstractAsyncContextManager[TConnection | None]:
        """
        Begin a transaction and yield its connection, or yield `None` if `consumer` has acted on this message.

        The transaction is committed when the block ends, and rolled back when it raises. Of several at once, for one
        message, the second waits for the first to end.

        Args:
            consumer: whose acts these are: another consumer has acts of its own on the same message.
            message_id: `Delivery.id`.

        Raises:
            ValidationError: `consumer` or `message_id` is blank.
            OutboxUnavailableError: the database does not answer, or another transaction takes too long.
            OutboxRefusedError: the database refuses; or the transaction cannot be committed, as after an error in it.
        """
        ...

    async def forget(self, older_than: float) -> int:
        """
        Forget the messages that were acted on more than `older_than` seconds ago, and return how many these were.

        One that comes again after that takes effect again: let it be longer than any message can take.

        Raises:
            ValidationError: `older_than` is negative.
            OutboxUnavailableError: the database does not answer.
            OutboxRefusedError: the database refuses.
        """
        ...
