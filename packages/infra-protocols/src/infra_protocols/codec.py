"""Values of a declared type as bytes, and back: JSON that gives back what it was given, or refuses it."""

import json
from collections.abc import Callable, Iterable
from json import JSONDecoder, JSONEncoder
from typing import Any, Final, Never, Protocol, overload

from infra_protocols._json.compiler import compile_type, told
from infra_protocols._json.shape import MismatchError, UnsupportedError, misfit, misread
from infra_protocols.errors import DecodeError, ValidationError
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_type

MAX_DEPTH: Final = 128
"""How deep what is written may be nested: so that it can be read wherever the stack is not almost used up."""


class Codec[T](Protocol):
    """
    Turns values of one type into bytes, and back.

    What `encode` accepts, `decode` gives back: equal, and of the same types. What would come back as something else
    is refused on the way in. Nothing that bytes say is imported or called: which classes there are, the type says.

    Type parameters:
        T: the type of the values.

    >>> def size(codec: Codec[int], number: int) -> int:
    ...     return len(codec.encode(number))
    >>> size(JsonCodec(int), 1000)
    4
    """

    def encode(self, value: T) -> bytes:
        """
        Return `value` as bytes.

        Raises:
            ValidationError: it would not come back; `field` says which part of it.
        """
        ...

    def decode(self, data: bytes) -> T:
        """
        Return the value that `data` stands for.

        Raises:
            DecodeError: it stands for no value of the type; `path` says which part does not.
        """
        ...


class JsonCodec[T]:
    """
    A `Codec` that writes JSON, in UTF-8 and without white space.

    The type is compiled once: make a codec once and keep it. It may be made of

    - `None`, `bool`, `int`, `float` (finite), `str`; `bytes` (written in base 64), `Decimal` (finite), `UUID`,
      `datetime`, `date`, `time` and `timedelta` (as in ISO 8601), each as text;
    - `Enum`, `Flag` and `Literal`, by the value; `NewType`, `Annotated` and `type` aliases, also recursive ones;
    - `list`, `set`, `frozenset` and `tuple`, as arrays; `dict`, as an object, its keys texts, ints, members, or any of
      the types that are written as text;
    - dataclasses, which may be generic or hold themselves, and `TypedDict`, as objects; `NamedTuple`, as arrays;
    - unions of what JSON can tell apart; several dataclasses are told apart by `"$type"`, the name of the class;
    - `Any`, `object`, a bare `list` or `dict`: what JSON can hold.

    A value is of exactly the type that is declared, not of a subclass. An `int` passes for a `float`, and comes back
    as an `int`. A `datetime` comes back at the same moment and offset; the name of its zone is not kept.

    What is read may lack fields that have a default, and have more than are declared, which are passed over: so fields
    can be added and removed while old data is around.

    Args:
        type: the type of the values. That of a union, an alias or a special form no type checker infers: annotate it,
            as `codec: JsonCodec[int | None] = JsonCodec(int | None)`.

    Type parameters:
        T: the type of the values.

    Raises:
        ValidationError: the type is none of these, or is ambiguous; the message names the part that is to blame.

    >>> from dataclasses import dataclass
    >>> from datetime import date
    >>> @dataclass(frozen=True)
    ... class User:
    ...     name: str
    ...     born: date
    ...     tags: frozenset[str] = frozenset()
    >>> codec = JsonCodec(User)
    >>> codec.encode(User("Ada", date(1815, 12, 10)))
    b'{"name":"Ada","born":"1815-12-10","tags":[]}'
    >>> codec.decode(b'{"name": "Ada", "born": "1815-12-10"}')
    User(name='Ada', born=datetime.date(1815, 12, 10), tags=frozenset())
    >>> codec.decode(b'{"name": "Ada", "born": 1815}')
    Traceback (most recent call last):
    infra_protocols.DecodeError: Cannot decode value.born: expected date, got int [path='value.born', kind='int']
    """

    __slots__ = ("_dump", "_endless", "_load", "_type")

    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self, type: object) -> None: ...
    def __init__(self, type: object) -> None:
        try:
            compiled = compile_type(type)
        except UnsupportedError as error:
            raise _unsupported(type, error) from error.__cause__
        self._type: object = type
        self._dump: Callable[[Any], Any] = compiled.shape.dump
        self._load: Callable[[Any], Any] = compiled.shape.load
        self._endless = compiled.endless

    def __repr__(self) -> str:
        """Return how it was made."""
        return f"JsonCodec({told(self._type)})"

    def encode(self, value: T) -> bytes:
        """
        Return `value` as JSON.

        Raises:
            ValidationError: it is not of the type, or has a part that JSON cannot hold (`nan`, text with a lone
                surrogate, an `int` longer than Python writes), or is nested more than 128 deep.
        """
        plain = data = None
        try:
            plain = self._dump(value)
            data = _write(plain).encode()
        except MismatchError as error:
            raise _refusal(error) from error.__cause__
        except (ValueError, RecursionError):
            pass
        if data is None:  # not in the `except`: what `json` raises holds the value
            raise _refusal(self._found(value))
        if self._endless and _is_too_deep(plain, data):
            raise _refusal(misfit(_SHALLOW, value))
        return data

    def decode(self, data: bytes) -> T:
        """
        Return the value that the JSON in `data` stands for.

        Raises:
            DecodeError: it is not JSON, or stands for no value of the type, or has two of one key, or is nested
                more than 128 deep.
            ValidationError: `data` is not `bytes`.
        """
        plain = _read(data)
        try:
            if self._endless and _is_too_deep(plain, data):
                raise misread(_SHALLOW, plain)
            return self._load(plain)
        except MismatchError as error:
            raise _failure(error) from error.__cause__
        except RecursionError:
            raise _failure(misread(_SHALLOW, plain)) from None

    def to_plain(self, value: T) -> Any:
        """
        Return `value` as what `json` writes, for those who put it into a document of their own.

        What only JSON itself refuses, as `nan`, is found when that is written.

        >>> JsonCodec(bytes).to_plain(b"ada")
        'YWRh'

        Raises:
            ValidationError: it is not of the type.
        """
        try:
            return self._dump(value)
        except MismatchError as error:
            raise _refusal(error) from error.__cause__
        except RecursionError:
            raise _refusal(misfit(_SHALLOW, value)) from None

    def from_plain(self, plain: Any) -> T:
        """
        Return the value that `plain` stands for, which is a part of what a `JsonCodec` has read.

        >>> JsonCodec(bytes).from_plain("YWRh")
        b'ada'

        Raises:
            DecodeError: it stands for no value of the type.
        """
        try:
            return self._load(plain)
        except MismatchError as error:
            raise _failure(error) from error.__cause__
        except RecursionError:
            raise _failure(misread(_SHALLOW, plain)) from None

    def _found(self, value: object) -> MismatchError:
        """Look for what `json` has refused."""
        try:
            compile_type(self._type, careful=True).shape.dump(value)
        except MismatchError as error:
            return error
        except RecursionError:
            return misfit(_SHALLOW, value)
        return misfit("what JSON can hold", value)


