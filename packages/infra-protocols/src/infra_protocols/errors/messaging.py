"""What goes wrong with a message."""

from infra_protocols.errors.service import ServiceError


class MessagingError(ServiceError):
    """
    A message could not be sent, delivered or settled.

    >>> MessagingError.error_code
    'MESSAGING_ERROR'
    """

    error_code = "MESSAGING_ERROR"
