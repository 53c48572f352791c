"""Reads in Redis, where every process that serves the same pastes finds them."""

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from infra_cache.redis import RedisCacheProvider
from infra_protocols import CacheError, CacheKey
from pastebin.paste import Paste
from pastebin.service import Read

MAX_SHARED: Final = 1024 * 1024
"""
About how many bytes a read may have that is kept in Redis.

A large one is read from the database in a tenth of the time, and whatever asks Redis meanwhile has to wait for it.
"""

_OVERHEAD: Final = 1000
"""About how many bytes a read takes beside the texts of its pastes."""


class SharedReads(RedisCacheProvider[Read]):
    """
    A cache in Redis that returns what is larger than `MAX_SHARED`, but does not keep it.

    Where Redis refuses, being full for instance, reads come from the database; what is to be forgotten is an error
    even so.
    """

    async def get_or_set(
        self,
        key: str | CacheKey[Any],
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> Any:
        """Return the read under `key`; when there is none, have `loader` make it, and keep it unless it is large."""

        async def load() -> Read:
            read = await loader()
            if size_of(read) > MAX_SHARED:
                raise _TooLarge(read)  # what is raised, the cache does not keep
            return read

        try:
            return await super().get_or_set(key, load, ttl, tags, stale=stale, early=early)
        except _TooLarge as large:
            return large.read
        except CacheError as error:
            if type(error) is not CacheError:
                raise  # a bug, not a refusal
            return await loader()


class _TooLarge(Exception):
    def __init__(self, read: Read) -> None:
        super().__init__()
        self.read = read


def size_of(read: Read) -> int:
    """Return about how many bytes a read takes."""
    pastes = (read,) if isinstance(read, Paste) else read
    return _OVERHEAD + sum(sys.getsizeof(paste.content) + sys.getsizeof(paste.title) for paste in pastes)
