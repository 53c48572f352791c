"""Functions that tell the two arms apart and narrow the type in both branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra_result.result import Err, Ok, Result

if TYPE_CHECKING:
    # The typing module has it from Python 3.13 on; only checkers read it here.
    from typing_extensions import TypeIs


def is_ok[T, E](result: Result[T, E]) -> TypeIs[Ok[T]]:
    """
    Tell whether `result` is an `Ok`. A type checker narrows it to `Ok[T]` if so, to `Err[E]` if not.

    The method `result.is_ok()` answers the same, but a checker cannot narrow by it.

    `T` is the type of the value, `E` that of the error.

    >>> def show(result: Result[int, str]) -> str:
    ...     return f"{result.value:.2f}" if is_ok(result) else result.error
    >>> show(Ok(3)), show(Err("no price"))
    ('3.00', 'no price')
    """
    return isinstance(result, Ok)


def is_err[T, E](result: Result[T, E]) -> TypeIs[Err[E]]:
    """
    Tell whether `result` is an `Err`. A type checker narrows it to `Err[E]` if so, to `Ok[T]` if not.

    `T` is the type of the value, `E` that of the error.

    >>> is_err(Err("no price")), is_err(Ok(3))
    (True, False)
    """
    return isinstance(result, Err)
