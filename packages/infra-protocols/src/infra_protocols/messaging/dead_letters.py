"""What is left of a message that could not be handled, and the queue that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from infra_protocols._frozen import mend
from infra_protocols.protocols import Repository


@dataclass(frozen=True, slots=True)
class DeadLetter[TMessage]:
    """
    A message that a group could not handle, and why.

    Type parameters:
        TMessage: the message.

    >>> from datetime import UTC, datetime
    >>> now = datetime.now(UTC)
    >>> letter = DeadLetter("1", "m-1", "orders.new", None, {}, "book", "shop", 5, "KeyError", "no user", now, now)
    >>> letter.message, letter.error, letter.attempts
    ('book', 'KeyError', 5)
    """

    id: str
    """What identifies the letter: a message that two groups could not handle is two letters."""
    message_id: str
    topic: str
    key: str | None
    headers: Mapping[str, str]
    message: TMessage | None
    """The message; `None` if it could not be decoded."""
    group: str | None
    """The group that could not handle it."""
    attempts: int
    """How many times it was delivered to that group."""
    error: str
    """The name of the class of what was raised the last time."""
    reason: str
    """What that said, without passwords and the like, and of bounded length."""
    first_failed_at: datetime
    """When it failed first, as far as the member knows that wrote the letter."""
    last_failed_at: datetime
    data: bytes | None = None
    """The message as it was sent; `None` where the engine does not encode messages."""


mend(DeadLetter)


@runtime_checkable
class DeadLetterQueue[TMessage](Repository[DeadLetter[TMessage], str], Protocol):
    """
    The dead letters of a broker, of all its topics and groups.

    As a `Repository`, `create` adds a letter and `update` replaces one. Every method raises a `BrokerUnavailableError`
    when the engine does not answer, and a `BrokerClosedError` when the broker is not open.

    Type parameters:
        TMessage: the messages of the broker.

    >>> async def again(letters: DeadLetterQueue[str]) -> list[bool]:
    ...     return [await letters.replay(letter.id) for letter in await letters.peek(10)]
    """

    async def peek(self, limit: int = 100) -> list[DeadLetter[TMessage]]:
        """
        Return the oldest letters, at most `limit`, and leave them where they are.

        Raises:
            ValidationError: `limit` is below 1.
        """
        ...

    async def replay(self, id: str) -> bool:
        """
        Have the message delivered to its group once more, as if for the first time, and drop the letter.

        `False` if there is no such letter, or its group is forgotten: then the letter stays.
        """
        ...

    async def discard(self, id: str) -> bool:
        """Drop the letter; `False` if there is none. It is what `delete` does, under the name that the field has."""
        ...
