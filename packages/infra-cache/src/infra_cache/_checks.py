"""The checks of what a cache is given, each returning what is good and raising what is not."""

import sys
from collections.abc import Iterable
from types import UnionType
from typing import Any, Final, NewType, cast, get_args, get_origin, is_typeddict

from infra_cache.messages import CacheMessages
from infra_protocols import CacheKey, CacheTypeError, ValidationError, or_raise, require_range, require_text

# What a type checker accepts for a number: an int where a float is asked for, either where a complex is.
_PROMOTED: Final[dict[object, tuple[type, ...]]] = {float: (float, int), complex: (complex, float, int)}


def key_name(key: object) -> str:
    if type(key) is str and key and not key.isspace():
        return key
    if isinstance(key, CacheKey):
        return cast("CacheKey[Any]", key).name
    return or_raise(require_text(key, "key"))


def key_names(keys: Iterable[str]) -> list[str]:
    return [
        key if type(key) is str and key and not key.isspace() else or_raise(require_text(key, "key"))
        for key in _several(keys, "keys")
    ]


def seconds(ttl: float | None, field: str = "ttl") -> float | None:
    """Return how many seconds `ttl` is, `None` for ever."""
    if ttl is None or (type(ttl) is float and 0.0 < ttl <= sys.float_info.max):
        return ttl
    return None if or_raise(require_range(ttl, field, above=0)) > sys.float_info.max else ttl


def tag_names(tags: Iterable[str]) -> tuple[str, ...]:
    if tags == ():
        return ()
    return tuple(dict.fromkeys([or_raise(require_text(tag, "tag")) for tag in _several(tags, "tags")]))


def fits(value: object, expected: object) -> bool:
    """Say whether `value` is what a type checker would let pass for `expected`, as far as can be seen at run time."""
    kind = get_origin(expected) or expected
    if kind is UnionType:
        return any(fits(value, each) for each in get_args(expected))
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if is_typeddict(kind):
        kind = dict
    try:
        return isinstance(value, _PROMOTED.get(kind, cast("type", kind)))
    except TypeError:
        return True  # a form of type that cannot be looked into is left to the type checker


def check_in(key: CacheKey[Any], value: object) -> None:
    if not fits(value, key.type):
        raise ValidationError(_wrong_type(key, type(value).__name__), field="value", kind=type(value).__name__)


def check_out[V](key: CacheKey[V], value: object) -> V:
    if fits(value, key.type):
        return cast("V", value)
    raise type_error(key, type(value).__name__)


def type_error(key: CacheKey[Any], kind: str) -> CacheTypeError:
    return CacheTypeError(_wrong_type(key, kind), operation="cache.get", parameters={"key": key.name})


def _several(texts: Iterable[str], field: str) -> Iterable[str]:
    if isinstance(texts, str) or not isinstance(cast("object", texts), Iterable):
        raise wrong_kind(texts, field, "several texts, not one")
    return texts


def wrong_kind(value: object, field: str, expected: str) -> ValidationError:
    message = CacheMessages.VALIDATION_WRONG_KIND.format(field=field, expected=expected)
    return ValidationError(message, field=field, kind=type(value).__name__)


def _wrong_type(key: CacheKey[Any], kind: str) -> str:
    expected = getattr(key.type, "__name__", str(key.type))
    return CacheMessages.CACHE_WRONG_TYPE.format(key=key.name, expected=expected, kind=kind)
