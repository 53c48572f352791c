"""Checks made of functions."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast, overload

from infra_health._threads import ThreadCall
from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult, HealthStatus, ValidationError

type Finding = HealthResult | HealthStatus | bool | None
"""What a function may return: `None` and `True` are `HEALTHY`, `False` is `UNHEALTHY`."""


class FunctionCheck[F: Callable[[], object]](DependencyCheck[F]):
    """
    A check made of a function, which is its dependency, and can still be called.

    One that is not async runs in a thread. There it cannot be cancelled: while a call hangs after its time, the check
    is `UNHEALTHY` without another.

    Type parameters:
        F: the function.

    >>> import asyncio
    >>> asyncio.run(FunctionCheck(lambda: False, name="no").check()).cause
    'HealthAnswerError'
    """

    def __init__(self, dependency: F, *, name: str, timeout: float = 5.0) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        if _is_async(dependency):
            self._call = cast("Callable[[], Awaitable[object]]", dependency)
        else:
            self._call = ThreadCall(dependency, f"health check {name}")

    async def probe(self) -> HealthResult | None:
        """Call the function."""
        found: Any = await self._call()
        match found:
            case None | True:
                return None
            case HealthResult():
                return found
            case HealthStatus():
                return HealthResult(found)
            case False:
                expected, answer = True, found
                raise HealthAnswerError(HealthMessages.HEALTH_WRONG_ANSWER.format(answer=answer, expected=expected))
            case _:
                raise TypeError(HealthMessages.NO_RESULT.format(kind=type(found).__name__))


@overload
def health_check[F: Callable[[], Awaitable[Finding]] | Callable[[], Finding]](function: F, /) -> FunctionCheck[F]: ...


@overload
def health_check[F: Callable[[], Awaitable[Finding]] | Callable[[], Finding]](
    *, name: str | None = None, timeout: float = 5.0
) -> Callable[[F], FunctionCheck[F]]: ...


def health_check(
    function: Callable[[], object] | None = None, /, *, name: str | None = None, timeout: float = 5.0
) -> Any:
    """
    Make a check of a function without arguments: what it raises says what is wrong.

    It may return a `HealthResult`, a `HealthStatus`, or whether all is well; nothing means that it is. A function that
    is not async is called in a thread.

    Args:
        function: the function, where the decorator is used without arguments.
        name: what the check is called in reports; `None` is the name of the function.
        timeout: how many seconds it may take.

    Type parameters:
        F: the function.

    Raises:
        ValidationError: it is no function, has no name and is given none, or the timeout is not above 0.

    >>> import asyncio
    >>> @health_check(timeout=1)
    ... def certificate() -> HealthStatus:
    ...     return HealthStatus.DEGRADED
    >>> certificate.name, asyncio.run(certificate.check()).status.value
    ('certificate', 'degraded')
    """

    def decorate(function: Callable[[], object]) -> FunctionCheck[Callable[[], object]]:
        if not callable(cast("object", function)):
            message = HealthMessages.VALIDATION_WRONG_KIND.format(field="function", expected="a function")
            raise ValidationError(message, field="function", kind=type(function).__name__)
        return FunctionCheck(function, name=name or getattr(function, "__name__", ""), timeout=timeout)

    return decorate if function is None else decorate(function)


def _is_async(function: Callable[[], object]) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
