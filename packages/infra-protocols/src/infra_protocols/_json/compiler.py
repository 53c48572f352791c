"""Types into shapes."""

import dataclasses
import typing
from collections.abc import Callable
from enum import Enum, Flag
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeAliasType,
    TypeVar,
    get_args,
    get_origin,
    is_typeddict,
)

from infra_protocols._json import choices, containers, records
from infra_protocols._json.hints import fields_of, filled_in, substituted
from infra_protocols._json.scalars import scalars
from infra_protocols._json.shape import Shape, UnsupportedError


@dataclasses.dataclass(frozen=True, slots=True)
class Compiled:
    shape: Shape
    endless: bool
    """Whether its values may be nested to any depth."""


def compile_type(tp: object, *, careful: bool = False) -> Compiled:
    """
    Compile `tp`, or take what was made of it before.

    Careful shapes say where in a value is what `json` refuses; the others leave it to that.

    Raises:
        UnsupportedError: values of `tp` cannot be written so that they come back.
    """
    try:
        hash(tp)
    except TypeError:
        return _compiled.__wrapped__(tp, careful)
    return _compiled(tp, careful)


@lru_cache(maxsize=512)
def _compiled(tp: object, careful: bool) -> Compiled:
    compiler = _Compiler(careful=careful)
    try:
        shape = compiler.shape(tp)
    except RecursionError:
        raise UnsupportedError(told(tp), "it has no end") from None
    return Compiled(shape, compiler.endless)


