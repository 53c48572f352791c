"""The payload of a token as a value of a declared type, and as claims."""

from dataclasses import is_dataclass
from typing import Any, Protocol, get_origin, is_typeddict

from infra_auth.messages import AuthMessages
from infra_protocols import JsonCodec, ValidationError


class PayloadCodec[T](Protocol):
    """
    Turns payloads of one type into claims, and back.

    Type parameters:
        T: the payload.

    >>> def names(codec: PayloadCodec[dict[str, str]]) -> list[str]:
    ...     return sorted(codec.to_claims({"sub": "ada"}))
    >>> names(JsonPayload(dict[str, str]))
    ['sub']
    """

    def to_claims(self, payload: T) -> dict[str, Any]:
        """
        Return the claims that `payload` makes, in a dict of their own.

        Raises:
            ValidationError: it is not of the type.
        """
        ...

    def from_claims(self, claims: dict[str, Any]) -> T:
        """
        Return the payload that `claims` make; those that it does not declare are passed over.

        Raises:
            DecodeError: they do not make one.
        """
        ...


class JsonPayload[T]:
    """
    The payloads that `JsonCodec` knows: dataclasses, `TypedDict` and `dict`.

    Type parameters:
        T: the payload.

    Raises:
        ValidationError: the type is none of these, or has parts that JSON does not know.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Session:
    ...     sub: str
    >>> JsonPayload(Session).from_claims({"sub": "ada", "exp": 1})
    Session(sub='ada')
    """

    __slots__ = ("_codec",)

    def __init__(self, type: type[T]) -> None:
        origin: Any = get_origin(type) or type
        if not (is_dataclass(origin) or is_typeddict(origin) or origin is dict):
            kind = getattr(type, "__name__", str(type))
            raise ValidationError(AuthMessages.PAYLOAD_TYPE_UNFIT.format(field="type"), field="type", kind=kind)
        self._codec: JsonCodec[T] = JsonCodec(type)

    def to_claims(self, payload: T) -> dict[str, Any]:
        """Return the claims that `payload` makes."""
        return dict(self._codec.to_plain(payload))

    def from_claims(self, claims: dict[str, Any]) -> T:
        """Return the payload that `claims` make."""
        return self._codec.from_plain(claims)
