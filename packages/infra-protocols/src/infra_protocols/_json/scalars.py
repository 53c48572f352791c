"""Types that JSON knows, and whose values hold no others."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from types import NoneType
from typing import Any, Final

from infra_protocols._json.shape import NOTHING, Convert, Shape, misfit, misread
from infra_protocols._json.texts import texts

_INT: Final = re.compile("0|-?[1-9][0-9]*")
_UTF_8: Final = "text that can be written in UTF-8"
_SIZE: Final = "an int of a size that Python writes"


def scalars(*, careful: bool) -> Mapping[type, Shape]:
    """
    Return the shapes of the types whose values hold no others.

    Only careful ones find what `json` itself refuses: it does so sooner, but cannot say where.
    """
    # Two lone surrogates that happen to meet would be read as one character: so they cannot be written as escapes.
    text = _as_it_is(str, "str", _encodable, _UTF_8) if careful else _as_it_is(str, "str")
    text.key = (text.dump, text.load)
    whole = _as_it_is(int, "int", _printable, _SIZE) if careful else _as_it_is(int, "int")
    whole.key = (_int_key, _int_of_key)
    plain: dict[type, Shape] = {
        NoneType: _as_it_is(NoneType, "None"),
        bool: _as_it_is(bool, "bool"),
        int: whole,
        float: _float(whole.dump, careful=careful),
        str: text,
    }
    return {**plain, **texts()}


def _as_it_is(kind: type, name: str, good: Callable[[Any], bool] | None = None, expected: str = "") -> Shape:
    def load(plain: Any) -> Any:
        if type(plain) is kind:
            return plain
        raise misread(name, plain)

    def dump(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise misfit(name, value)

    def dump_good(value: Any) -> Any:
        if good is not None and not good(dump(value)):
            raise misfit(expected, value)
        return value

    one = frozenset({kind})
    return Shape(
        name=name,
        types=one,
        kinds=one,
        dump=dump_good if good else dump,
        load=load,
        natural=True,
        passes_out=NOTHING if good else one,
        passes_in=one,
    )


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(value: int) -> bool:
    try:
        str(value)
    except ValueError:
        return False
    return True


def _float(whole: Convert, *, careful: bool) -> Shape:
    """A float, or the int that a type checker lets pass for one, which stays an int."""

    def dump(value: object) -> Any:
        if type(value) is float:
            if careful and not isfinite(value):
                raise misfit("a finite float", value)
            return value
        if type(value) is int:
            return whole(value)
        raise misfit("float", value)

    def load(plain: object) -> Any:
        if type(plain) is int:
            return plain
        if type(plain) is float:
            if isfinite(plain):
                return plain
            raise misread("a finite float", plain)
        raise misread("float", plain)

    both = frozenset({float, int})
    passes = NOTHING if careful else both
    return Shape(name="float", types=both, kinds=both, dump=dump, load=load, natural=True, passes_out=passes)


def _int_key(value: Any) -> str:
    if type(value) is not int:
        raise misfit("int", value)
    if not _printable(value):
        raise misfit(_SIZE, value)
    return str(value)


def _int_of_key(plain: Any) -> int:
    if _INT.fullmatch(plain):
        try:
            return int(plain)
        except ValueError:
            pass
    raise misread("int", plain)
