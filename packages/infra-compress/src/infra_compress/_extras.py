"""What is told when the library of an extra is missing."""

from infra_compress.messages import CompressMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(CompressMessages.MISSING_EXTRA.format(extra=extra), name=error.name)
