"""What is said when a library is not installed."""

from infra_messaging.messages import MessagingMessages


def missing_extra(extra: str, error: ImportError) -> ImportError:
    return ImportError(MessagingMessages.MISSING_EXTRA.format(extra=extra), name=error.name, path=error.path)
