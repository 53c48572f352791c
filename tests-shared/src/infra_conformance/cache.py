"""The suite of `CacheProvider`: a store that also loads, tags and forgets."""

from hypothesis import strategies as st

from infra_conformance.cache_entries import EntryChecks
from infra_conformance.cache_model import CacheMachine
from infra_conformance.cache_renewal import RenewalChecks
from infra_conformance.cache_tags import TagChecks
from infra_conformance.machine import Machine
from infra_conformance.proof import modelled
from infra_protocols.cache import CacheProvider


class CacheSuite[T](EntryChecks[T], TagChecks[T], RenewalChecks[T]):
    """
    Checks a `CacheProvider`: all that `StoreSuite` checks, and the promises of its own.

    Without more said, values are whole numbers; a cache of something else says so in `values`.

    Type parameters:
        T: the values of the cache.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyCache(CacheSuite[int]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyCache(clock=clock)
    """

    @modelled("cache-60", validates="6.1 6.2 6.5")
    def test_cache_model(self) -> type[Machine[CacheProvider[T]]]:
        """Any sequence of calls, and of time passing, gives the answers that a dict of entries gives."""
        return CacheMachine[T].over(keys=st.sampled_from(self.fixed_keys(3)))
