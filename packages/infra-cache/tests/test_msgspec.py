"""JSON by msgspec: the promises of a codec, and what msgspec alone would not keep of them."""

import importlib
import math
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy
from msgspec import Meta, Struct

from infra_cache._comes_back import DifferentError, compare
from infra_cache.msgspec import MsgspecCodec
from infra_protocols import DecodeError, JsonCodec, ValidationError

SECRET = "hunter2"


def codec(tp: Any) -> MsgspecCodec[Any]:
    return MsgspecCodec(tp)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Name(str):
    pass


class Point(NamedTuple):
    x: float
    y: int = 0


class Options(TypedDict, total=False):
    size: int


class Cat(Struct, tag=True):
    name: str
    lives: Annotated[int, Meta(ge=1)] = 9


class Dog(Struct, tag=True, frozen=True):
    name: str
    born: date | None = None


@dataclass
class Owner:
    id: UUID
    pets: list[Cat | Dog] = field(default_factory=list[Cat | Dog])
    notes: dict[str, float] = field(default_factory=dict[str, float])


@dataclass
class Picky:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ArithmeticError("negative")


class Unknown:
    pass


TEXT = st.text(max_size=6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=-5, minutes=30))])
MOMENTS = st.tuples(st.datetimes(), ZONES).map(lambda drawn: drawn[0].replace(tzinfo=drawn[1], fold=0))
PETS = st.builds(Cat, TEXT, st.integers(1, 99)) | st.builds(Dog, TEXT, st.none() | st.dates())
TYPED: SearchStrategy[tuple[Any, SearchStrategy[Any]]] = st.sampled_from(
    [
        (int, st.integers()),
        (float, FLOATS),
        (str | None, TEXT | st.none()),
        (bytes, st.binary(max_size=6)),
        (datetime, MOMENTS),
        (timedelta, st.timedeltas(timedelta(-1000), timedelta(1000))),
        (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
        (Color | int, st.sampled_from(Color) | st.integers()),
        (Literal["a", "b"], st.sampled_from(["a", "b"])),
        (set[tuple[int, str]], st.sets(st.tuples(st.integers(), TEXT), max_size=3)),
        (dict[UUID, Point], st.dictionaries(st.uuids(), st.builds(Point, FLOATS, st.integers()), max_size=3)),
        (Options, st.fixed_dictionaries(dict[str, Any](), optional={"size": st.integers()})),
        (Cat | Dog, PETS),
        (Owner, st.builds(Owner, st.uuids(), st.lists(PETS, max_size=3), st.dictionaries(TEXT, FLOATS, max_size=3))),
    ]
)
many = settings(max_examples=200, deadline=None)


@given(TYPED, st.data())
@many
def test_what_is_written_comes_back(typed: tuple[Any, SearchStrategy[Any]], data: DataObject) -> None:
    value = data.draw(typed[1])
    compare(value, codec(typed[0]).decode(codec(typed[0]).encode(value)))


@given(TYPED, TYPED, st.data())
@many
def test_a_value_of_another_type_comes_back_too_or_is_refused(typed: Any, other: Any, data: DataObject) -> None:
    value = data.draw(other[1])
    try:
        written = codec(typed[0]).encode(value)
    except ValidationError:
        return
    compare(value, codec(typed[0]).decode(written))


PARTS = b' null 0 -1 1e999 " [ { } , \\ud800 \xff NaN "a":1, "type":"Dog",'.split(b" ")


@given(TYPED, st.data())
@many
def test_bytes_that_were_tampered_with_are_refused_or_read(typed: Any, data: DataObject) -> None:
    written = codec(typed[0]).encode(data.draw(typed[1]))
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, min(start + 4, len(written))))
    tampered = written[:start] + data.draw(st.sampled_from(PARTS) | st.binary(max_size=4)) + written[end:]
    try:
        codec(typed[0]).decode(tampered)
    except DecodeError as refused:
        path = refused.path or ""
    else:
        path = "value"
    assert path.startswith("value")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

REFUSED: list[tuple[Any, Any, str]] = [
    (float, math.nan, "value"),
    (list[float], [1.0, math.inf], "value[1]"),
    (float, 1, "value"),
    (int, True, "value"),
    (int, "1", "value"),
    (str, Name("a"), "value"),
    (str, "\ud800", "value"),
    (int, 10**5000, "value"),
    (dict[str, Any], {"a": [1, {"b": (1,)}]}, "value.values()[0][1].values()[0]"),
    (Any, {1: 2}, "value.keys()[0]"),
    (dict, OrderedDict(a=1), "value"),
    (list, CYCLE, "value"),
    (tuple[int, int], Point(1, 2), "value"),
    (set[tuple[float]], {(1,)}, "value[0][0]"),
    (Owner, Owner(UUID(int=1), [Cat("a"), Cat("b", 0)]), "value.pets[1].lives"),
    (Owner, Owner(UUID(int=1), notes={"a": 1}), "value.notes.values()[0]"),
    (Dog, Cat("a"), "value"),
    (Unknown, Unknown(), "value"),
    (datetime, datetime(2026, 10, 25, 2, 30, fold=1), "value"),
    (datetime, datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), "value"),
    (time, time(1, tzinfo=ZoneInfo("Europe/Berlin")), "value"),
    (Color, "red", "value"),
]


