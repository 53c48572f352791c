"""What the errors of a broker say was being done."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from infra_protocols import MessagingError

PUBLISH: Final = "broker.publish"
REQUEST: Final = "broker.request"


def tell(error: MessagingError, operation: str) -> None:
    """Have `error` tell that it happened in `operation`: an engine does not know what it is asked for."""
    if error.operation is None:
        error.operation = operation


@contextmanager
def doing(operation: str) -> Generator[None]:
    """Have the errors that pass tell that they happened in `operation`."""
    try:
        yield
    except MessagingError as error:
        tell(error, operation)
        raise
