"""What the fields of a class are of, its type parameters filled in."""

from collections.abc import Iterator, Mapping
from inspect import get_annotations
from types import get_original_bases
from typing import Any, TypeAliasType, TypeVar, cast, get_args, get_origin, get_type_hints, is_typeddict

from infra_protocols._json.shape import UnsupportedError

type Filled = dict[Any, Any]


def fields_of(cls: type[Any], args: tuple[Any, ...]) -> dict[str, Any]:
    """
    Return the type of each annotated name of `cls`, whose type parameters stand for `args`.

    Raises:
        UnsupportedError: an annotation names what cannot be found.
    """
    found: dict[str, Any] = {}
    for each, filled in _with_bases(cls, filled_in(_parameters(cls), args)):
        names = get_annotations(each)
        if not names:
            continue
        # Names that only the function knows in which the class was made: itself, and its own parameters.
        local = {each.__name__: each} | {parameter.__name__: parameter for parameter in _parameters(each)}
        try:
            hints = get_type_hints(each, localns=local, include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise UnsupportedError(each.__name__, "an annotation names what cannot be found") from error
        for name in names:
            if name not in found and name in hints:
                found[name] = substituted(hints[name], filled)
    return found


def _with_bases(cls: type[Any], filled: Filled) -> Iterator[tuple[type[Any], Filled]]:
    """Yield `cls` and each of its bases in the order of inheritance, with what its parameters stand for."""
    known = {cls: filled}
    ahead = [cls]
    while ahead:
        each = ahead.pop()
        for base in get_original_bases(each):
            origin: Any = get_origin(base) or base
            if isinstance(origin, type) and origin not in known:
                args = tuple(substituted(arg, known[each]) for arg in get_args(base))
                known[origin] = filled_in(_parameters(origin), args)
                ahead.append(origin)
    # A typed dict inherits from `dict` alone, and has the annotations of its bases as if they were its own.
    order = reversed(known) if is_typeddict(cls) else cls.__mro__
    yield from ((each, known.get(each, {})) for each in order)


def filled_in(parameters: tuple[Any, ...], args: tuple[Any, ...]) -> Filled:
    return dict(zip(parameters, args, strict=False))


def substituted(tp: Any, filled: Mapping[Any, Any]) -> Any:
    """Return `tp` with the type parameters in it replaced by what they stand for."""
    if isinstance(tp, TypeVar):
        return filled.get(tp, tp)
    if isinstance(tp, type | TypeAliasType) or not _parameters(tp):
        return cast("object", tp)
    return tp[tuple(filled.get(each, each) for each in _parameters(tp))]


def _parameters(tp: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", getattr(tp, "__parameters__", ()))
