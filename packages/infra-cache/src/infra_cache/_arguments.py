"""Calls written out as text, so that equal texts mean equal arguments, types included."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from inspect import Parameter, signature
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import NoneType
from typing import Any, Final, cast
from uuid import UUID
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from infra_cache.messages import CacheMessages
from infra_protocols import ValidationError

LONE_TEXT: Final = "/"
"""What stands between the name of a function and its only argument, where that is ASCII text: this is written as is."""
LONE_INT: Final = "#"
"""What stands between the name of a function and its only argument, where that is an int."""

LONG_INT: Final = 1024
"""How many bits an int may have that is written in decimals; Python refuses that to long ones."""

# `ascii` writes these so that nothing is lost, and alike in every process and on every version of Python.
_PLAIN: Final = frozenset({NoneType, bool, float, complex, str, bytes})

_NAME: Final = re.compile(r"[\w.<>-]+:[\w.<>]+")
_class_names: Final[WeakValueDictionary[str, type]] = WeakValueDictionary()


class _UnwritableError(Exception):
    def __init__(self, kind: type) -> None:
        self.kind = kind


def function_name(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def key_text(name: str, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
    """
    Return the key of a call of `function`, which goes by `name` in it.

    Raises:
        ValidationError: an argument cannot be written out.
    """
    if len(args) == 1 and not kwargs:
        (value,) = args
        if type(value) is str and value.isascii():
            return name + LONE_TEXT + value
        if type(value) is int:
            return name + LONE_INT + _int(value)
    try:
        texts = [f"{value!a}" if type(value) in _PLAIN else _text(value) for value in args]
        if kwargs:
            texts += [f"{_parameter_text(key)}={_text(kwargs[key])}" for key in sorted(kwargs)]
    except (_UnwritableError, RecursionError):
        raise _refusal(function, args, kwargs) from None
    return f"{name}({', '.join(texts)})"


def _refusal(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> ValidationError:
    field, kind = "args", "tuple"
    for place, value in (*enumerate(args), *kwargs.items()):
        try:
            _text(value)
        except (_UnwritableError, RecursionError) as error:
            field = place if isinstance(place, str) else _parameter(function, place)
            kind = (error.kind if isinstance(error, _UnwritableError) else type(value)).__name__
            break
    message = CacheMessages.CACHE_KEY_UNSUPPORTED.format(field=field)
    return ValidationError(message, field=field, kind=kind)


def _parameter(function: Callable[..., object], index: int) -> str:
    by_position = [
        parameter.name
        for parameter in signature(function).parameters.values()
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]
    return by_position[min(index, len(by_position) - 1)] if by_position else "args"


def _parameter_text(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else ascii(name)


def _text(value: Any) -> str:
    kind = cast("type[Any]", type(value))
    write = _WRITERS.get(kind)
    if write is not None:
        return write(value)
    if isinstance(value, Enum):
        return _member(value)
    if issubclass(kind, type):
        return f"<{_class_name(value)}>"
    if tuple in kind.__bases__ and hasattr(kind, "_fields"):
        return _class_name(kind) + _tuple(map(_text, value))
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is not None and parameters.frozen and not isinstance(value, _OPAQUE):
        named = [f"{field.name}={_text(getattr(value, field.name))}" for field in fields(value)]
        return _class_name(kind) + _tuple(named)
    raise _UnwritableError(kind)


def _tuple(texts: Iterable[str]) -> str:
    inside = list(texts)
    return f"({inside[0]},)" if len(inside) == 1 else f"({', '.join(inside)})"


def _sorted(texts: Iterable[str]) -> str:
    return f"{{{', '.join(sorted(texts))}}}"


def _int(value: int) -> str:
    return str(value) if value.bit_length() < LONG_INT else hex(value)


def _zoned(value: datetime | time) -> str:
    zone = value.tzinfo
    if zone is None or type(zone) is timezone or (type(zone) is ZoneInfo and zone.key):
        return ascii(value)
    raise _UnwritableError(type(zone))


def _member(value: Enum) -> str:
    if isinstance(value, Flag):
        return f"{_class_name(type(value))}[{_text(value.value)}]"
    if type(value).__members__.get(value.name) is value:
        return f"{_class_name(type(value))}[{value.name!a}]"
    raise _UnwritableError(type(value))


def _class_name(kind: type) -> str:
    # A class that can be imported owns its name; of local ones, which can share theirs, the first that is alive.
    name = f"{kind.__module__}:{kind.__qualname__}"
    owner = _class_names.get(name)
    if owner is not kind:
        if not _NAME.fullmatch(name) or (owner is not None and not _importable(kind)):
            raise _UnwritableError(kind)
        _class_names[name] = kind
    return name


def _importable(kind: type) -> bool:
    found: object = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    **dict.fromkeys(_PLAIN, ascii),
    **dict.fromkeys((UUID, Decimal, date, timedelta), ascii),
    **dict.fromkeys((PosixPath, PurePosixPath, PureWindowsPath, WindowsPath), ascii),
    **dict.fromkeys((datetime, time), _zoned),
    int: _int,
    range: lambda value: "range" + _tuple(map(_int, (value.start, value.stop, value.step))),
    tuple: lambda value: _tuple(map(_text, value)),
    list: lambda value: f"[{', '.join(map(_text, value))}]",
    set: lambda value: "set" + _sorted(map(_text, value)),
    frozenset: lambda value: "frozenset" + _sorted(map(_text, value)),
    dict: lambda value: _sorted(f"{_text(key)}: {_text(kept)}" for key, kept in value.items()),
}
# Their subclasses hold, besides fields, what no field shows.
_OPAQUE: Final = (str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset, BaseException)
