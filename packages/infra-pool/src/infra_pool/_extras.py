"""What is told when the library of an extra is missing."""

from infra_pool.messages import PoolMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(PoolMessages.MISSING_EXTRA.format(extra=extra), name=error.name)
