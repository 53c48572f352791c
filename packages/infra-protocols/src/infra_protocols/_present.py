"""How the parameters of an error are shown: as JSON-safe copies, bounded in size, without what is secret."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

from infra_protocols._secrets import REDACTED, is_secret, without_secrets

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

ELIDED: Final = "[...]"
MAX_DEPTH: Final = 6
MAX_ITEMS: Final = 50
MAX_NODES: Final = 500
MAX_TEXT: Final = 500
# How much of a text is searched for secrets: more than is shown, so that none is cut in half and goes unseen.
SEARCHED_TEXT: Final = 8 * MAX_TEXT
SHOWN_INT_BITS: Final = 1024


def present(value: object) -> Json:
    """A copy of `value` that `json.dumps` takes as strict JSON, whatever it is."""
    return _Copier().copy(value, 0)


def present_mapping(value: Mapping[Any, object]) -> dict[str, Json]:
    shown = present(value)
    return shown if isinstance(shown, dict) else {ELIDED: shown}


def present_text(text: str) -> str:
    # Lone surrogates would make the JSON unwritable as UTF-8.
    return without_secrets(text).encode("utf-8", "backslashreplace").decode("utf-8")


class _Copier:
    __slots__ = ("_left",)

    def __init__(self) -> None:
        # Depth and breadth alone do not bound what refers to itself many times over.
        self._left = MAX_NODES

    def copy(self, value: object, depth: int) -> Json:
        self._left -= 1
        if self._left < 0:
            return ELIDED
        try:
            return self._copy(value, depth)
        except Exception:
            # Whatever an object does when it is looked at, the error that is being made must not be lost by it.
            return _kind(value)

    def _copy(self, value: object, depth: int) -> Json:
        match value:
            case Enum():
                return self.copy(value.value, depth)
            case None | bool():
                return value
            # The methods of the builtins themselves: those of a subclass may return anything.
            case int():
                bits = int.bit_length(value)
                if bits <= 64:
                    return int.__pos__(value)
                return hex(value) if bits <= SHOWN_INT_BITS else f"<int of {bits} bits>"
            case float():
                return float.__pos__(value) if math.isfinite(value) else float.__repr__(value)
            case str():
                return _clipped(value)
            case datetime() | date() | time():
                return _clipped(value.isoformat())
            case timedelta() | Decimal() | UUID() | PurePath():
                return _clipped(str(value))
            case bytes() | bytearray():
                # Binary data may be key material and reads as nothing: only its length is told.
                return _size(value, len(value))
            case _:
                return self._container(value, depth + 1)

    def _container(self, value: object, depth: int) -> Json:
        if not isinstance(value, Mapping | list | tuple | AbstractSet):
            # An object's own repr may hold anything, secrets too: its kind is what is told.
            return _kind(value)
        if depth > MAX_DEPTH:
            return ELIDED
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value).items(), depth)
        if isinstance(value, AbstractSet):
            return self._set(cast("AbstractSet[object]", value), depth)
        items = cast("list[object] | tuple[object, ...]", value)
        if isinstance(items, tuple):
            if fields := cast("tuple[str, ...]", getattr(items, "_fields", ())):
                return self._mapping(zip(fields, items, strict=False), depth)
            if len(items) == 2 and isinstance(items[0], str | bytes):
                # A name and its value, as in a list of headers.
                return [self.copy(items[0], depth), self._item(items[0], self._name(items[0]), items[1], depth)]
        return self._list(items, depth)

    def _list(self, items: Iterable[object], depth: int) -> list[Json]:
        shown = [self.copy(item, depth) for item in islice(items, MAX_ITEMS + 1)]
        if len(shown) > MAX_ITEMS:
            shown[MAX_ITEMS] = ELIDED
        return shown

    def _set(self, items: AbstractSet[object], depth: int) -> Json:
        # The order of a set differs from run to run: it is shown whole and sorted, or not at all.
        size = len(items)
        if size > MAX_ITEMS:
            return _size(items, size)
        shown = [self.copy(item, depth) for item in islice(items, size)]
        return sorted(shown, key=repr) if self._left >= 0 else _size(items, size)

    def _mapping(self, items: Iterable[tuple[object, object]], depth: int) -> dict[str, Json]:
        shown: dict[str, Json] = {}
        for count, (key, item) in enumerate(islice(items, MAX_ITEMS + 1)):
            if count == MAX_ITEMS:
                shown[ELIDED] = ELIDED
            else:
                name = self._name(key)
                shown[_clipped(name)] = self._item(key, name, item, depth)
        return shown

    def _item(self, key: object, name: str, item: object, depth: int) -> Json:
        if is_secret(name) or (isinstance(key, Enum) and is_secret(key.name)):
            return REDACTED
        return self.copy(item, depth)

    def _name(self, key: object) -> str:
        match key:
            case Enum():
                return self._name(key.value)
            case str():
                return _searched(key)
            case bytes():
                return _searched(key.decode("latin-1"))
            case _:
                return str(self.copy(key, MAX_DEPTH - 1))


def _searched(text: str) -> str:
    return str.__getitem__(text, slice(0, SEARCHED_TEXT))


def _clipped(text: str) -> str:
    text = present_text(_searched(text))
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + ELIDED


def _kind(value: object) -> str:
    return f"<{_clipped(type(value).__qualname__)}>"


def _size(value: object, size: int) -> str:
    return f"{_kind(value)[:-1]} of {size}>"