@pytest.mark.parametrize(("tp", "value", "where"), REFUSED, ids=range(len(REFUSED)))
def test_what_would_not_come_back_is_refused(tp: Any, value: Any, where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        codec(tp).encode(value)
    assert (refused.value.field or "").startswith(where)
    assert refused.value.kind is not None


UNREADABLE: list[tuple[Any, str, str, str]] = [
    (int, "", "value", "bytes"),
    (list, "[1", "value", "bytes"),
    (int, "1.5", "value", "float"),
    (float, "1e999", "value", "something else"),
    (list, "[" * 100_000, "value", "more"),
    (set, "[[]]", "value", "something else"),
    (Color, f'"{SECRET}"', "value", "something else"),
    (Literal["a"], f'"{SECRET}"', "value", "something else"),
    (dict[str, Color], f'{{"{SECRET}":"{SECRET}"}}', "value[...]", "something else"),
    (dict[int, int], f'{{"{SECRET}":1}}', "value[...]", "str"),
    (Cat, '{"type":"Cat"}', "value.name", "nothing"),
    (Cat, '{"type":"Cat","name":"a","lives":0}', "value.lives", "another"),
    (Cat | Dog, f'{{"type":"{SECRET}"}}', "value.type", "something else"),
    (list[Owner], f'[{{"id":"{UUID(int=1)}","pets":[{{"type":"Dog","name":1}}]}}]', "value[0].pets[0].name", "int"),
    (Picky, '{"number":-1}', "value", "something else"),
]


def everything(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!r} {error.args}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(("tp", "text", "where", "kind"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_not_of_the_type_is_not_read(tp: Any, text: str, where: str, kind: str) -> None:
    with pytest.raises(DecodeError) as refused:
        codec(tp).decode(text.encode())
    assert (refused.value.path, refused.value.kind) == (where, kind)
    assert SECRET not in "".join(everything(refused.value))


def test_bytes_that_are_not_utf_8_are_not_read() -> None:
    with pytest.raises(DecodeError) as refused:
        codec(str).decode(f'"{SECRET}'.encode() + b'\xff"')
    assert SECRET not in "".join(everything(refused.value))


def test_what_a_class_says_against_a_value_is_the_cause() -> None:
    with pytest.raises(DecodeError) as refused:
        codec(Picky).decode(b'{"number":-1}')
    assert isinstance(refused.value.__cause__, ArithmeticError)


def test_only_bytes_are_read() -> None:
    with pytest.raises(ValidationError):
        codec(int).decode("1")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("tp", [int | str | UUID, "User", 3, Owner | Picky])
def test_a_type_that_msgspec_does_not_know_is_refused(tp: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        codec(tp)
    assert refused.value.field == "type"


@given(MOMENTS, st.timedeltas(timedelta(-1000), timedelta(1000)), st.binary(max_size=6))
@many
def test_both_codecs_read_each_other(moment: datetime, duration: timedelta, data: bytes) -> None:
    tp: Any = tuple[datetime, timedelta, bytes, Point, set[int], dict[int, date]]
    value = (moment, duration, data, Point(0.5), {1}, {7: date(2026, 1, 1)})
    compare(value, codec(tp).decode(JsonCodec[Any](tp).encode(value)))
    compare(value, JsonCodec[Any](tp).decode(codec(tp).encode(value)))


def test_it_shows_its_type() -> None:
    assert repr(MsgspecCodec(Owner)) == "MsgspecCodec(Owner)"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.delitem(sys.modules, "infra_cache.msgspec")
    with pytest.raises(ImportError, match=r"pip install infra-cache\[msgspec\]"):
        importlib.import_module("infra_cache.msgspec")


def test_the_package_alone_does_not_import_it() -> None:
    code = "import infra_cache, sys; sys.exit('msgspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    ([1], [True]),
    ({1: 2}, {1: 2.0}),
    ({1}, {True}),
    ((1,), (1, 2)),
    ({"a": 1}, {}),
    (Cat("a"), Cat("a", 8)),
    (Picky(1), Picky(2)),
    (time(1), time(1, fold=1)),
]


@pytest.mark.parametrize(("value", "back"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_what_differs_is_told(value: Any, back: Any) -> None:
    with pytest.raises(DifferentError):
        compare(value, back)
    compare(value, value)
