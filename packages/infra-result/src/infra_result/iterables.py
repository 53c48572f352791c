"""Functions over many results at once."""

from collections.abc import Iterable

from infra_result.result import Err, Ok, Result


def collect[T, E](results: Iterable[Result[T, E]]) -> Result[list[T], E]:
    """
    Turn results into one result: an `Ok` with all values in order, or the first `Err` itself.

    Consumes nothing after the first `Err`, so a lazy iterable does no further work. An empty iterable is `Ok([])`.

    `T` is the type of the values, `E` that of the errors.

    >>> collect([Ok(1), Ok(2)])
    Ok([1, 2])
    >>> collect([Ok(1), Err("second"), Err("third")])
    Err('second')
    """
    values: list[T] = []
    for result in results:
        if isinstance(result, Err):
            return result
        values.append(result.value)
    return Ok(values)


def partition[T, E](results: Iterable[Result[T, E]]) -> tuple[list[T], list[E]]:
    """
    Split results into all values and all errors, each in order. Consumes everything.

    `T` is the type of the values, `E` that of the errors.

    >>> partition([Ok(1), Err("second"), Ok(3)])
    ([1, 3], ['second'])
    """
    values: list[T] = []
    errors: list[E] = []
    for result in results:
        if isinstance(result, Err):
            errors.append(result.error)
        else:
            values.append(result.value)
    return values, errors
