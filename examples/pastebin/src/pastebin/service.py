"""The core of the service: pastes in, results out, whatever the edge and the engines are."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import uuid4

from infra_protocols import (
    CacheError,
    CacheKey,
    CacheProvider,
    Clock,
    EntityExistsError,
    EntityNotFoundError,
    ValidationError,
    require_range,
)
from infra_result import Err, Ok, Result
from pastebin.errors import NotWrittenError, UnseenWriteError
from pastebin.messages import PastebinMessages
from pastebin.paste import Draft, Paste, parse_author
from pastebin.repository import PasteRepository
from pastebin.words import words_of

MAX_LIMIT: Final = 1000
"""How many pastes one listing holds at most."""
MAX_SEARCHED: Final = 10
"""How many words one search may have."""

type Read = Paste | tuple[Paste, ...]
"""What the cache keeps: one paste, or a list of an author's."""

_log: Final = logging.getLogger("pastebin")


def _random_id() -> str:
    return uuid4().hex


class PasteService:
    """
    Keeps pastes in a repository and serves reads from a cache.

    What a caller may get wrong comes back as an `Err`; what is raised is a dead engine or a bug. Once a write
    has returned, no read that begins afterwards sees what was there before it; not in another process either that has
    the same pastes and the same cache, as long as the cache tells both at once.

    A write has the cache forget by tag what it changes: before it is made, since a cache that cannot forget must stop
    it, and after it, for what was read meanwhile.

    Args:
        pastes: where the pastes are kept.
        cache: where reads are kept.
        clock: says when a paste is created and updated.
        new_id: makes the ids, which nobody should be able to guess.

    >>> import asyncio
    >>> from infra_cache import InMemoryCacheProvider
    >>> from infra_protocols import SystemClock
    >>> from pastebin.sqlite import SqlitePasteRepository
    >>> async def main() -> None:
    ...     async with SqlitePasteRepository.open() as pastes:
    ...         service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=100), SystemClock())
    ...         match await service.get("7f"):
    ...             case Ok(paste):
    ...                 print(paste.title)
    ...             case Err(error):
    ...                 print(error.message)
    >>> asyncio.run(main())
    There is no paste 7f
    """

    def __init__(
        self,
        pastes: PasteRepository,
        cache: CacheProvider[Read],
        clock: Clock,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self._pastes = pastes
        self._cache = cache
        self._clock = clock
        self._new_id = new_id

    async def create(self, draft: Draft) -> Result[Paste, EntityExistsError]:
        """
        Keep `draft` as a new paste; an id that is taken is an `EntityExistsError`.

        Raises:
            NotWrittenError: the cache cannot forget; nothing was changed. So for the other writes.
            UnseenWriteError: the cache could not forget any more when it was written.
        """
        now = self._clock.now()
        paste = Paste(self._new_id(), draft.title, draft.content, draft.author, created_at=now, updated_at=now)
        try:
            async with self._forgetting(_author_tag(paste.author)):
                return Ok(await self._pastes.create(paste))
        except EntityExistsError as error:
            return Err(error)

    async def get(self, id: str) -> Result[Paste, EntityNotFoundError]:
        """Return the paste with this id."""

        async def load() -> Paste:
            paste = await self._pastes.get(id)
            if paste is None:
                # Raised, since the cache would keep what is returned: wrong ids are not to push out pastes.
                raise _not_found(id)
            return paste

        try:
            return Ok(await self._cache.get_or_set(CacheKey(f"paste:{id}", Paste), load, tags=[_paste_tag(id)]))
        except EntityNotFoundError as error:
            return Err(error)

    async def update(self, id: str, draft: Draft) -> Result[Paste, EntityNotFoundError]:
        """Put `draft` in the place of what the paste with this id says now."""
        while (known := await self._pastes.get(id)) is not None:
            paste = replace(
                known,
                title=draft.title,
                content=draft.content,
                author=draft.author,
                updated_at=self._clock.now(),
            )
            async with self._forgetting(_paste_tag(id), _author_tag(known.author), _author_tag(paste.author)):
                # Should it be somebody else's by now, then it is in a list that would not be forgotten: once more.
                if await self._pastes.replace(paste, known.author):
                    return Ok(paste)
        return Err(_not_found(id))

    async def delete(self, id: str) -> Result[None, EntityNotFoundError]:
        """Remove the paste with this id; of concurrent callers one gets `Ok`."""
        while (known := await self._pastes.get(id)) is not None:
            async with self._forgetting(_paste_tag(id), _author_tag(known.author)):
                if await self._pastes.remove(id, known.author):
                    return Ok(None)
        return Err(_not_found(id))

    async def by_author(self, author: str, limit: int = MAX_LIMIT) -> Result[tuple[Paste, ...], ValidationError]:
        """Return the pastes of `author`, newest first, at most `limit` of them (1 to `MAX_LIMIT`)."""

        async def load() -> tuple[Paste, ...]:
            return tuple(await self._pastes.by_author(author, limit))

        async def listed(limit: int) -> tuple[Paste, ...]:
            key = CacheKey(f"author:{limit}:{author}", tuple[Paste, ...])
            return await self._cache.get_or_set(key, load, tags=[_author_tag(author)])

        checked = parse_author(author).flat_map(lambda _: _in_range(limit))
        return await checked.map_async(listed)

    async def newest(self, limit: int = MAX_LIMIT) -> Result[tuple[Paste, ...], ValidationError]:
        """Return the pastes of everybody, newest first, at most `limit` of them (1 to `MAX_LIMIT`)."""

        # Not cached: every write changes it, so it would hardly ever be found.
        async def listed(limit: int) -> tuple[Paste, ...]:
            return tuple(await self._pastes.newest(limit))

        return await _in_range(limit).map_async(listed)

    async def search(self, text: str, limit: int = MAX_LIMIT) -> Result[tuple[Paste, ...], ValidationError]:
        """
        Return the pastes that have every word of `text`, newest first, at most `limit` of them (1 to `MAX_LIMIT`).

        What was written a moment ago may not be found yet, and what was found may have changed.
        """
        words = sorted(words_of(text))
        if not words:
            return Err(
                ValidationError(PastebinMessages.VALIDATION_EMPTY_VALUE.format(field="q"), field="q", kind="str")
            )
        too_many = require_range(len(words), "words in q", max=MAX_SEARCHED)
        checked = too_many.flat_map(lambda _: _in_range(limit))

        async def found(limit: int) -> tuple[Paste, ...]:
            return tuple(await self._pastes.search(words, limit))

        return await checked.map_async(found)

    async def statistics(self) -> dict[str, tuple[int, int, int]]:
        """Return by author how many pastes were created, changed and deleted, as far as that has been counted."""
        return await self._pastes.statistics()

    @asynccontextmanager
    async def _forgetting(self, *tags: str) -> AsyncGenerator[None]:
        try:
            await self._forget(*tags)
        except CacheError as error:
            raise NotWrittenError(PastebinMessages.NOT_WRITTEN) from error
        try:
            yield
        except BaseException:
            try:
                await self._forget(*tags)  # it may have been written all the same
            except CacheError as error:
                _log.warning(PastebinMessages.NOT_FORGOTTEN, error)  # to raise it would hide a cancellation
            raise
        try:
            await self._forget(*tags)
        except CacheError as error:
            raise UnseenWriteError(PastebinMessages.WRITE_UNSEEN) from error

    async def _forget(self, *tags: str) -> None:
        for tag in tags:
            await self._cache.invalidate_by_tag(tag)


def _paste_tag(id: str) -> str:
    return f"paste:{id}"


def _author_tag(author: str) -> str:
    return f"author:{author}"


def _in_range(limit: int) -> Result[int, ValidationError]:
    return require_range(limit, "limit", min=1, max=MAX_LIMIT)


def _not_found(id: str) -> EntityNotFoundError:
    return EntityNotFoundError(PastebinMessages.PASTE_NOT_FOUND.format(id=id), parameters={"id": id})
