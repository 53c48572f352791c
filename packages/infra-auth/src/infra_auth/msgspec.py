"""Payloads that are msgspec Structs."""

from typing import Any

from infra_auth._extras import missing_extra
from infra_auth.messages import AuthMessages
from infra_protocols import DecodeError, ValidationError

try:
    from msgspec import Struct, convert, to_builtins
    from msgspec import ValidationError as MisfitError
except ImportError as _error:
    raise missing_extra("msgspec", _error) from _error

__all__ = ["MsgspecPayload"]


class MsgspecPayload[T]:
    """
    The payloads that are a `msgspec.Struct`, for the `codec` of a provider.

    What is signed must come back equal: it is read again before that.

    Type parameters:
        T: the payload.

    Raises:
        ValidationError: the type is no `Struct`.

    >>> class Session(Struct):
    ...     sub: str
    >>> MsgspecPayload(Session).from_claims({"sub": "ada", "exp": 1})
    Session(sub='ada')
    """

    __slots__ = ("_name", "_type")

    def __init__(self, type: type[T]) -> None:
        self._name: str = getattr(type, "__name__", str(type))
        if not _is_struct(type):
            message = AuthMessages.VALIDATION_WRONG_KIND.format(field="type", expected="a msgspec Struct")
            raise ValidationError(message, field="type", kind=self._name)
        self._type = type

    def to_claims(self, payload: T) -> dict[str, Any]:
        """Return the claims that `payload` makes."""
        try:
            made: Any = to_builtins(payload, str_keys=True) if isinstance(payload, self._type) else None
            if made is not None and convert(made, self._type, str_keys=True) == payload:
                return made
        except (MisfitError, TypeError, ValueError, RecursionError):
            pass
        expected = f"what comes back as {self._name}"
        message = AuthMessages.VALIDATION_WRONG_KIND.format(field="value", expected=expected)
        raise ValidationError(message, field="value", kind=type(payload).__name__)

    def from_claims(self, claims: dict[str, Any]) -> T:
        """Return the payload that `claims` make."""
        try:
            return convert(claims, self._type, str_keys=True)
        except (MisfitError, RecursionError):
            pass
        # Not in the `except`: what msgspec raises tells the value.
        message = AuthMessages.DECODE_WRONG_KIND.format(path="value", expected=self._name, kind="object")
        raise DecodeError(message, path="value", kind="object")


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
