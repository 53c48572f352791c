"""The error of unwrapping the wrong arm of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra_result.result import Result


class UnwrapError(RuntimeError):
    """
    Raised when the arm that was asked for is not the arm that is there.

    `result` is the result that was unwrapped. If it is an `Err` that holds an exception, that exception is the
    `__cause__`. Survives pickling, the cause included.

    >>> from infra_result import Err
    >>> try:
    ...     Err("out of stock").unwrap()
    ... except UnwrapError as error:
    ...     print(error, error.result)
    Called unwrap on Err: out of stock Err('out of stock')
    """

    result: Result[object, object]
    __cause__: BaseException | None

    def __init__(self, message: str, result: Result[object, object]) -> None:
        """Hold `message` as the text, and `result` as what was unwrapped."""
        super().__init__(message, result)
        self.result = result
        error = result.err()
        if isinstance(error, BaseException):
            self.__cause__ = error

    def __str__(self) -> str:
        """Return the message alone."""
        return str(self.args[0])
