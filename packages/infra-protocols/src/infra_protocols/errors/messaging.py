"""What goes wrong with a message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, override

from infra_protocols.errors.service import ServiceError
from infra_protocols.messages import ErrorMessages


class MessagingError(ServiceError):
    """
    A message could not be sent, delivered or settled.

    >>> MessagingError.error_code
    'MESSAGING_ERROR'
    """

    error_code = "MESSAGING_ERROR"


class BrokerUnavailableError(MessagingError, ConnectionError):
    """
    The engine of a broker did not answer, or not in time; whether what was asked for has happened is not known.

    >>> BrokerUnavailableError.error_code
    'BROKER_UNAVAILABLE'
    """

    error_code = "BROKER_UNAVAILABLE"


class BrokerRefusedError(MessagingError):
    """
    The engine of a broker answered that it will not do what was asked: it is out of memory, or lacks a feature.

    >>> BrokerRefusedError.error_code
    'BROKER_REFUSED'
    """

    error_code = "BROKER_REFUSED"


class BacklogFullError(BrokerRefusedError):
    """
    As many messages wait for a group as may; nothing was dropped to make room.

    >>> BacklogFullError.error_code
    'BACKLOG_FULL'
    """

    error_code = "BACKLOG_FULL"


class BrokerClosedError(MessagingError):
    """
    A broker is not open: it was not opened yet, or is closed.

    >>> BrokerClosedError.error_code
    'BROKER_CLOSED'
    """

    error_code = "BROKER_CLOSED"


@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """
    One handler that failed, and how.

    >>> HandlerFailure(print, ValueError("no")).error
    ValueError('no')
    """

    handler: object
    """The handler, as it was subscribed; in what was pickled, its name."""
    error: Exception
    """What it raised; a `HandlerTimeoutError` if its time was over."""

    @override
    def __reduce__(self) -> tuple[object, ...]:
        """Have copies name the handler: what it is made of may not be copied."""
        return HandlerFailure, (_name(self.handler), self.error)


def _name(handler: object) -> str:
    if isinstance(handler, str):
        return handler
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


class DispatchError(MessagingError):
    """
    Some of the handlers of an event failed; all of them were called.

    Args:
        message: as of `InfrastructureError`.
        failures: each handler that failed, in the order of subscription.
        operation: as of `InfrastructureError`.
        parameters: as of `InfrastructureError`.
        correlation_id: as of `InfrastructureError`.

    >>> DispatchError.of([HandlerFailure(print, ValueError("no"))]).message
    '1 handler failed: print: ValueError'
    >>> DispatchError.error_code
    'DISPATCH_FAILED'
    """

    error_code = "DISPATCH_FAILED"

    failures: tuple[HandlerFailure, ...]

    def __init__(
        self,
        message: str,
        *,
        failures: Iterable[HandlerFailure] = (),
        operation: str | None = None,
        parameters: Mapping[str, object] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, parameters=parameters, correlation_id=correlation_id)
        self.failures = tuple(failures)

    @classmethod
    def of(cls, failures: Sequence[HandlerFailure], operation: str | None = None) -> Self:
        """Return the error that tells of `failures`, of which there is at least one."""
        handlers = "handler" if len(failures) == 1 else "handlers"
        told = ", ".join(f"{_name(each.handler)}: {type(each.error).__name__}" for each in failures)
        message = ErrorMessages.MESSAGING_DISPATCH_FAILED.format(count=len(failures), handlers=handlers, failures=told)
        return cls(message, failures=failures, operation=operation)


class HandlerTimeoutError(MessagingError, TimeoutError):
    """
    A handler did not return in time, and was cancelled.

    >>> HandlerTimeoutError.error_code
    'HANDLER_TIMEOUT'
    """

    error_code = "HANDLER_TIMEOUT"


class HandlerCancelledError(MessagingError):
    """
    A handler ended in `CancelledError`, though nobody had cancelled it from outside.

    >>> HandlerCancelledError.error_code
    'HANDLER_CANCELLED'
    """

    error_code = "HANDLER_CANCELLED"


class RequestTimeoutError(MessagingError, TimeoutError):
    """
    No reply came in time; the request may have been handled all the same.

    >>> RequestTimeoutError.error_code
    'REQUEST_TIMEOUT'
    """

    error_code = "REQUEST_TIMEOUT"


class RequestFailedError(MessagingError):
    """
    A request could not be handled, and has become a dead letter.

    >>> RequestFailedError.error_code
    'REQUEST_FAILED'
    """

    error_code = "REQUEST_FAILED"


class OutboxUnavailableError(MessagingError, ConnectionError):
    """
    The database of an outbox or an inbox did not answer; whether what was asked for has happened is not known.

    >>> OutboxUnavailableError.error_code
    'OUTBOX_UNAVAILABLE'
    """

    error_code = "OUTBOX_UNAVAILABLE"


class OutboxRefusedError(MessagingError):
    """
    The database of an outbox or an inbox refused what was asked, or what it holds is no message of the outbox's type.

    >>> OutboxRefusedError.error_code
    'OUTBOX_REFUSED'
    """

    error_code = "OUTBOX_REFUSED"
