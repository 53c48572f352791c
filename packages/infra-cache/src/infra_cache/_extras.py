"""What is told when the library of an extra is missing."""

from infra_cache.messages import CacheMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(CacheMessages.MISSING_EXTRA.format(extra=extra), name=error.name)
