"""
Objects as JSON and back, strictly: UTF-8, no name twice, finite numbers, nested at most 128 deep.

`JsonCodec` says what passes. What it would pass without a second look, as nearly all is, goes past it: that takes half
the time.
"""

from collections.abc import Callable
from json import JSONDecoder, JSONEncoder, encoder
from math import isfinite
from typing import Any, Final, Never

from infra_protocols import JsonCodec

MAX_DEPTH: Final = 128

_CODEC: Final = JsonCodec[dict[str, Any]](dict[str, Any])


def read(data: bytes) -> dict[str, Any]:
    """
    Return the object that `data` is.

    Raises:
        DecodeError: it is none, or one that is ambiguous.
    """
    if b"\\" not in data and _is_shallow(data):
        try:
            text = data.decode()
            found, end = _scan(text, 0)
        except (ValueError, StopIteration):
            found, end, text = None, -1, ""
        if end == len(text) and type(found) is dict:
            return found  # pyright: ignore[reportUnknownVariableType]
    return _CODEC.decode(data)


def write(claims: dict[str, Any]) -> bytes:
    """
    Return `claims`, which are what JSON knows, as JSON.

    Raises:
        ValidationError: they would not come back as they are.
    """
    try:
        data = _write(claims).encode()
    except (ValueError, RecursionError):
        data = None
    if data is not None and _is_shallow(data):
        return data
    return _CODEC.encode(claims)


def _is_shallow(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") <= MAX_DEPTH  # not so deep even if each is inside of the one before


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError
    return number


def _not_in_json(_: str) -> Never:
    raise ValueError


_DECODER: Final = JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_in_json, parse_float=_finite)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = vars(_DECODER)["scan_once"]
_ENCODER: Final = JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def _prepared() -> Callable[[Any], str]:
    """Return what `JSONEncoder.encode` does, its C part made once instead of for each object."""
    plain, parts = getattr(encoder, "encode_basestring", None), getattr(encoder, "c_make_encoder", None)
    try:
        quick: Any = parts and parts(None, _ENCODER.default, plain, None, ":", ",", False, False, False)
        return (lambda claims: "".join(quick(claims, 0))) if quick and quick({}, 0) == ("{}",) else _ENCODER.encode
    except TypeError:
        return _ENCODER.encode  # this Python has another


_write: Final = _prepared()
