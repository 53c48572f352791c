"""Messages as JSON by msgspec: faster than `JsonCodec`, and it knows `msgspec.Struct`."""

from typing import Any, overload

from infra_messaging._extras import missing_extra
from infra_messaging.messages import MessagingMessages
from infra_protocols import DecodeError, ValidationError, or_raise, require_type

try:
    from msgspec import DecodeError as NotJsonError
    from msgspec import ValidationError as MisfitError
    from msgspec.json import Decoder, Encoder
except ImportError as _error:
    raise missing_extra("msgspec", _error) from _error

__all__ = ["MsgspecCodec"]


class MsgspecCodec[T]:
    """
    A `Codec` that writes JSON by msgspec, strictly: nothing is turned into something else to make it fit.

    What is published must come back equal: it is read again before that. Several classes in a union have to be tagged
    as msgspec says.

    Args:
        type: the type of the messages. That of a union or an alias no type checker infers: annotate it, as
            `codec: MsgspecCodec[A | B] = MsgspecCodec(A | B)`.

    Type parameters:
        T: the type of the messages.

    Raises:
        ValidationError: the type is none that msgspec supports.

    >>> from msgspec import Struct
    >>> class Order(Struct):
    ...     book: str
    >>> codec = MsgspecCodec(Order)
    >>> codec.encode(Order("Dune"))
    b'{"book":"Dune"}'
    >>> codec.decode(b'{"book":1}')
    Traceback (most recent call last):
    infra_protocols.DecodeError: Cannot decode value: expected Order, got something else [path='value', kind='bytes']
    """

    __slots__ = ("_decoder", "_encoder", "_name")

    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self, type: object) -> None: ...
    def __init__(self, type: Any) -> None:
        self._name: str = getattr(type, "__name__", str(type))
        self._encoder = Encoder()
        try:
            self._decoder: Decoder[Any] = Decoder(type)
        except (TypeError, NameError) as error:
            message = MessagingMessages.CODEC_UNSUPPORTED_TYPE.format(part=self._name, reason=error)
            raise ValidationError(message, field="type", kind=self._name) from error

    def __repr__(self) -> str:
        """Return how it was made."""
        return f"MsgspecCodec({self._name})"

    def encode(self, value: T) -> bytes:
        """
        Return `value` as JSON.

        Raises:
            ValidationError: it would not come back equal, and of the same type.
        """
        try:
            data = self._encoder.encode(value)
            back: Any = self._decoder.decode(data)
            if back == value and type(back) is type(value):
                return data
        except (MisfitError, NotJsonError, TypeError, ValueError, AttributeError, RecursionError):
            pass
        # Not in the `except`: what msgspec raises tells the value.
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
            return self._decoder.decode(data)
        except Exception:  # what makes an instance may raise anything
            pass
        message = MessagingMessages.DECODE_WRONG_KIND.format(path="value", expected=self._name, kind="something else")
        raise DecodeError(message, path="value", kind="bytes")
