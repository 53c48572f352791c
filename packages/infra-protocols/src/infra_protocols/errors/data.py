"""What was handed in is not what it must be."""

from collections.abc import Mapping

from infra_protocols._present import Json, present_mapping
from infra_protocols.errors.base import InfrastructureError


class ValidationError(InfrastructureError, ValueError):
    """
    An argument or an input is not what it must be; nothing was changed by it.

    Args:
        message: what is wrong, from `ErrorMessages.VALIDATION_...`.
        field: the name of the argument or input.
        kind: the name of the type that was given. The value itself is not told: it may be secret, or huge.

    >>> error = ValidationError("ttl must be between 0 and inf", field="ttl", kind="int")
    >>> error.field, error.kind
    ('ttl', 'int')
    """

    error_code = "VALIDATION_ERROR"
    field: str | None
    kind: str | None

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        kind: str | None = None,
        operation: str | None = None,
        parameters: Mapping[str, object] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, parameters=parameters, correlation_id=correlation_id)
        self.field = field
        self.kind = kind
        self.parameters: dict[str, Json] = _given(field=field, kind=kind) | self.parameters


class DecodeError(InfrastructureError, ValueError):
    """
    Bytes do not stand for a value of the type that they are to be read as.

    Args:
        message: what is wrong, from `ErrorMessages.DECODE_...`.
        path: the part that is to blame, as `"value.users[3].name"`; `"value"` is the whole. The keys of a dict are not
            told: its fourth item is `"value.values()[3]"`.
        kind: what was found there. What it says is not told: it may be secret, or huge.

    >>> error = DecodeError("Cannot decode value.born: expected date, got int", path="value.born", kind="int")
    >>> error.path, error.kind
    ('value.born', 'int')
    """

    error_code = "DECODE_ERROR"
    path: str | None
    kind: str | None

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        kind: str | None = None,
        operation: str | None = None,
        parameters: Mapping[str, object] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, parameters=parameters, correlation_id=correlation_id)
        self.path = path
        self.kind = kind
        self.parameters: dict[str, Json] = _given(path=path, kind=kind) | self.parameters


def _given(**named: str | None) -> dict[str, Json]:
    return present_mapping({name: value for name, value in named.items() if value is not None})
