"""The port of the pastes' storage: what the service asks of a database."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, runtime_checkable

from infra_protocols import Inbox, Outbox, Repository
from pastebin.events import PasteEvent
from pastebin.paste import Paste


@runtime_checkable
class PasteRepository(Repository[Paste, str], Protocol):
    """
    A `Repository` of pastes that can also list them, newest first, and change one only while it is by a given author.

    An operation takes effect before it ends. That goes for a cancelled one too, if it takes effect at all: it does not
    do so behind the back of a call that came after the cancellation.
    """

    async def newest(self, limit: int) -> list[Paste]:
        """Return the pastes that were created last, at most `limit` of them."""
        ...

    async def by_author(self, author: str, limit: int) -> list[Paste]:
        """Return the pastes of `author` that were created last, at most `limit` of them."""
        ...

    async def replace(self, paste: Paste, author: str) -> bool:
        """Put `paste` in the place of the one with its id, provided that is still by `author`; say whether it was."""
        ...

    async def remove(self, id: str, author: str) -> bool:
        """Remove the paste with this id, provided it is still by `author`; say whether it was."""
        ...

    async def search(self, words: Sequence[str], limit: int) -> list[Paste]:
        """Return the pastes that are found by all of `words`, newest first, at most `limit` of them."""
        ...

    async def statistics(self) -> dict[str, tuple[int, int, int]]:
        """Return by author how many pastes were created, changed and deleted."""
        ...


@runtime_checkable
class FollowedPastes(PasteRepository, Protocol):
    """
    A `PasteRepository` that tells what happens in it, and keeps what those know who follow.

    Each change of a paste leaves an event in the outbox, if and only if it is made.
    """

    on_change: Callable[[], None]
    """Is called when a change was made; by default it does nothing."""

    @property
    def outbox(self) -> Outbox[PasteEvent, Any]:
        """The events that wait to be published."""
        ...

    @property
    def inbox(self) -> Inbox[Any]:
        """What lets those who follow the events act once on each."""
        ...

    async def index(self, id: str, words: Collection[str]) -> None:
        """Have the paste with this id found by these words, and by no others."""
        ...

    async def count(self, connection: Any, event: PasteEvent) -> None:
        """Count `event`, in the transaction of a connection of the inbox."""
        ...
