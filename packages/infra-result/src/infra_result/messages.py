"""The error texts of this package, each in one place."""

from typing import Final


class ResultMessages:
    """
    Texts of the errors that this package raises, as templates for `str.format`.

    >>> ResultMessages.RESULT_UNWRAP_ERR.format(error="out of stock")
    'Called unwrap on Err: out of stock'
    """

    RESULT_UNWRAP_ERR: Final[str] = "Called unwrap on Err: {error}"
    RESULT_UNWRAP_ERR_OK: Final[str] = "Called unwrap_err on Ok: {value}"
    RESULT_EXPECT: Final[str] = "{message}: {content}"
    RESULT_CATCH_NOT_EXCEPTION: Final[str] = "catch_to_result takes subclasses of Exception, not {given!r}"
    RESULT_CATCH_GENERATOR: Final[str] = (
        "catch_to_result cannot decorate the generator function {function!r}: "
        "it raises while it is iterated, not while it is called"
    )
