"""Typed JSON by msgspec: faster than `JsonCodec`, and it knows `msgspec.Struct` and attrs classes."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, overload

from infra_cache._comes_back import DifferentError, compare
from infra_cache._extras import missing_extra
from infra_protocols import DecodeError, ErrorMessages, ValidationError, or_raise, require_type

try:
    from msgspec import DecodeError as NotJsonError
    from msgspec import ValidationError as MisfitError
    from msgspec.json import Decoder, Encoder
except ImportError as _error:
    raise missing_extra("msgspec", _error) from _error

__all__ = ["MsgspecCodec"]


class MsgspecCodec[T]:
    """
    A `Codec` that writes JSON by msgspec; its types, and what they are in JSON, are those of msgspec.

    What `encode` accepts comes back equal and of the same types: msgspec itself would write much that does not, `nan`
    as `null` for one. So what was written is read at once and compared, at any depth; `encode` costs what both do.
    Other than for `JsonCodec`, no `int` passes for a `float`, and a `datetime` has no `ZoneInfo` in the hour that a
    clock repeats or leaves out. In what it reads it is laxer: of two of one key the last counts, and floats may be
    written as ints.

    Several classes in a union have to be tagged as msgspec says. Classes that msgspec does not know are refused only
    with their values.

    Args:
        type: the type of the values. That of a union, an alias or a special form no type checker infers: annotate it,
            as `codec: MsgspecCodec[int | None] = MsgspecCodec(int | None)`.

    Type parameters:
        T: the type of the values.

    Raises:
        ValidationError: the type is none that msgspec supports.

    >>> from msgspec import Struct
    >>> class User(Struct):
    ...     name: str
    ...     tags: set[str] = set()
    >>> codec = MsgspecCodec(User)
    >>> codec.encode(User("Ada"))
    b'{"name":"Ada","tags":[]}'
    >>> codec.decode(b'{"name": "Ada"}')
    User(name='Ada', tags=set())
    >>> codec.decode(b'{"name": "Ada", "tags": [1]}')
    Traceback (most recent call last):
    infra_protocols.DecodeError: Cannot decode value.tags[0]: expected str, got int [path='value.tags[0]', kind='int']
    """

    __slots__ = ("_decode", "_name")

    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self, type: object) -> None: ...
    def __init__(self, type: Any) -> None:
        self._name: str = getattr(type, "__name__", str(type))
        try:
            self._decode: Callable[[bytes], Any] = _decoder(type)
        except (TypeError, NameError) as error:
            message = ErrorMessages.CODEC_UNSUPPORTED_TYPE.format(part=self._name, reason=error)
            raise ValidationError(message, field="type", kind=_kind(type)) from error

    def __repr__(self) -> str:
        """Return how it was made."""
        return f"MsgspecCodec({self._name})"

    def encode(self, value: T) -> bytes:
        """
        Return `value` as JSON.

        Raises:
            ValidationError: it would not come back equal, and of the same types.
        """
        try:
            data = _encode(value)
        except (TypeError, ValueError, AttributeError, RecursionError):
            data = None
        if data is None:  # not in the `except`: what is raised there may hold the value
            raise _refusal("value", "what msgspec can write", _kind(value))
        try:
            back = self.decode(data)
        except DecodeError as error:
            raise _refusal(error.path or "value", f"what {self._name} takes", _kind(value)) from error.__cause__
        try:
            compare(value, back)
        except DifferentError as error:
            raise _refusal(error.where, "what comes back as it is", error.kind) from None
        return data

    def decode(self, data: bytes) -> T:
        """
        Return the value that the JSON in `data` stands for.

        Raises:
            DecodeError: it is not JSON, or stands for no value of the type.
            ValidationError: `data` is not `bytes`.
        """
        or_raise(require_type(data, "data", bytes))
        cause = None
        try:
            return self._decode(data)
        except MisfitError as error:
            failure, cause = _failure(self._name, str(error)), error.__cause__
        except (NotJsonError, UnicodeDecodeError):
            failure = DecodeError(ErrorMessages.DECODE_NOT_JSON, path="value", kind="bytes")
        except RecursionError:
            failure = _told("value", "something nested less deep", "more")
        except Exception as error:  # what makes an instance may raise anything
            failure, cause = _told("value", f"what {self._name} takes", "something else"), error
        # Not in the `except`: what msgspec raises tells the value.
        raise failure from cause


def _decoder(tp: Any) -> Callable[[bytes], Any]:
    try:
        hash(tp)
    except TypeError:
        return Decoder(tp).decode
    return _cached_decoder(tp)


@lru_cache(maxsize=512)
def _cached_decoder(tp: Any) -> Callable[[bytes], Any]:
    return Decoder(tp).decode


def _kind(value: object) -> str:
    return type(value).__name__


def _refusal(path: str, expected: str, kind: str) -> ValidationError:
    message = ErrorMessages.VALIDATION_WRONG_KIND.format(field=path, expected=expected)
    return ValidationError(message, field=path, kind=kind)


_encode: Final = Encoder().encode
_PATH: Final = re.compile(r" - at (`key` in )?`\$([^`]*)`\Z")
_KINDS: Final = re.compile(r"Expected `([^`]*)`(?:.*, got `([^`]*)`)?")
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`")


def _failure(name: str, text: str) -> DecodeError:
    """Say what msgspec says in `text`, but for the value."""
    at, kinds, missing = _PATH.search(text), _KINDS.match(text), _MISSING.match(text)
    path = f"value{at[2]}{'[...]' if at[1] else ''}" if at else "value"
    if missing:
        return _told(f"{path}.{missing[1]}", "a value", "nothing")
    if kinds:
        return _told(path, kinds[1], kinds[2] or "another")
    return _told(path, f"what {name} takes", "something else")


def _told(path: str, expected: str, kind: str) -> DecodeError:
    message = ErrorMessages.DECODE_WRONG_KIND.format(path=path, expected=expected, kind=kind)
    return DecodeError(message, path=path, kind=kind)
