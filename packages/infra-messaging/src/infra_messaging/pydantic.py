"""Messages that are pydantic models, or what else a `TypeAdapter` takes."""

from typing import Any, overload

from infra_messaging._extras import missing_extra
from infra_messaging.messages import MessagingMessages
from infra_protocols import DecodeError, ValidationError, or_raise, require_type

try:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError
except ImportError as _error:
    raise missing_extra("pydantic", _error) from _error

__all__ = ["PydanticCodec"]


class PydanticCodec[T]:
    """
    A `Codec` that writes JSON by pydantic, and reads it strictly: `"1"` is no number.

    What is published must come back equal: it is read again before that. Fields are named by their aliases.

    Args:
        type: the type of the messages. That of a union or an alias no type checker infers: annotate it, as
            `codec: PydanticCodec[A | B] = PydanticCodec(A | B)`.

    Type parameters:
        T: the type of the messages.

    Raises:
        ValidationError: the type is none that pydantic supports.

    >>> from pydantic import BaseModel
    >>> class Order(BaseModel):
    ...     book: str
    >>> codec = PydanticCodec(Order)
    >>> codec.encode(Order(book="Dune"))
    b'{"book":"Dune"}'
    >>> codec.decode(b'{"book":1}')
    Traceback (most recent call last):
    infra_protocols.DecodeError: Cannot decode value: expected Order, got something else [path='value', kind='bytes']
    """

    __slots__ = ("_adapter", "_name")

    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self, type: object) -> None: ...
    def __init__(self, type: Any) -> None:
        self._name: str = getattr(type, "__name__", str(type))
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(type)
        except (PydanticUserError, TypeError, NameError) as error:
            message = MessagingMessages.CODEC_UNSUPPORTED_TYPE.format(part=self._name, reason=error)
            raise ValidationError(message, field="type", kind=self._name) from error

    def __repr__(self) -> str:
        """Return how it was made."""
        return f"PydanticCodec({self._name})"

    def encode(self, value: T) -> bytes:
        """
        Return `value` as JSON.

        Raises:
            ValidationError: it would not come back equal, and of the same type.
        """
        try:
            data = self._adapter.dump_json(value, by_alias=True, warnings="error")
            back: Any = self._adapter.validate_json(data, strict=True)
            if back == value and type(back) is type(value):
                return data
        except Exception:  # what a model's own validators and serialisers raise may be anything
            pass
        # Not in the `except`: what pydantic raises tells the value.
        expected = f"what comes back as {self._name}"
        message = MessagingMessages.VALIDATION_WRONG_KIND.format(field="message", expected=expected)
        raise ValidationError(message, field="message", kind=type(value).__name__)

    def decode(self, data: bytes) -> T:
        """
        Return the value that the JSON in `data` stands for.

        Raises:
            DecodeError: it is not JSON, or stands for no value of the type.
            ValidationError: `data` is not `bytes`.
        """
        or_raise(require_type(data, "data", bytes))
        try:
            return self._adapter.validate_json(data, strict=True)
        except Exception:  # a model's own validators may raise anything
            pass
        message = MessagingMessages.DECODE_WRONG_KIND.format(path="value", expected=self._name, kind="something else")
        raise DecodeError(message, path="value", kind="bytes")
