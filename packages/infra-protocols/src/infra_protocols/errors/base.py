"""The error that every other of the infra packages is."""

from collections.abc import Mapping
from typing import ClassVar

from infra_protocols import context
from infra_protocols._present import Json, present_mapping, present_text


class InfrastructureError(Exception):
    """
    The base of every error that an infra package raises or returns.

    It can be pickled, and is the same error afterwards. What it holds of its parameters is a copy that JSON can
    hold, bounded in size, in which values whose names say that they are secret (token, password, key material,
    authorization, ...) are redacted: so they appear in no log, no report and no pickle. The same goes for passwords
    in URLs, and for `name=value` in a text, the message included.

    A subclass shows as its module the package that it is imported from, when the name of that package begins with
    `infra_`: so such a class has to be there under its name, or it cannot be pickled.

    Args:
        message: what went wrong, made from a constant of `ErrorMessages`.
        operation: what was being done, as `"cache.set"`.
        parameters: what it was being done to, by name.
        correlation_id: what request it belongs to; by default the one of `context.correlation_id`.

    >>> error = InfrastructureError("boom", operation="demo.run", parameters={"user": 7, "api_token": "s3cr3t"})
    >>> print(error)
    boom [operation='demo.run', user=7, api_token='[redacted]']
    >>> error.to_dict()["error_code"]
    'INFRASTRUCTURE_ERROR'
    """

    error_code: ClassVar[str] = "INFRASTRUCTURE_ERROR"
    """What names the kind of failure to machines; it does not change between releases."""

    message: str
    operation: str | None
    parameters: dict[str, Json]
    correlation_id: str | None

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        parameters: Mapping[str, object] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        message = present_text(message)
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.parameters = {} if parameters is None else present_mapping(parameters)
        self.correlation_id = context.correlation_id.get() if correlation_id is None else correlation_id

    def __init_subclass__(cls) -> None:
        """Have tracebacks name the class as users import it, not by the module it happens to be written in."""
        super().__init_subclass__()
        package, _, _ = cls.__module__.partition(".")
        if package.startswith("infra_") and package.isidentifier():
            cls.__module__ = package

    def to_dict(self) -> dict[str, Json]:
        """
        Return what the error tells, ready for `json.dumps`.

        >>> sorted(InfrastructureError("boom").to_dict())
        ['correlation_id', 'error_code', 'message', 'operation', 'parameters']
        """
        return {
            "error_code": self.error_code,
            "message": self.message,
            "operation": self.operation,
            "parameters": dict(self.parameters),
            "correlation_id": self.correlation_id,
        }

    def __str__(self) -> str:
        """Return the message, and behind it in brackets what it happened to."""
        context = {"operation": self.operation, "correlation_id": self.correlation_id}
        details = [(name, value) for name, value in context.items() if value is not None]
        shown = ", ".join(f"{name}={value!r}" for name, value in [*details, *self.parameters.items()])
        return f"{self.message} [{shown}]" if shown else self.message

    def __repr__(self) -> str:
        """Return the class and what `str` says."""
        return f"{type(self).__qualname__}({str(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        """Have copies made from the state: the `__init__` of a subclass may ask for anything."""
        return _blank, (type(self), *self.args), self.__dict__.copy()


def _blank(cls: type[InfrastructureError], *args: object) -> InfrastructureError:
    error = cls.__new__(cls, *args)
    error.args = args  # `OSError.__new__` leaves them to an `__init__` that is not called here
    return error


InfrastructureError.__module__ = "infra_protocols"
