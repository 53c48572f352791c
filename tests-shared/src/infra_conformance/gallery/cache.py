"""The gallery of `CacheProvider`: one cache for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import cache_entries, cache_loading, cache_renewal, cache_tags
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [
    *cache_entries.FAULTS,
    *cache_tags.FAULTS,
    *cache_loading.FAULTS,
    *cache_renewal.FAULTS,
]
