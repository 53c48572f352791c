"""Whatever the type and the value: what is written comes back, the rest is refused, and no bytes do harm."""

import json
import math
from collections import OrderedDict
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, NewType, NotRequired, TypedDict, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from infra_protocols import DecodeError, JsonCodec, ValidationError

type Typed = tuple[Any, SearchStrategy[Any]]
"""A type, and its values."""

type Tree = list[Tree] | dict[str, Tree] | int | None
UserId = NewType("UserId", int)


class Color(Enum):
    RED = "red"
    ONE = 1
    HALF = 0.5
    NONE = None
    DAY = date(2026, 1, 1)


class Right(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: float
    y: float = 0


class Options(TypedDict):
    name: str
    size: NotRequired[int | None]


@dataclass
class Plain:
    number: int
    name: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    id: UUID
    at: datetime | None = None
    colors: frozenset[Color] = frozenset()


@dataclass
class Only:
    it: Decimal


@dataclass
class Empty:
    pass


@dataclass(slots=True)
class Box[T]:
    item: T
    others: tuple[T, ...] = ()


@dataclass
class Node:
    name: str
    left: "Node | None" = None
    right: "Node | Plain | None" = None


def equal(one: Any, other: Any) -> bool:
    """Equal, and of the same types at any depth."""
    kind = cast("type[Any]", type(one))
    if kind is not type(other):
        return False
    if kind is float:
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if kind is Decimal:
        return one.as_tuple() == other.as_tuple()
    if kind is datetime or kind is time:
        return one == other and one.utcoffset() == other.utcoffset()
    if kind is dict:
        return len(one) == len(other) and all(map(equal, one.items(), other.items()))
    if kind is set or kind is frozenset:
        return len(one) == len(other) and all(any(equal(each, found) for found in other) for each in one)
    if issubclass(kind, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if is_dataclass(kind):
        return all(equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(kind))
    return one == other


def seconds(low: int, high: int) -> SearchStrategy[timedelta]:
    return st.integers(low, high).map(lambda number: timedelta(seconds=number))


TEXT = st.text(max_size=8)
ZONES = st.none() | st.just(UTC) | seconds(-86399, 86399).map(timezone)
MOMENTS = st.tuples(st.datetimes(), ZONES).map(lambda drawn: drawn[0].replace(tzinfo=drawn[1], fold=0))
TIMES = st.tuples(st.times(), ZONES).map(lambda drawn: drawn[0].replace(tzinfo=drawn[1], fold=0))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
JSON: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TREES: SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
PLAINS = st.builds(Plain, st.integers(), TEXT)
NODES: SearchStrategy[Any] = st.recursive(
    st.builds(Node, TEXT), lambda inner: st.builds(Node, TEXT, st.none() | inner, PLAINS | inner), max_leaves=6
)

KEYS: list[Typed] = [
    (str, TEXT),
    (int, st.integers()),
    (UUID, st.uuids()),
    (bytes, st.binary(max_size=8)),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (datetime, MOMENTS),
    (UserId, st.integers()),
    (Literal["a", 1], st.sampled_from(["a", 1])),
]
HASHABLE: list[Typed] = [
    *KEYS,
    (None, st.none()),
    (bool, st.booleans()),
    (float, FLOATS | st.integers()),
    (Decimal, DECIMALS),
    (time, TIMES),
    (Color, st.sampled_from(Color)),
    (Right, st.sampled_from([Right(0), *Right, Right.READ | Right.WRITE])),
    (Point, st.builds(Point, FLOATS | st.integers(), FLOATS)),
    (Sealed, st.builds(Sealed, id=st.uuids(), at=st.none() | MOMENTS, colors=st.frozensets(st.sampled_from(Color)))),
    (Literal["a", None, b"b", Color.RED], st.sampled_from(["a", None, b"b"])),
    (int | None, st.integers() | st.none()),
    (bool | float | str | None, st.booleans() | FLOATS | st.integers() | TEXT | st.none()),
]
LEAVES: list[Typed] = [
    *HASHABLE,
    (Any, JSON),
    (object, JSON),
    (list, st.lists(JSON, max_size=3)),
    (dict, st.dictionaries(TEXT, JSON, max_size=3)),
    (Tree, TREES),
    (Options, st.fixed_dictionaries({"name": TEXT}, optional={"size": st.none() | st.integers()})),
    (Plain, PLAINS),
    (Only, st.builds(Only, DECIMALS)),
    (Empty, st.builds(Empty)),
    (Node, NODES),
    (Node | Plain | list[int], NODES | PLAINS | st.lists(st.integers(), max_size=3)),
    (list[int] | list[str], st.lists(st.integers(), max_size=3) | st.lists(TEXT, max_size=3)),
]


@st.composite
def containers(draw: st.DrawFn, inner: SearchStrategy[Typed]) -> Typed:
    tp, values = draw(inner)
    hashable, members = draw(st.sampled_from(HASHABLE))
    key, keys = draw(st.sampled_from(KEYS))
    other, others = draw(inner)
    boxes: SearchStrategy[Any] = st.builds(Box[Any], values, st.lists(values, max_size=2).map(tuple))
    return draw(
        st.sampled_from(
            [
                (list[tp], st.lists(values, max_size=3)),
                (tuple[tp, ...], st.lists(values, max_size=3).map(tuple)),
                (tuple[tp, other], st.tuples(values, others)),
                (dict[key, tp], st.dictionaries(keys, values, max_size=3)),
                (set[hashable], st.sets(members, max_size=3)),
                (frozenset[hashable], st.frozensets(members, max_size=3)),
                (Box[tp], boxes),
            ]
        )
    )


TYPED: SearchStrategy[Typed] = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4)


class Name(str):
    pass


@dataclass
class Special(Plain):
    pass


def wrong(cls: Any, *args: object) -> Any:
    """Make what no type checker lets pass."""
    return cls(*args)


ODD: list[Any] = [
    *(math.nan, math.inf, 1j, "\ud800", "\udc00x", Name("a"), True, 1, 1.0, Decimal("nan"), Decimal("inf")),
    *(datetime(2026, 1, 1, fold=1), time(1, fold=1), time(1, tzinfo=ZoneInfo("Europe/Berlin"))),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))),
    *(HTTPStatus.OK, Color, int, object(), len, range(3), OrderedDict(a=1), Special(1), Box(object()), Right.READ),
    *(
        wrong(Plain, True),
        wrong(Plain, "1"),
        wrong(Node, "a", Node("b", wrong(Node, Name("c")))),
        wrong(Point, 1, None),
    ),
    *(b"b", bytearray(b"b"), NotImplemented, ...),
]
STRANGE: SearchStrategy[Any] = st.recursive(
    st.sampled_from(ODD) | JSON,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXT | st.integers() | st.none(), inner, max_size=3)
        | st.builds(Box[Any], inner)
        | st.builds(Plain, inner, inner)
        | st.builds(Node, inner, inner, inner)
    ),
    max_leaves=4,
)
many = settings(max_examples=300, deadline=None)


