"""Types that choose: between members, between values, between types."""

from collections.abc import Mapping, Sequence
from enum import Enum, Flag
from typing import Any, cast

from infra_protocols._json.shape import NOTHING, Convert, MismatchError, Shape, UnsupportedError, misfit, misread

TAG = "$type"


def one_of(name: str, values: Sequence[Any], scalars: Mapping[type, Shape]) -> Shape:
    """An `Enum`, or a `Literal`: each value is written as what it is, a member as the value it has."""
    written: dict[tuple[type, Any], Any] = {}
    read: dict[tuple[type, Any], Any] = {}
    keys: dict[str, Any] = {}
    for value in values:
        content: object = value.value if isinstance(value, Enum) else value
        kind = type(content)
        shape = scalars.get(kind)
        if shape is None:
            raise UnsupportedError(name, f"it has a value that is a {kind.__name__}")
        try:
            plain = shape.dump(content)
        except MismatchError as error:
            raise UnsupportedError(name, f"it has a value that is not {error.expected}") from None
        if (type(plain), plain) in read:
            raise UnsupportedError(name, "two of its values are the same in JSON")
        read[type(plain), plain] = value
        written[type(value), value] = plain
        keys[str(plain)] = value
    types = frozenset(kind for kind, _ in written)
    texts = {value: text for text, value in keys.items()}

    def dump(value: Any) -> Any:
        # What is not of a type of the values may have no hash.
        if type(value) in types and (type(value), value) in written:
            return written[type(value), value]
        raise misfit(name, value)

    def load(plain: object) -> Any:
        kind = type(plain)
        if kind in kinds and (kind, plain) in read:
            return read[kind, plain]
        raise misread(name, plain)

    def dump_key(value: Any) -> Any:
        dump(value)
        return texts[value]

    def load_key(plain: Any) -> Any:
        if plain in keys:
            return keys[plain]
        raise misread(name, plain)

    kinds = frozenset(kind for kind, _ in read)
    # As a key, 1 and "1" are one text; True and None are no keys, as in JSON.
    keyed = len(keys) == len(values) and kinds <= {str, int}
    return Shape(
        name=name,
        types=types,
        kinds=kinds,
        dump=dump,
        load=load,
        natural=types == kinds,
        key=(dump_key, load_key) if keyed else None,
    )


def flag(cls: type[Flag]) -> Shape:
    """Flags, written as a number, whose bits are all of declared members."""
    name = cls.__name__
    known = 0
    for member in cls:
        known |= member.value

    def dump(value: Any) -> Any:
        if type(value) is cls and not value.value & ~known:
            return value.value
        raise misfit(name, value)

    def load(plain: Any) -> Any:
        if type(plain) is int and not plain & ~known:
            return cls(plain)
        raise misread(name, plain)

    whole = frozenset[type]({int})
    return Shape(name=name, types=frozenset({cls}), kinds=whole, dump=dump, load=load)


def union(name: str, shapes: Sequence[Shape]) -> Shape:
    """One of several types, told apart by what they are in JSON; several classes by a tag."""
    tagged = [shape for shape in shapes if shape.tag is not None]
    if len(tagged) > 1:
        shapes = [shape for shape in shapes if shape.tag is None] + [_tagged(name, tagged)]
    _tell_apart(name, shapes)
    dumps = {kind: [shape.dump for shape in shapes if kind in shape.types] for shape in shapes for kind in shape.types}
    loads = {kind: [shape.load for shape in shapes if kind in shape.kinds] for shape in shapes for kind in shape.kinds}
    dump_one = {kind: _first(found) for kind, found in dumps.items()}
    load_one = {kind: _first(found) for kind, found in loads.items()}

    def dump(value: object) -> Any:
        kind = type(value)
        found = dump_one.get(kind)
        if found is None:
            raise misfit(name, value)
        return found(value)

    def load(plain: object) -> Any:
        kind = type(plain)
        found = load_one.get(kind)
        if found is None:
            raise misread(name, plain)
        return found(plain)

    return Shape(
        name=name,
        types=frozenset(dumps),
        kinds=frozenset(loads),
        dump=dump,
        load=load,
        natural=all(shape.natural for shape in shapes),
        passes_out=NOTHING.union(*(shape.passes_out for shape in shapes)),
        passes_in=NOTHING.union(*(shape.passes_in for shape in shapes)),
    )


def _tell_apart(name: str, shapes: Sequence[Shape]) -> None:
    for index, shape in enumerate(shapes):
        if not shape.kinds:
            raise UnsupportedError(name, "it refers to itself, with nothing in between")
        for other in shapes[:index]:
            # Of two that take what is read as it is, either may: the result is the same.
            if shape.kinds & other.kinds and not (shape.natural and other.natural):
                raise UnsupportedError(name, f"{other.name} and {shape.name} look the same in JSON")


def _first(converts: Sequence[Convert]) -> Convert:
    if len(converts) == 1:
        return converts[0]

    def first(value: Any) -> Any:
        for convert in converts[:-1]:
            try:
                return convert(value)
            except MismatchError:
                continue
        return converts[-1](value)

    return first


def _tagged(name: str, shapes: Sequence[Shape]) -> Shape:
    by_tag = {cast("str", shape.tag): shape for shape in shapes}
    by_class = {kind: shape for shape in shapes for kind in shape.types}
    if len(by_tag) != len(shapes):
        raise UnsupportedError(name, "two of its classes have the same name")

    def dump(value: Any) -> Any:
        shape = by_class[type(value)]
        return {TAG: shape.tag, **shape.dump(value)}

    def load(plain: Any) -> Any:
        tag = plain.get(TAG)
        shape = by_tag.get(tag) if type(tag) is str else None
        if shape is None:
            raise MismatchError(f'{name}, its "{TAG}" saying which', "object")
        return shape.load(plain)

    return Shape(name=name, types=frozenset(by_class), kinds=frozenset({dict}), dump=dump, load=load)
