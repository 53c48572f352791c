"""Whether what came back is what was written: equal, and of the same types at any depth."""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from functools import lru_cache, partial
from typing import Any


class DifferentError(Exception):
    """Two values differ; `path` leads to the part where they do, read backwards."""

    def __init__(self, value: object) -> None:
        self.kind: str = type(value).__name__
        super().__init__(self.kind)
        self.path: list[str] = []

    @property
    def where(self) -> str:
        return "value" + "".join(reversed(self.path))


def compare(value: object, back: object) -> None:
    """
    Compare what was written with what came back.

    Raises:
        DifferentError: they differ.
    """
    kind = type(value)
    if kind is not type(back):
        raise DifferentError(value)
    _comparer(kind)(value, back)


@lru_cache(maxsize=512)
def _comparer(kind: type[Any]) -> Callable[[Any, Any], None]:
    if issubclass(kind, list | tuple):
        return _items
    if issubclass(kind, dict):
        return _dict
    if issubclass(kind, set | frozenset):
        return _set
    if issubclass(kind, datetime | time):
        return _moment
    if is_dataclass(kind):
        return partial(_fields, [each.name for each in fields(kind)])
    if hasattr(kind, "__attrs_attrs__"):
        return partial(_fields, [each.name for each in kind.__attrs_attrs__])
    if hasattr(kind, "__struct_fields__"):
        return partial(_fields, kind.__struct_fields__)
    return _equal


def _equal(value: Any, back: Any) -> None:
    if value != back:
        raise DifferentError(value)


def _moment(value: datetime | time, back: datetime | time) -> None:
    # Without a zone, what `==` does not see tells which of two times is meant that a clock put back shows.
    if value != back or _zone(value) != _zone(back):
        raise DifferentError(value)


def _zone(value: datetime | time) -> object:
    return value.fold if value.tzinfo is None else (value.utcoffset(), "aware")


def _items(value: Any, back: Any, part: str = "") -> None:
    if len(value) != len(back):
        raise DifferentError(value)
    place = -1
    try:
        for one, other in zip(value, back, strict=True):
            place += 1
            compare(one, other)
    except DifferentError as error:
        error.path.append(f"{part}[{place}]")
        raise


def _dict(value: Any, back: Any) -> None:
    _items(value, back, ".keys()")
    _items(value.values(), back.values(), ".values()")


def _set(value: Any, back: Any) -> None:
    if value != back:
        raise DifferentError(value)
    alike = {each: each for each in back}
    _items(value, [alike[each] for each in value])


def _fields(names: Iterable[str], value: Any, back: Any) -> None:
    name = ""
    try:
        for name in names:
            compare(getattr(value, name), getattr(back, name))
    except DifferentError as error:
        error.path.append(f".{name}")
        raise
