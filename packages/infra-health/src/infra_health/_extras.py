"""What is told when the library of an extra is missing."""

from infra_health.messages import HealthMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(HealthMessages.MISSING_EXTRA.format(extra=extra), name=error.name)
