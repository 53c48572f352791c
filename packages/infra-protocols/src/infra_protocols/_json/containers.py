"""Types whose values hold others: lists, tuples, sets, dicts, and whatever JSON can hold."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import length_hint
from typing import Any, Final, cast

from infra_protocols._json.shape import NOTHING, Convert, MismatchError, Shape, build, misfit, misread

_LIST: Final = frozenset[type]({list})
_DICT: Final = frozenset[type]({dict})
JSON: Final = "what JSON can hold"


def array_of(kind: type, item: Shape) -> Shape:
    """Any number of items of one type, in a `list`, `tuple`, `set` or `frozenset`."""
    name = f"{kind.__name__}[{item.name}{', ...' if kind is tuple else ''}]"
    dump_item, load_item = item.dump, item.load
    passes_out, passes_in = item.passes_out, item.passes_in
    unique = kind is set or kind is frozenset

    def dump(value: Any) -> Any:
        if type(value) is not kind:
            raise misfit(name, value)
        if passes_out and passes_out.issuperset(map(type, value)):
            return value if kind is list else list(value)
        walk = iter(value)
        try:
            return [dump_item(each) for each in walk]
        except MismatchError as error:
            locate(error, value, walk)
            raise

    def read(plain: Any) -> list[Any]:
        if type(plain) is not list:
            raise misread(name, plain)
        items = cast("list[Any]", plain)
        if passes_in and passes_in.issuperset(map(type, items)):
            return items
        walk = iter(items)
        try:
            return [load_item(each) for each in walk]
        except MismatchError as error:
            locate(error, items, walk)
            raise

    def load(plain: Any) -> Any:
        items = read(plain)
        made = build(name, "array", kind, items)
        if unique and len(made) != len(items):
            raise MismatchError(f"{name} without duplicates", "array")
        return made

    return Shape(
        name=name,
        types=frozenset({kind}),
        kinds=_LIST,
        dump=dump,
        load=read if kind is list else load,
        natural=kind is list and item.natural,
    )


def fixed(
    kind: type, items: Sequence[Shape], make: Callable[[list[Any]], Any], *, name: str, least: int | None = None
) -> Shape:
    """
    A tuple of a type for each place, or a named one.

    `make` makes it of what was read; that may be fewer items, but not fewer than `least`.
    """
    size = len(items)
    fewest = size if least is None else least
    dumps = [item.dump for item in items]
    loads = [item.load for item in items]

    def dump(value: Any) -> Any:
        if type(value) is not kind or len(value) != size:
            raise misfit(name, value)
        walk = iter(value)
        try:
            return [dump(each) for dump, each in zip(dumps, walk, strict=False)]
        except MismatchError as error:
            locate(error, value, walk)
            raise

    def load(plain: Any) -> Any:
        items = cast("list[Any]", plain)
        if type(plain) is not list or not fewest <= len(items) <= size:
            raise misread(name, items)
        walk = iter(items)
        try:
            loaded = [load(each) for load, each in zip(loads, walk, strict=False)]
        except MismatchError as error:
            locate(error, items, walk)
            raise
        return make(loaded)

    return Shape(name=name, types=frozenset({kind}), kinds=_LIST, dump=dump, load=load)


def dict_of(key: Shape, item: Shape) -> Shape:
    """A `dict`, which is an object of JSON, its keys made texts."""
    name = f"dict[{key.name}, {item.name}]"
    assert key.key is not None
    dump_key, load_key = key.key
    dump_item, load_item = item.dump, item.load
    passes_out = item.passes_out if str in key.passes_out else NOTHING
    passes_in = item.passes_in if str in key.passes_in else NOTHING

    def dump(value: Any) -> Any:
        if type(value) is not dict:
            raise misfit(name, value)
        items = cast("dict[Any, Any]", value)
        if passes_out and passes_out.issuperset(map(type, items.values())) and {str}.issuperset(map(type, items)):
            return items
        return go_through(items, dump_key, dump_item)

    def load(plain: Any) -> Any:
        if type(plain) is not dict:
            raise misread(name, plain)
        items = cast("dict[str, Any]", plain)
        if passes_in and passes_in.issuperset(map(type, items.values())):
            return items
        loaded = go_through(items, load_key, load_item)
        if len(loaded) != len(items):
            raise MismatchError(f"{name} without duplicate keys", "object")
        return loaded

    return Shape(
        name=name,
        types=_DICT,
        kinds=_DICT,
        dump=dump,
        load=load,
        natural=key.name == "str" and item.natural,
    )


def go_through(items: dict[Any, Any], key: Callable[[Any], Any], item: Callable[[Any], Any]) -> dict[Any, Any]:
    walk = iter(items)
    try:
        keys = [key(each) for each in walk]
    except MismatchError as error:
        locate(error, items, walk, ".keys()")
        raise
    walk = iter(items.values())
    try:
        values = [item(each) for each in walk]
    except MismatchError as error:
        locate(error, items, walk, ".values()")
        raise
    return build("dict", "object", dict, zip(keys, values, strict=True))


def anything(scalars: Mapping[type, Shape]) -> Shape:
    """Whatever JSON can hold, as it is."""
    plain = {kind: shape for kind, shape in scalars.items() if shape.natural}
    kinds = frozenset[type](plain) | _LIST | _DICT
    return Shape(
        name=JSON,
        types=kinds,
        kinds=kinds,
        dump=_checked({kind: shape.dump for kind, shape in plain.items()}, misfit),
        load=_checked({kind: shape.load for kind, shape in plain.items()}, misread),
        natural=True,
    )


def _checked(leaves: Mapping[type, Convert], tell: Callable[[str, object], MismatchError]) -> Convert:
    check_key = leaves[str]

    def check(value: object) -> Any:
        leaf = leaves.get(type(value))
        if leaf is not None:
            return leaf(value)
        if type(value) is list:
            items = cast("list[object]", value)
            check_each(items, items, check, "")
        elif type(value) is dict:
            pairs = cast("dict[object, object]", value)
            check_each(pairs, pairs, check_key, ".keys()")
            check_each(pairs, pairs.values(), check, ".values()")
        else:
            raise tell(JSON, value)
        return cast("object", value)

    def check_each(whole: Collection[object], items: Iterable[object], check_one: Convert, part: str) -> None:
        walk = iter(items)
        try:
            for each in walk:
                check_one(each)
        except MismatchError as error:
            locate(error, whole, walk, part)
            raise

    return check


def locate(error: MismatchError, whole: Any, walk: Any, part: str = "") -> None:
    """Add to the path of `error` how far `walk` had come in `whole`."""
    error.path.append(f"{part}[{len(whole) - length_hint(walk) - 1}]")
