"""The port of the pastes' storage: what the service asks of a database."""

from typing import Protocol, runtime_checkable

from infra_protocols import Repository
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
