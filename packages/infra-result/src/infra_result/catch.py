"""A decorator that turns functions that raise into functions that return a `Result`."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction
from typing import Any, Protocol, final, overload

from infra_result.messages import ResultMessages
from infra_result.result import Err, Ok, Result


@final
class _ReturnedByNone:
    # No function returns it, so only functions that return Any match it. Without an overload of their own, pyright
    # would take those for async functions.
    pass


class CatchToResult[X: Exception](Protocol):
    """
    What `catch_to_result` returns: a decorator for sync and async functions.

    `X` is the type of the exceptions that are caught.

    >>> read: CatchToResult[ValueError] = catch_to_result(ValueError)
    >>> read(int)("12")
    Ok(12)
    """

    @overload
    def __call__[**P](self, fn: Callable[P, _ReturnedByNone], /) -> Callable[P, Result[Any, X]]: ...
    # A function that returns an awaitable is a function as well: the order of the overloads decides.
    @overload
    def __call__[**P, T](  # type: ignore[overload-overlap]
        self, fn: Callable[P, Awaitable[T]], /
    ) -> Callable[P, Coroutine[Any, Any, Result[T, X]]]: ...
    @overload
    def __call__[**P, T](self, fn: Callable[P, T], /) -> Callable[P, Result[T, X]]: ...


def catch_to_result[X: Exception](exception: type[X], /, *exceptions: type[X]) -> CatchToResult[X]:
    """
    Decorate a function so that it returns `Ok` with what it returned, or `Err` with what it raised.

    Catches the given exception classes and their subclasses, nothing else. Only subclasses of `Exception` can be given,
    so cancellation, `KeyboardInterrupt` and `GeneratorExit` always pass through. The decorated function keeps its
    name, documentation and parameters.

    A coroutine function stays one. A plain function that hands back an awaitable becomes one that hands back a
    coroutine of the result; what it raises before that, it returns as a bare `Err`, as there is nothing to await.

    Raises `TypeError` for an exception class that is not a subclass of `Exception`, and for generator functions and
    async generator functions, which raise while they are iterated, out of the decorator's reach.

    `X` is the union of the exception types: the type of the error.

    >>> @catch_to_result(ValueError)
    ... def parse(text: str) -> int:
    ...     return int(text)
    >>> parse("12")
    Ok(12)
    >>> parse("dozen")
    Err(ValueError("invalid literal for int() with base 10: 'dozen'"))
    """
    caught = (exception, *exceptions)
    for given in caught:
        if not _is_exception_class(given):
            raise TypeError(ResultMessages.RESULT_CATCH_NOT_EXCEPTION.format(given=given))

    def decorate(fn: Any) -> Any:
        if type(fn) in (staticmethod, classmethod):
            return type(fn)(decorate(fn.__func__))
        calls = fn, type(fn).__call__
        if any(isgeneratorfunction(call) or isasyncgenfunction(call) for call in calls):
            raise TypeError(ResultMessages.RESULT_CATCH_GENERATOR.format(function=fn))
        if any(iscoroutinefunction(call) for call in calls):
            return _catch_async(fn, caught)
        return _catch_sync(fn, caught)

    return decorate


def _is_exception_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Exception)


def _catch_async[**P, T, X: Exception](
    fn: Callable[P, Awaitable[T]], caught: tuple[type[X], ...]
) -> Callable[P, Coroutine[Any, Any, Result[T, X]]]:
    @wraps(fn)
    async def call(*args: P.args, **kwargs: P.kwargs) -> Result[T, X]:
        try:
            return Ok(await fn(*args, **kwargs))
        except caught as error:
            return Err(error)

    return call


def _catch_sync[**P, X: Exception](
    fn: Callable[P, object], caught: tuple[type[X], ...]
) -> Callable[P, Result[object, X] | Coroutine[Any, Any, Result[object, X]]]:
    async def settle(outcome: Awaitable[object]) -> Result[object, X]:
        try:
            return Ok(await outcome)
        except caught as error:
            return Err(error)

    @wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> Result[object, X] | Coroutine[Any, Any, Result[object, X]]:
        try:
            outcome = fn(*args, **kwargs)
        except caught as error:
            return Err(error)
        return settle(outcome) if isawaitable(outcome) else Ok(outcome)

    return call
