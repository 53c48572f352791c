"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class MessagingMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only an implementation of messaging needs.

    >>> MessagingMessages.MISSING_EXTRA.format(extra="redis")
    'This takes a library that is not installed: pip install infra-messaging[redis]'
    """

    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-messaging[{extra}]"
