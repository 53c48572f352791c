"""What is told when the library of an extra is missing."""

from infra_auth.messages import AuthMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(AuthMessages.MISSING_EXTRA.format(extra=extra), name=error.name)