def _read(data: bytes) -> Any:
    if type(data) is not bytes:
        or_raise(require_type(data, "data", bytes))
    try:
        text = data.decode()
        try:
            plain, end = _scan(text, 0)
        except StopIteration:
            plain, end = None, -1
        if end != len(text):
            plain = _DECODER.decode(text)  # the same, with white space around it, or an error
        if "\\" in text and ("\\ud" in text or "\\uD" in text):
            _write(plain).encode()  # fails if it is half of a character
        return plain
    except MismatchError as error:
        found = error
    except ValueError:
        found = None
    except RecursionError:
        found = MismatchError(_SHALLOW, "more")
    # Not in the `except`: what `json` raises holds the data.
    raise _failure(found) if found else DecodeError(ErrorMessages.DECODE_NOT_JSON, path="value", kind="bytes")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MismatchError("an object without duplicate keys", "object")
    return made


def _not_in_json(name: str) -> Never:
    raise ValueError(name)


def _writer() -> Callable[[Any], str]:
    # `JSONEncoder` makes its C part anew for each value, which takes as long as to write a small one.
    slow = JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    text: Any = getattr(json.encoder, "encode_basestring", None)
    try:
        fast = make(None, slow.default, text, None, ":", ",", False, False, False)
        "".join(fast([{"a": 1.5}], 0))
    except TypeError:
        return slow.encode  # this Python has none, or another
    return lambda plain: "".join(fast(plain, 0))


def _is_too_deep(plain: Any, data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False  # not so many even if each is inside of the one before
    level = _inside([plain])
    for _ in range(MAX_DEPTH):
        level = [found for each in level for found in _inside(each)]
    return bool(level)


def _inside(plain: Iterable[Any]) -> list[Iterable[Any]]:
    """Return what the lists and dicts among `plain` hold."""
    return [each.values() if isinstance(each, dict) else each for each in plain if isinstance(each, dict | list)]


def _refusal(error: MismatchError) -> ValidationError:
    message = ErrorMessages.VALIDATION_WRONG_KIND.format(field=error.where, expected=error.expected)
    return ValidationError(message, field=error.where, kind=error.kind)


def _failure(error: MismatchError) -> DecodeError:
    message = ErrorMessages.DECODE_WRONG_KIND.format(path=error.where, expected=error.expected, kind=error.kind)
    return DecodeError(message, path=error.where, kind=error.kind)


def _unsupported(tp: object, error: UnsupportedError) -> ValidationError:
    part = f"{error.place}: {error.part}" if error.place else error.part
    message = ErrorMessages.CODEC_UNSUPPORTED_TYPE.format(part=part, reason=error.reason)
    return ValidationError(message, field="type", kind=type(tp).__name__)


_SHALLOW: Final = f"something nested at most {MAX_DEPTH} deep"
_DECODER: Final = JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_in_json)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = vars(_DECODER)["scan_once"]
_write: Final = _writer()