@pytest.mark.parametrize("place", range(len(LEAVES)))
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_written_of_each_type_comes_back(place: int, data: DataObject) -> None:
    written_and_read(LEAVES[place], data)


@given(TYPED, st.data())
@many
def test_what_is_written_of_types_made_of_types_comes_back(typed: Typed, data: DataObject) -> None:
    written_and_read(typed, data)


def written_and_read(typed: Typed, data: DataObject) -> None:
    value = data.draw(typed[1])
    codec: JsonCodec[Any] = JsonCodec(typed[0])
    written = codec.encode(value)
    assert equal(codec.decode(written), value)
    assert not {"NaN", "Infinity", "-Infinity"} & set(constants(written))


def constants(written: bytes) -> list[str]:
    found: list[str] = []
    json.loads(written.decode("utf-8"), parse_constant=found.append)
    return found


@given(TYPED, TYPED, st.data())
@many
def test_a_value_of_another_type_comes_back_too_or_is_refused(typed: Typed, other: Typed, data: DataObject) -> None:
    write(JsonCodec(typed[0]), data.draw(other[1]))


@given(TYPED, STRANGE)
@many
def test_any_value_comes_back_or_is_refused(typed: Typed, value: Any) -> None:
    write(JsonCodec(typed[0]), value)


def write(codec: JsonCodec[Any], value: Any) -> None:
    field = None
    try:
        written = codec.encode(value)
    except ValidationError as refused:
        field = refused.field or ""
    else:
        assert equal(codec.decode(written), value)
    assert field is None or field.startswith("value")


def read(codec: JsonCodec[Any], data: bytes) -> None:
    """Read what may be anything: it is refused, or is a value that can be written and read again."""
    path = None
    try:
        value = codec.decode(data)
    except DecodeError as refused:
        path = refused.path or ""
    else:
        assert equal(codec.decode(codec.encode(value)), value)
    assert path is None or path.startswith("value")


@given(TYPED, JSON)
@many
def test_any_json_is_refused_or_read(typed: Typed, plain: Any) -> None:
    read(JsonCodec(typed[0]), json.dumps(plain).encode())


@given(TYPED, st.binary(max_size=16))
@many
def test_any_bytes_are_refused_or_read(typed: Typed, data: bytes) -> None:
    read(JsonCodec(typed[0]), data)


@given(TYPED, TYPED, st.data())
@many
def test_json_of_another_type_is_refused_or_read(typed: Typed, other: Typed, data: DataObject) -> None:
    read(JsonCodec(typed[0]), JsonCodec[Any](other[0]).encode(data.draw(other[1])))


PARTS = b' null 0 -1 1e999 " [ { } , \\ud800 \xff NaN "a":1, "$type":"Plain",'.split(b" ")


@given(TYPED, st.data())
@many
def test_json_that_was_tampered_with_is_refused_or_read(typed: Typed, data: DataObject) -> None:
    codec: JsonCodec[Any] = JsonCodec(typed[0])
    written = codec.encode(data.draw(typed[1]))
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, min(start + 4, len(written))))
    read(codec, written[:start] + data.draw(st.sampled_from(PARTS)) + written[end:])
