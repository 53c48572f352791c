"""
The checks that every package makes of what it is given.

Each returns `Ok` with the value, now known to be good, or `Err` with a `ValidationError` that names the field, the kind
of what was given and the bound. A method that raises, rather than returning a `Result`, puts `or_raise` around them.
"""

import math
import re
from typing import cast

from infra_protocols.errors import ValidationError
from infra_protocols.messages import ErrorMessages
from infra_result import Err, Ok, Result


def require_text(value: object, field: str) -> Result[str, ValidationError]:
    """
    Accept a `str` that holds more than white space; it is returned as it is.

    >>> require_text("ada", "name")
    Ok('ada')
    >>> print(require_text("  ", "name").unwrap_err())
    name cannot be empty or whitespace [field='name', kind='str']
    """
    if not isinstance(value, str):
        return _wrong_kind(value, field, "text")
    if not value or value.isspace():
        return _refusal(ErrorMessages.VALIDATION_EMPTY_VALUE.format(field=field), value, field)
    return Ok(value)


def require_range[N: float](
    value: N,
    field: str,
    *,
    min: float = -math.inf,
    max: float = math.inf,
    above: float | None = None,
) -> Result[N, ValidationError]:
    """
    Accept a number from `min` to `max`, both included, and greater than `above`; NaN and `bool` are no numbers.

    Type parameters:
        N: the kind of number, kept as it is.

    >>> require_range(5, "size", min=1)
    Ok(5)
    >>> print(require_range(0.0, "ttl", above=0).unwrap_err())
    ttl must be between 0 (excluded) and inf [field='ttl', kind='float', min=0, max='inf']
    """
    if isinstance(value, bool) or not isinstance(cast("object", value), int | float):
        return _wrong_kind(value, field, "a number")
    if min <= value <= max and (above is None or value > above):
        return Ok(value)
    excluded = above is not None and above >= min
    low, shown = (above, f"{above} (excluded)") if excluded else (min, f"{min}")
    message = ErrorMessages.VALIDATION_OUT_OF_RANGE.format(field=field, min=shown, max=max)
    return _refusal(message, value, field, min=low, max=max)


def require_match(value: object, field: str, pattern: re.Pattern[str]) -> Result[str, ValidationError]:
    """
    Accept a `str` that matches the whole of `pattern`.

    >>> require_match("a-1", "slug", re.compile("[a-z0-9-]+"))
    Ok('a-1')
    >>> print(require_match("A 1", "slug", re.compile("[a-z0-9-]+")).unwrap_err())
    Invalid format for slug [field='slug', kind='str', pattern='[a-z0-9-]+']
    """
    if not isinstance(value, str):
        return _wrong_kind(value, field, "text")
    if pattern.fullmatch(value) is None:
        message = ErrorMessages.VALIDATION_INVALID_FORMAT.format(field=field)
        return _refusal(message, value, field, pattern=pattern.pattern)
    return Ok(value)


def require_type[T](value: object, field: str, expected: type[T]) -> Result[T, ValidationError]:
    """
    Accept an instance of `expected`; a `bool` does not pass for an `int`.

    Type parameters:
        T: the type asked for.

    >>> require_type(3, "count", int)
    Ok(3)
    >>> print(require_type("3", "count", int).unwrap_err())
    count must be int [field='count', kind='str']
    """
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is int):
        return _wrong_kind(value, field, expected.__name__)
    return Ok(value)


def or_raise[T, E: Exception](result: Result[T, E]) -> T:
    """
    Return what an `Ok` holds; raise what an `Err` holds.

    Type parameters:
        T: what the check returns.
        E: what the check refuses with.

    >>> or_raise(require_text("ada", "name"))
    'ada'
    """
    if isinstance(result, Err):
        raise result.error
    return result.value


def _wrong_kind(value: object, field: str, expected: str) -> Err[ValidationError]:
    message = ErrorMessages.VALIDATION_WRONG_KIND.format(field=field, expected=expected)
    return _refusal(message, value, field)


def _refusal(message: str, value: object, field: str, **bounds: object) -> Err[ValidationError]:
    return Err(ValidationError(message, field=field, kind=type(value).__name__, parameters=bounds))
