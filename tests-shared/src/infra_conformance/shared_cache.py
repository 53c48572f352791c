"""The suite of caches that share an engine: several `CacheProvider`s, as many processes have them, over one data."""

from infra_conformance.shared_base import SharedCaches
from infra_conformance.shared_changes import ChangeChecks
from infra_conformance.shared_loading import SharedLoadingChecks
from infra_conformance.shared_names import NameChecks
from infra_conformance.shared_tags import SharedTagChecks

__all__ = ["SharedCacheSuite", "SharedCaches"]


class SharedCacheSuite[T](ChangeChecks[T], NameChecks[T], SharedTagChecks[T], SharedLoadingChecks[T]):
    """
    Checks several `CacheProvider`s over the same data; `CacheSuite` checks what each promises alone.

    Without more said, values are whole numbers; caches of something else say so in `values`.

    Type parameters:
        T: the values of the caches.

    >>> from contextlib import asynccontextmanager
    >>> class MyCaches(SharedCaches[int]):
    ...     async def cache(self, namespace="shared"):
    ...         return MyCache(namespace)
    >>> class TestMyCaches(SharedCacheSuite[int]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyCaches()
    """