class _Compiler:
    def __init__(self, *, careful: bool) -> None:
        self._scalars = scalars(careful=careful)
        self._constants = scalars(careful=True)
        self._made: dict[Any, Shape] = {}
        self.endless = False

    def shape(self, tp: Any) -> Shape:
        if tp is None:
            tp = NoneType
        if isinstance(tp, type) and tp in self._scalars:
            return self._scalars[tp]
        if tp is Any or tp is object:
            self.endless = True
            return containers.anything(self._scalars)
        if isinstance(tp, NewType):
            return self.shape(tp.__supertype__)
        origin, args = (tp, ()) if isinstance(tp, TypeAliasType) else (get_origin(tp), get_args(tp))
        if isinstance(origin, TypeAliasType):
            return self._named(tp, lambda: self._alias(origin, args))
        if args and origin in _WRAPPERS:
            return self.shape(args[0])
        if origin in _UNIONS:
            return choices.union(told(tp), [self.shape(each) for each in args])
        if origin is Literal:
            return choices.one_of(told(tp), args, self._constants)
        cls = tp if origin is None else origin
        if isinstance(cls, type):
            if cls in _BUILDERS:
                return _BUILDERS[cls](self, tp, args)
            return self._class(tp, cls, args)
        if isinstance(tp, TypeVar):
            raise UnsupportedError(told(tp), "nothing is given for this type parameter")
        if isinstance(tp, str):
            raise UnsupportedError(repr(tp), "what is quoted is looked up only for the fields of a class")
        raise UnsupportedError(told(tp), "it is not among the types that JsonCodec knows")

    def array_type(self, tp: Any, args: tuple[Any, ...]) -> Shape:
        return containers.array_of(get_origin(tp) or tp, self.shape(args[0] if args else Any))

    def tuple_type(self, tp: Any, args: tuple[Any, ...]) -> Shape:
        if not args and tp != tuple[()]:
            args = (Any, ...)
        if args[1:] == (...,):
            return containers.array_of(tuple, self.shape(args[0]))
        return containers.fixed(tuple, [self.shape(each) for each in args], tuple, name=told(tp))

    def dict_type(self, tp: Any, args: tuple[Any, ...]) -> Shape:
        key, item = map(self.shape, args or (str, Any))
        if key.key is None:
            raise UnsupportedError(told(tp), f"{key.name} cannot be the key of an object")
        return containers.dict_of(key, item)

    def _class(self, tp: Any, cls: type[Any], args: tuple[Any, ...]) -> Shape:
        name = told(tp)
        if issubclass(cls, Flag):
            return choices.flag(cls)
        if issubclass(cls, Enum):
            return choices.one_of(name, list(cls), self._constants)
        if is_typeddict(cls):
            return self._named(tp, lambda: self._typed_dict(cls, name, args), kind=dict)
        if tuple in cls.__mro__ and hasattr(cls, "_fields"):
            return self._named(tp, lambda: self._named_tuple(cls, name, args), cls, list)
        if dataclasses.is_dataclass(cls):
            return self._named(tp, lambda: self._dataclass(cls, name, args), cls, dict, cls.__name__)
        raise UnsupportedError(name, "it is not among the types that JsonCodec knows")

    def _dataclass(self, cls: type[Any], name: str, args: tuple[Any, ...]) -> Shape:
        records.check_constructor(cls, name)
        hints = fields_of(cls, args)
        return records.dataclass(
            cls, name, self._fields(cls, {each.name: hints[each.name] for each in dataclasses.fields(cls)})
        )

    def _named_tuple(self, cls: Any, name: str, args: tuple[Any, ...]) -> Shape:
        hints = fields_of(cls, args)
        if not hints.keys() >= set(cls._fields):
            raise UnsupportedError(name, "its fields have no types")
        return records.named_tuple(cls, name, self._fields(cls, {each: hints[each] for each in cls._fields}))

    def _typed_dict(self, cls: Any, name: str, args: tuple[Any, ...]) -> Shape:
        hints = fields_of(cls, args)
        # What the class says of itself does not see into annotations that are texts.
        said = {NotRequired: True, Required: False}
        optional = {each for each, hint in hints.items() if said.get(get_origin(hint), each in cls.__optional_keys__)}
        return records.typed_dict(name, self._fields(cls, hints), optional)

    def _fields(self, cls: type[Any], hints: dict[str, Any]) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for name, hint in hints.items():
            try:
                shapes[name] = self.shape(hint)
            except UnsupportedError as error:
                error.place = error.place or f"{cls.__name__}.{name}"
                raise
        return shapes

    def _alias(self, alias: TypeAliasType, args: tuple[Any, ...]) -> Shape:
        try:
            value = alias.__value__
        except (NameError, AttributeError, TypeError) as error:
            raise UnsupportedError(alias.__name__, "it names what cannot be found") from error
        return self.shape(substituted(value, filled_in(alias.__type_params__, args)))

    def _named(
        self,
        tp: Any,
        make: Callable[[], Shape],
        cls: type | None = None,
        kind: type | None = None,
        tag: str | None = None,
    ) -> Shape:
        """Make the shape of what has a name, and may refer to itself by it: while it is made, by one that waits."""
        try:
            hash(tp)
        except TypeError:
            raise UnsupportedError(told(tp), "what it is given cannot be hashed") from None
        if tp not in self._made:
            self._made[tp] = self._waiting(tp, cls or kind, kind, tag)
            self._made[tp] = make()
        elif self._made[tp].waits:
            self.endless = True
        return self._made[tp]

    def _waiting(self, tp: Any, cls: type | None, kind: type | None, tag: str | None) -> Shape:
        made = self._made
        return Shape(
            name=told(tp),
            types=frozenset({cls} if cls else ()),
            kinds=frozenset({kind} if kind else ()),
            dump=lambda value: made[tp].dump(value),
            load=lambda plain: made[tp].load(plain),
            tag=tag,
            waits=True,
        )


_UNIONS: Final[tuple[Any, ...]] = (UnionType, typing.Union)  # pyright: ignore[reportDeprecated]
_WRAPPERS: Final[tuple[Any, ...]] = (Annotated, Final, NotRequired, Required, getattr(typing, "ReadOnly", None))
_BUILDERS: Final[dict[Any, Callable[[_Compiler, Any, tuple[Any, ...]], Shape]]] = {
    list: _Compiler.array_type,
    set: _Compiler.array_type,
    frozenset: _Compiler.array_type,
    tuple: _Compiler.tuple_type,
    dict: _Compiler.dict_type,
}


def told(tp: Any) -> str:
    """Name a type as its user writes it."""
    if tp is NoneType:
        return "None"
    if tp is ...:
        return "..."
    origin, args = get_origin(tp), get_args(tp)
    if origin in _UNIONS:
        return " | ".join(map(told, args))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    name = getattr(origin or tp, "__name__", None) or str(tp)
    return f"{name}[{', '.join(map(told, args))}]" if args else name
