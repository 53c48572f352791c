"""Keys tell apart whatever is not the same, and are the same for what is."""

import collections
import copy
import enum
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cachetools.keys import typedkey
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_cache import call_key
from infra_protocols import ValidationError

T = TypeVar("T")


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    SMALL = 1


class Word(enum.StrEnum):
    RED = "RED"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Place(NamedTuple):
    x: int
    y: int


class Pair(NamedTuple, Generic[T]):  # noqa: UP046  # a NamedTuple with the new syntax is generic in the same way
    x: T
    y: T


class Old(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Point:
    x: int
    y: Any = 0
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Spot:
    x: int
    y: Any = 0


@dataclass(frozen=True)
class Deeper(Point):
    z: int = 0


MOMENT = datetime(2026, 3, 29, 1, 30)
ABROAD = timezone(timedelta(hours=1))

# No two of these are the same, though many are equal.
APART: list[object] = [
    *(None, "None", True, "True", 1, 1.0, 1 + 0j, "1", b"1", Decimal(1), Size.SMALL, Access.READ, Color.RED, Shade.RED),
    *(0, False, 0.0, -0.0, 0j, complex(-0.0, 0), complex(0, -0.0), complex(-0.0, -0.0), "", b"", Decimal("0.0")),
    *(float("inf"), float("-inf"), float("nan"), "nan", Decimal("NaN"), Decimal("sNaN"), complex("nan")),
    *(2**1023, 2**1024, -(2**1024), str(2**1024), hex(2**1024), 10**5000),
    *((), [], {}, set[int](), frozenset[int](), "()", "[]", "{}", "set{}"),
    *((1,), [1], {1}, frozenset({1}), {1: None}, (1, 1), ((1,),), ([1],), [(1,)], "(1,)", (1, (1,)), ((1, 1),)),
    *({True}, {1.0}, {1: 1}, {1: True}, {True: 1}, {"1": 1}, {(1, 2): 3}, {1: (2, 3)}, [{1: 2}, 3], [{1: 2, 3: None}]),
    *(Color.BLUE, "RED", Word.RED, Access.WRITE, Access.READ | Access.WRITE, Access(0), Color, Shade, enum.Enum),
    *(UUID(int=1), UUID(int=2), UUID(int=1).hex, str(UUID(int=1))),
    *(Decimal("1.0"), Decimal("1.00"), Decimal("-0"), "Decimal('1')"),
    *(date(2026, 1, 1), datetime(2026, 1, 1), "2026-01-01", time(1), time(1, tzinfo=UTC), time(1, fold=1)),
    *(MOMENT, MOMENT.replace(fold=1), MOMENT.replace(tzinfo=UTC), MOMENT.replace(tzinfo=ZoneInfo("UTC"))),
    *(MOMENT.replace(tzinfo=ZoneInfo("Europe/Berlin")), MOMENT.replace(tzinfo=ZoneInfo("Europe/Paris"))),
    *(MOMENT.replace(tzinfo=ABROAD), MOMENT.replace(tzinfo=timezone(timedelta(hours=1), "abroad"))),
    *(MOMENT.replace(tzinfo=UTC).astimezone(ABROAD), timedelta(1), timedelta(seconds=1), timedelta(0)),
    *(Path("a/b"), PurePosixPath("a/b"), PureWindowsPath("a/b"), Path("a"), "a/b"),
    *(range(3), range(0, 3, 2), range(1, 3), range(10**5000)),
    *(int, bool, str, "int", type, object, Path, Place, Point, UUID),
    *(Place(1, 2), Place(2, 1), Old(1, 2), Pair(1, 2), Pair(1, True), (1, 2)),
    *(Point(1), Point(1, True), Point(1, label="a"), Spot(1), Deeper(1), Deeper(1, 0, "", 1), Point(1, Point(1))),
    *(
        "#1",
        "/1",
        "(1)",
        "'",
        '"',
        "\\",
        "\n",
        "é",
        "e\u0301",
        "\ud800",
        "\\ud800",
        "日本",
        "a, b",
        ("a", "b"),
        ("a, b",),
    ),
]


def function(*args: object, **kwargs: object) -> None: ...


def test_what_is_not_the_same_has_keys_of_its_own() -> None:
    for wrap in (_itself, _listed, _with_more, _named):
        keys = [wrap(value) for value in APART]
        assert len(set(keys)) == len(keys)
    assert len({wrap(value) for value in APART for wrap in (_itself, _listed, _with_more, _named)}) == 4 * len(APART)


def _itself(value: object) -> str:
    return call_key(function, value)


def _listed(value: object) -> str:
    return call_key(function, [value], 1)


def _with_more(value: object) -> str:
    return call_key(function, 1, value)


def _named(value: object) -> str:
    return call_key(function, value=value)


def test_what_is_the_same_has_the_same_key_which_is_plain_text() -> None:
    for value in APART:
        assert call_key(function, copy.deepcopy(value)) == call_key(function, value)
        assert call_key(function, value).isascii()


def test_an_alias_is_the_member_that_it_names() -> None:
    Metal = enum.Enum("Metal", {"GOLD": 1, "AURUM": 1})
    assert call_key(function, Metal["AURUM"]) == call_key(function, Metal["GOLD"])


def test_two_names_of_the_same_order_count_as_named() -> None:
    assert call_key(function, a=1, b=2) == call_key(function, b=2, a=1) != call_key(function, a=2, b=1)
    strange: dict[str, Any] = {"a=1, b": 2}
    assert call_key(function, **strange) != call_key(function, a=1, b=2)


def test_position_and_name_differ_as_they_do_in_cachetools() -> None:
    assert typedkey(1) != typedkey(x=1)
    assert call_key(function, 1) != call_key(function, x=1)


hashable = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@settings(max_examples=200, deadline=None)
@given(one=st.lists(hashable, max_size=3), other=st.lists(hashable, max_size=3))
def test_what_cachetools_tells_apart_is_told_apart(one: list[Any], other: list[Any]) -> None:
    if typedkey(*one) != typedkey(*other) and not any(value != value for value in one + other):
        assert call_key(function, *one) != call_key(function, *other)


class SubInt(int):
    pass


class SubStr(str):
    __slots__ = ()


class SubDate(datetime):
    pass


class SubPlace(Place):
    extra: int


class Zone(tzinfo):
    pass


@dataclass
class Thawed:
    x: int


class Undeclared(Point):
    extra: int


@dataclass(frozen=True)
class FrozenList(list[int]):
    x: int = 0


@pytest.mark.parametrize(
    "value",
    [
        object(),
        SubInt(1),
        SubStr("a"),
        SubDate(2026, 1, 1),
        SubPlace(1, 2),
        collections.OrderedDict[int, int](),
        collections.defaultdict[int, int](int),
        collections.Counter[int](),
        bytearray(b"a"),
        memoryview(b"a"),
        Thawed(1),
        Undeclared(1),
        FrozenList(),
        MOMENT.replace(tzinfo=Zone()),
        time(1, tzinfo=Zone()),
        len,
        lambda: 1,
        list[int],
        sys,
        iter([1]),
        ...,
        NotImplemented,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_written_out_is_refused_at_any_depth(value: object) -> None:
    for nested in (value, [value], (1, value), {"a": value}, Point(1, value), [[(value,)]]):
        with pytest.raises(ValidationError, match="key=") as refused:
            call_key(function, 1, nested)
        assert refused.value.field == "args"
        assert refused.value.kind in (type(value).__name__, "Zone")


def test_the_argument_is_named() -> None:
    def named(first: object, /, second: object, *, third: object = None) -> None: ...

    bad = object()
    for field_, call in (
        ("first", lambda: call_key(named, bad, 1)),
        ("second", lambda: call_key(named, 1, bad)),
        ("second", lambda: call_key(named, 1, second=bad)),
        ("third", lambda: call_key(named, 1, 1, third=bad)),
    ):
        with pytest.raises(ValidationError) as refused:
            call()
        assert refused.value.field == field_


def local_class(scale: int) -> Callable[[int], object]:
    @dataclass(frozen=True)
    class Local:
        x: int

        def scaled(self) -> int:
            return scale * self.x

    return Local


def test_local_classes_that_share_a_name_are_told_apart() -> None:
    one, other = local_class(1), local_class(2)
    key = call_key(function, one(1))
    assert call_key(function, one(1)) == key != call_key(function, one(2))
    with pytest.raises(ValidationError) as refused:
        call_key(function, other(1))
    assert refused.value.kind == "Local"
    assert call_key(function, one(1)) == key


def test_a_class_whose_name_could_be_anything_is_refused() -> None:
    for name in ("m:X(1), ", "", "a b"):
        strange = dataclass(frozen=True)(type(name, (), {"__module__": __name__, "__qualname__": name}))
        with pytest.raises(ValidationError):
            call_key(function, strange())


def test_a_member_that_its_enum_does_not_list_is_refused() -> None:
    stray: Any = object.__new__(Color)
    stray._name_, stray._value_ = "RED", 3
    with pytest.raises(ValidationError):
        call_key(function, stray)


def test_keys_of_functions_differ_by_module_and_name() -> None:
    def inner(*args: object) -> None: ...

    functions: list[Callable[..., object]] = [function, inner, Point, copy.copy]
    assert len({call_key(each, 1) for each in functions}) == 4
