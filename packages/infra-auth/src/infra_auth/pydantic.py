"""Payloads that are pydantic models."""

from typing import Any

from infra_auth._extras import missing_extra
from infra_auth.messages import AuthMessages
from infra_protocols import DecodeError, ValidationError

try:
    from pydantic import BaseModel
    from pydantic import ValidationError as MisfitError
except ImportError as _error:
    raise missing_extra("pydantic", _error) from _error

__all__ = ["PydanticPayload"]


class PydanticPayload[T: BaseModel]:
    """
    The payloads that are a pydantic model, for the `codec` of a provider.

    What is signed must come back equal: it is validated before that. Claims are named by their aliases.

    Type parameters:
        T: the payload.

    Raises:
        ValidationError: the type is no model.

    >>> class Session(BaseModel):
    ...     sub: str
    >>> PydanticPayload(Session).from_claims({"sub": "ada", "exp": 1})
    Session(sub='ada')
    """

    __slots__ = ("_type",)

    def __init__(self, type: type[T]) -> None:
        if not hasattr(type, "model_validate"):
            message = AuthMessages.VALIDATION_WRONG_KIND.format(field="type", expected="a pydantic model")
            raise ValidationError(message, field="type", kind=getattr(type, "__name__", str(type)))
        self._type = type

    def to_claims(self, payload: T) -> dict[str, Any]:
        """Return the claims that `payload` makes."""
        claims: dict[str, Any] | None = None
        try:
            if isinstance(payload, self._type):
                claims = payload.model_dump(mode="json", by_alias=True, warnings="error")
                claims = claims if self._type.model_validate(claims) == payload else None
        except (MisfitError, ValueError, RecursionError):
            claims = None
        if claims is None:
            expected = f"what comes back as {self._type.__name__}"
            message = AuthMessages.VALIDATION_WRONG_KIND.format(field="value", expected=expected)
            raise ValidationError(message, field="value", kind=type(payload).__name__)
        return claims

    def from_claims(self, claims: dict[str, Any]) -> T:
        """Return the payload that `claims` make."""
        try:
            return self._type.model_validate(claims)
        except (MisfitError, RecursionError):
            pass
        # Not in the `except`: what pydantic raises tells the value.
        message = AuthMessages.DECODE_WRONG_KIND.format(path="value", expected=self._type.__name__, kind="object")
        raise DecodeError(message, path="value", kind="object")
