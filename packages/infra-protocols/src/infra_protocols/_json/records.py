"""Types whose values have named fields: dataclasses, named tuples and typed dicts."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from inspect import Parameter, signature
from operator import attrgetter, length_hint
from typing import Any, Final, cast

from infra_protocols._json.containers import fixed
from infra_protocols._json.shape import Convert, MismatchError, Shape, UnsupportedError, build, misfit, misread

_DICT: Final = frozenset[type]({dict})
_OPAQUE: Final[frozenset[type]] = frozenset(
    {str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset, BaseException}
)


def dataclass(cls: type[Any], name: str, shapes: Mapping[str, Shape]) -> Shape:
    """
    A dataclass, as an object of JSON.

    It is made by calling it, so that what it checks is checked. Fields that JSON lacks get their defaults; what JSON
    has besides the fields is passed over.
    """
    by_place = [each for each in fields(cls) if not each.kw_only]
    by_name = [each for each in fields(cls) if each.kw_only]
    names = [each.name for each in by_place + by_name]
    places = len(by_place)
    optional = {each.name for each in fields(cls) if _has_default(each)}
    dumps = [(each, shapes[each].passes_out, shapes[each].dump) for each in names]
    loads = [(each, shapes[each].passes_in, shapes[each].load) for each in names]
    values_of = _reader(names)

    def dump(value: Any) -> Any:
        if type(value) is not cls:
            raise misfit(name, value)
        try:
            values = values_of(value)
        except AttributeError:
            raise misfit(f"{name} with all its fields", value) from None
        walk = iter(values)
        try:
            # The shortest of ways for what stays as it is: most fields are texts and numbers.
            return {
                name: each if type(each) in passes else dump(each)
                for (name, passes, dump), each in zip(dumps, walk)  # noqa: B905
            }
        except MismatchError as error:
            _locate(error, names, walk)
            raise

    def load(plain: Any) -> Any:
        items: dict[str, Any] = plain
        if type(plain) is not dict:
            raise misread(name, items)
        walk = iter(loads)
        try:
            values = [value if type(value := items[each]) in passes else load(value) for each, passes, load in walk]
        except KeyError:
            found = _load_some(items, loads, optional)
            return build(name, "object", cls, **found)
        except MismatchError as error:
            _locate(error, names, walk)
            raise
        if by_name:
            named = dict(zip(names[places:], values[places:], strict=True))
            return build(name, "object", cls, *values[:places], **named)
        return build(name, "object", cls, *values)

    return Shape(name=name, types=frozenset({cls}), kinds=_DICT, dump=dump, load=load, tag=cls.__name__)


def check_constructor(cls: type[Any], name: str) -> None:
    """
    Look whether the values of the fields are what makes an instance.

    Raises:
        UnsupportedError: they are not.
    """
    for base in cls.__mro__:
        if base in _OPAQUE:
            raise UnsupportedError(name, f"as a {base.__name__} it holds what no field shows")
    for each in fields(cls):
        if not each.init:
            raise UnsupportedError(f"{name}.{each.name}", "a field with init=False cannot be given back")
    # Called by place where it can be, and by name where it has to be.
    order = sorted(fields(cls), key=lambda each: bool(each.kw_only))
    if [(each.name, each.kind is Parameter.KEYWORD_ONLY) for each in signature(cls).parameters.values()] != [
        (each.name, each.kw_only) for each in order
    ]:
        raise UnsupportedError(name, "its constructor does not take its fields, and these alone")


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _reader(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple([getattr(value, name) for name in names])


def named_tuple(cls: type[Any], name: str, shapes: Mapping[str, Shape]) -> Shape:
    """A named tuple, as an array of JSON; items that it lacks at its end get their defaults."""
    least = len(shapes) - len(cast("dict[str, Any]", getattr(cls, "_field_defaults", {})))

    def make(values: list[Any]) -> Any:
        return build(name, "array", cls, *values)

    return fixed(cls, list(shapes.values()), make, name=name, least=least)


def typed_dict(name: str, shapes: Mapping[str, Shape], optional: set[str]) -> Shape:
    """A typed dict, as an object of JSON; keys that it does not declare are refused, or passed over on the way back."""
    required = shapes.keys() - optional
    dumps = {each: shape.dump for each, shape in shapes.items()}
    loads = {each: shape.load for each, shape in shapes.items()}

    def dump(value: Any) -> Any:
        if type(value) is not dict:
            raise misfit(name, value)
        items = cast("dict[Any, Any]", value)
        if not required <= items.keys() <= shapes.keys() or not {str}.issuperset(map(type, items)):
            raise MismatchError(f"{name} with its keys, and these alone", "dict")
        walk = iter(items)
        try:
            return {each: dumps[each](items[each]) for each in walk}
        except MismatchError as error:
            _locate(error, list(items), walk)
            raise

    def load(plain: Any) -> Any:
        if type(plain) is not dict:
            raise misread(name, plain)
        items = cast("dict[str, Any]", plain)
        known = [each for each in items if each in loads]
        walk = iter(known)
        try:
            loaded = {each: loads[each](items[each]) for each in walk}
        except MismatchError as error:
            _locate(error, known, walk)
            raise
        for each in required:
            if each not in loaded:
                raise _missing(each)
        return loaded

    return Shape(name=name, types=_DICT, kinds=_DICT, dump=dump, load=load)


def _load_some(
    plain: dict[str, Any], loads: Sequence[tuple[str, object, Convert]], optional: Container[str]
) -> dict[str, Any]:
    loaded: dict[str, Any] = {}
    for name, _, load in loads:
        if name in plain:
            try:
                loaded[name] = load(plain[name])
            except MismatchError as error:
                error.path.append(f".{name}")
                raise
        elif name not in optional:
            raise _missing(name)
    return loaded


def _missing(name: str) -> MismatchError:
    error = MismatchError("a value", "nothing")
    error.path.append(f".{name}")
    return error


def _locate(error: MismatchError, names: list[str], walk: Any) -> None:
    error.path.append(f".{names[len(names) - length_hint(walk) - 1]}")
