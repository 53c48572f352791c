"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class CompressMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only this package needs.

    >>> CompressMessages.MISSING_EXTRA.format(extra="zstd")
    'This takes a library that is not installed: pip install infra-compress[zstd]'
    """

    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-compress[{extra}]"
    CANNOT_BE_PADDED: Final[str] = "The content coding {encoding} cannot be padded"
