"""What is written, what is read, and how either is refused."""

import json
import re
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, localcontext
from enum import Enum, IntFlag
from fractions import Fraction
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, NotRequired, Required, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from infra_protocols import DecodeError, InfrastructureError, JsonCodec, ValidationError

SECRET = "hunter2"


def codec(tp: Any) -> JsonCodec[Any]:
    return JsonCodec(tp)


class Color(Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # noqa: PIE796


class Right(IntFlag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Address:
    city: str
    zip: str | None = None


@dataclass(slots=True)
class User:
    id: int
    name: str
    born: date
    addresses: list[Address] = field(default_factory=list[Address])


@dataclass(kw_only=True)
class Employee(User):
    boss: "Employee | None" = None
    rights: Right = Right.READ
    limit: Final[int] = 3


@dataclass
class Page[T]:
    items: list[T]
    next: int | None = None


@dataclass
class Named[T](Page[T]):
    name: str = ""


@dataclass
class Users(Named[User]):
    pass


Old = TypeVar("Old")


@dataclass
class Base(Generic[Old]):  # noqa: UP046
    first: Old


@dataclass
class Derived(Base[int], Generic[Old]):  # noqa: UP046
    second: Old


class Movie(TypedDict):
    title: Required[str]
    year: NotRequired[int]


class Film[T](Movie, total=False):
    made_by: T


class Kept[T](TypedDict):
    kept: T


class KeptFor(Kept[Decimal]):
    days: int


class Pair[T](NamedTuple):
    first: T
    second: int = 0


@dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ArithmeticError("negative")


type Json = dict[str, Json] | list[Json] | str | float | bool | None
type Two[T] = tuple[T, T]

WRITTEN: list[tuple[Any, Any, str]] = [
    (None, None, "null"),
    (int, 10**30, f"1{'0' * 30}"),
    (float, 1.0, "1.0"),
    (float, 1, "1"),
    (str, 'é"\n', '"é\\"\\n"'),
    (bytes, b"\xff\x00", '"/wA="'),
    (UUID, UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (Decimal, Decimal("-1.50E+7"), '"-1.50E+7"'),
    (datetime, datetime(2026, 1, 2, 3, 4, 5, 6, UTC), '"2026-01-02T03:04:05.000006+00:00"'),
    (datetime, datetime(2026, 1, 2), '"2026-01-02T00:00:00"'),
    (date, date(1, 1, 1), '"0001-01-01"'),
    (time, time(12, tzinfo=timezone(timedelta(hours=-2))), '"12:00:00-02:00"'),
    (timedelta, timedelta(days=1, hours=1, microseconds=50), '"P1DT3600.000050S"'),
    (timedelta, timedelta.min, '"-P999999999DT0S"'),
    (timedelta, timedelta.max, '"P999999999DT86399.999999S"'),
    (Color, Color.CRIMSON, '"red"'),
    (Right, Right.READ | Right.WRITE, "3"),
    (Literal["a", 1, Color.BLUE], Color.BLUE, '"blue"'),
    (Literal["a"] | str | None, "b", '"b"'),
    (tuple[int, ...], (1, 2), "[1,2]"),
    (tuple[int, str], (1, "a"), '[1,"a"]'),
    (tuple[()], (), "[]"),
    (tuple, (1, "a"), '[1,"a"]'),
    (frozenset[int], frozenset({1}), "[1]"),
    (dict[int, str], {-1: "a"}, '{"-1":"a"}'),
    (dict[date, int], {date(2026, 1, 1): 1}, '{"2026-01-01":1}'),
    (dict[Color, int], {Color.RED: 1}, '{"red":1}'),
    (dict, {"a": [1, None]}, '{"a":[1,null]}'),
    (Json, {"a": [1.5, {"b": True}]}, '{"a":[1.5,{"b":true}]}'),
    (Two[int], (1, 2), "[1,2]"),
    (Annotated[int, []], 1, "1"),
    (Address | None, Address("Rome"), '{"city":"Rome","zip":null}'),
    (Address | Positive | int, Positive(1), '{"$type":"Positive","number":1}'),
    (Named[Color], Named([Color.RED], 2, "n"), '{"items":["red"],"next":2,"name":"n"}'),
    (Users, Users([User(1, "a", date(2000, 1, 1))]), None or ""),
    (Derived[str], Derived(1, "a"), '{"first":1,"second":"a"}'),
    (Film[int], {"title": "M", "made_by": 1}, '{"title":"M","made_by":1}'),
    (KeptFor, {"days": 1, "kept": Decimal(1)}, '{"days":1,"kept":"1"}'),
    (Pair[str], Pair("a", 1), '["a",1]'),
    (Employee, Employee(1, "a", date(2000, 1, 1), boss=Employee(2, "b", date(2000, 1, 1))), ""),
]


@pytest.mark.parametrize(("tp", "value", "text"), WRITTEN)
def test_what_it_writes_and_reads_again(tp: Any, value: Any, text: str) -> None:
    written = codec(tp).encode(value)
    assert not text or written.decode() == text
    assert codec(tp).decode(written) == value


READ: list[tuple[Any, str, Any]] = [
    (int, " 1\n", 1),
    (str, r'"\u00e9\ud83d\ude00"', "é😀"),
    (datetime, '"2026-01-02T03:04:05Z"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (timedelta, '"P1DT2H3M4.5S"', timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
    (UUID, '"00000000000000000000000000000001"', UUID(int=1)),
    (User, '{"name":"a","id":1,"born":"2000-01-01","more":[{}]}', User(1, "a", date(2000, 1, 1))),
    (Employee, '{"name":"a","id":1,"born":"2000-01-01"}', Employee(1, "a", date(2000, 1, 1))),
    (Movie, '{"year":1931,"title":"M","more":1}', {"title": "M", "year": 1931}),
    (Pair[str], '["a"]', Pair("a")),
    (Address, '{"city":"Rome","$type":"Address"}', Address("Rome")),
]


@pytest.mark.parametrize(("tp", "text", "value"), READ)
def test_what_others_write_it_reads(tp: Any, text: str, value: Any) -> None:
    assert codec(tp).decode(text.encode()) == value


class Sub(str):
    pass


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

REFUSED: list[tuple[Any, Any, str, str]] = [
    (int, True, "value", "int"),
    (bool, 1, "value", "bool"),
    (float, True, "value", "float"),
    (str, Sub("a"), "value", "str"),
    (list[float], [1.0, float("nan")], "value[1]", "finite"),
    (list[list[float]], [[], [float("-inf")]], "value[1][0]", "finite"),
    (dict[str, str], {"a": "\ud800"}, "value.values()[0]", "UTF-8"),
    (dict[str, str], {"a": "b", "\ud800": "a"}, "value.keys()[1]", "UTF-8"),
    (dict[int, str], {1: "a", True and 10**5000: "b"}, "value.keys()[1]", "size"),
    (Any, {"a": [1, {"b": (1,)}]}, "value.values()[0][1].values()[0]", "JSON"),
    (Any, {1: 2}, "value.keys()[0]", "str"),
    (Any, [10**5000], "value[0]", "size"),
    (list, CYCLE, "value", "128"),
    (User, User(1, "a", datetime(2000, 1, 1)), "value.born", "date"),
    (Page[Address | None], Page([None, Address("a", "\ud800")]), "value.items[1].zip", "UTF-8"),
    (Address, Employee(1, "a", date(2000, 1, 1)), "value", "Address"),
    (User, Employee(1, "a", date(2000, 1, 1)), "value", "User"),
    (Address | Positive, User(1, "a", date(2000, 1, 1)), "value", "Address | Positive"),
    (Movie, {"year": 1931}, "value", "keys"),
    (Movie, {"title": "M", "more": 1}, "value", "keys"),
    (Movie, {"title": "M", "year": "x"}, "value.year", "int"),
    (Pair[str], ("a", 1), "value", "Pair"),
    (tuple[int, int], (1,), "value", "tuple"),
    (tuple[int, str], (1, 2), "value[1]", "str"),
    (Right, Right(4), "value", "Right"),
    (Color, "red", "value", "Color"),
    (Literal[1], True, "value", "Literal"),
    (Literal[1, False], True, "value", "Literal"),
    (Literal["a"], [], "value", "Literal"),
    (datetime, datetime(2026, 10, 25, 2, fold=1), "value", "fold"),
    (datetime, datetime(2026, 1, 1, tzinfo=timezone(timedelta(microseconds=1))), "value", "whole seconds"),
    (time, time(1, tzinfo=ZoneInfo("Europe/Berlin")), "value", "timezone"),
    (Decimal, Decimal("nan"), "value", "finite"),
]


@pytest.mark.parametrize(("tp", "value", "where", "expected"), REFUSED, ids=range(len(REFUSED)))
def test_what_would_not_come_back_is_refused(tp: Any, value: Any, where: str, expected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        codec(tp).encode(value)
    assert refused.value.field == where
    assert expected in refused.value.message
    assert refused.value.kind is not None


UNREADABLE: list[tuple[Any, str, str, str | None]] = [
    (int, "", "value", "bytes"),
    (int, "1 2", "value", "bytes"),
    (int, "\ufeff1", "value", "bytes"),
    (int, "1.0", "value", "float"),
    (int, "true", "value", "bool"),
    (int, "1" * 5000, "value", "bytes"),
    (float, "NaN", "value", "bytes"),
    (float, "1e999", "value", "float"),
    (Any, '{"a":[0,-1e999]}', "value.values()[0][1]", "float"),
    (str, r'"\ud800"', "value", "bytes"),
    (bytes, '"a"', "value", "str"),
    (bytes, '"é"', "value", "str"),
    (datetime, '"2026-01-01"', "value", "str"),
    (date, '"2026-02-30"', "value", "str"),
    (timedelta, '"P"', "value", "str"),
    (timedelta, '"P1000000000D"', "value", "str"),
    (Decimal, '"NaN"', "value", "str"),
    (Decimal, '"1_0"', "value", "str"),
    (UUID, '"1"', "value", "str"),
    (Color, '"green"', "value", "str"),
    (Color, "[]", "value", "array"),
    (Right, "4", "value", "int"),
    (Right, "-1", "value", "int"),
    (User, "[]", "value", "array"),
    (User, "{}", "value.id", "nothing"),
    (Users, '{"items":[{"id":1,"name":"a","born":1}]}', "value.items[0].born", "int"),
    (Address, '{"city":null,"zip":1}', "value.city", "null"),
    (Address | Positive, "{}", "value", "object"),
    (Address | Positive, '{"$type":"User"}', "value", "object"),
    (Address | Positive, '{"$type":["Address"]}', "value", "object"),
    (Positive, '{"number":-1}', "value", "object"),
    (Movie, "{}", "value.title", "nothing"),
    (Movie, '{"title":"M","year":""}', "value.year", "str"),
    (Pair[str], "[]", "value", "array"),
    (Pair[str], '["a",1,2]', "value", "array"),
    (tuple[int, str], '[1,"a",2]', "value", "array"),
    (set[int], "[1,1]", "value", "array"),
    (set, "[[]]", "value", "array"),
    (dict[str, int], '{"a":1,"a":1}', "value", "object"),
    (dict[UUID, int], f'{{"{UUID(int=10)}":1,"{UUID(int=10).hex}":1}}', "value", "object"),
    (dict[int, int], '{"01":1}', "value.keys()[0]", "str"),
    (dict[int, int], '{"1":1,"2":null}', "value.values()[1]", "null"),
    (list, "[" * 129 + "]" * 129, "value", "array"),
    (list, "[" * 100_000, "value", "more"),
]


@pytest.mark.parametrize(("tp", "text", "where", "kind"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_not_of_the_type_is_not_read(tp: Any, text: str, where: str, kind: str) -> None:
    with pytest.raises(DecodeError) as refused:
        codec(tp).decode(text.encode())
    assert (refused.value.path, refused.value.kind) == (where, kind)


def test_bytes_that_are_not_utf_8_are_not_read() -> None:
    for data in (b"\xff", "1".encode("utf-16"), '"é"'.encode("latin-1")):
        with pytest.raises(DecodeError):
            codec(Any).decode(data)


def test_only_bytes_are_read() -> None:
    with pytest.raises(ValidationError) as refused:
        codec(int).decode("1")  # pyright: ignore[reportArgumentType]
    assert refused.value.field == "data"


def test_a_moment_keeps_its_offset_and_loses_the_name_of_its_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for fold, offset in ((0, 2), (1, 1)):
        value = datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold)
        read = codec(datetime).decode(codec(datetime).encode(value))
        assert read.utcoffset() == timedelta(hours=offset)
        assert read.astimezone(UTC) == value.astimezone(UTC)
    assert codec(datetime).decode(codec(datetime).encode(datetime(2026, 1, 1, tzinfo=berlin))).tzinfo is not berlin


def test_decimals_do_not_go_by_the_context() -> None:
    long = Decimal("1." + "1" * 100)
    with localcontext(prec=3) as context:
        context.clear_traps()
        assert codec(Decimal).decode(codec(Decimal).encode(long)) == long
        with pytest.raises(DecodeError):
            codec(Decimal).decode(b'"1E9999999999999999999999"')


def test_nesting_is_bounded_alike_both_ways() -> None:
    nested: list[Any] = []
    for _ in range(127):
        nested = [nested]
    assert codec(list).decode(codec(list).encode(nested)) == nested
    with pytest.raises(ValidationError, match="128"):
        codec(list).encode([nested])
    with pytest.raises(DecodeError, match="128"):
        codec(list).decode(json.dumps([nested]).encode())
    wide: list[Any] = [[]] * 1000
    assert codec(list).decode(codec(list).encode(wide)) == wide


def test_a_chain_is_bounded_like_any_nesting() -> None:
    def chain(length: int) -> Employee:
        last = Employee(0, "a", date(2000, 1, 1))
        for number in range(length):
            last = Employee(number, "a", date(2000, 1, 1), boss=last)
        return last

    assert codec(Employee).decode(codec(Employee).encode(chain(126))) == chain(126)
    for length in (128, 100_000):
        with pytest.raises(ValidationError, match="128"):
            codec(Employee).encode(chain(length))


def everything(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (int, SECRET),
        (list[int], [SECRET]),
        (dict[str, int], {SECRET: SECRET}),
        (str, SECRET + "\ud800"),
        (float, float("nan")),
        (Address, Address(SECRET, 1)),  # pyright: ignore[reportArgumentType]
        (Literal["a"], SECRET),
    ],
)
def test_no_error_tells_what_could_not_be_written(tp: Any, value: Any) -> None:
    with pytest.raises(InfrastructureError) as refused:
        codec(tp).encode(value)
    assert SECRET not in "".join(everything(refused.value))


@pytest.mark.parametrize("tp", [int, dict[int, int], UUID, Color, Address, bytes, Literal["a"], Address | Positive])
@pytest.mark.parametrize("text", [f'"{SECRET}"', f'{{"{SECRET}":1}}', f'{{"city":"{SECRET}","zip":1}}', f'"{SECRET}'])
def test_no_error_tells_what_could_not_be_read(tp: Any, text: str) -> None:
    for data in (text.encode(), text.encode() + b"\xff", text.replace(SECRET, SECRET + r"\ud800").encode()):
        with pytest.raises(DecodeError) as refused:
            codec(tp).decode(data)
        assert SECRET not in "".join(everything(refused.value))


def test_what_a_class_says_against_a_value_is_the_cause() -> None:
    with pytest.raises(DecodeError, match="Positive accepts") as refused:
        codec(Page[Positive]).decode(b'{"items":[{"number":1},{"number":-1}]}')
    assert refused.value.path == "value.items[1]"
    assert isinstance(refused.value.__cause__, ArithmeticError)


@dataclass
class Derives:
    number: int
    double: int = field(init=False, default=0)


@dataclass
class Salted:
    number: int
    salt: InitVar[int] = 0


@dataclass(init=False)
class Own:
    number: int

    def __init__(self, digits: str) -> None:
        self.number = int(digits)


@dataclass
class Listed(list[int]):
    name: str


@dataclass
class Deep:
    page: Page[dict[str, Fraction]]


@dataclass
class Lost:
    user: "Nobody"  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


class Mixed(Enum):
    ONE = 1
    PAIR = (1, 2)


class Twice(Enum):
    DAY = date(2026, 1, 1)
    TEXT = "2026-01-01"


type Itself = Itself | int  # pyright: ignore[reportGeneralTypeIssues]
type Growing[T] = list[Growing[list[T]]]

UNSUPPORTED: list[tuple[Any, str]] = [
    (complex, "complex"),
    (Fraction, "Fraction"),
    (Deep, "Page.items: Fraction"),
    (Lost, "Lost"),
    (Derives, "Derives.double"),
    (Salted, "Salted"),
    (Own, "Own"),
    (Listed, "Listed"),
    (Page, "Page.items: T"),
    (Old, "Old"),
    ("User", "'User'"),
    (list["User"], "'User'"),
    (namedtuple("Bare", "a"), "Bare"),  # pyright: ignore[reportUntypedNamedTuple]
    (dict[float, int], "dict[float, int]"),
    (dict[Address, int], "Address"),
    (dict[Literal[1, "1"], int], "Literal[1, '1']"),
    (str | UUID, "str and UUID look the same"),
    (int | Right, "int and Right look the same"),
    (list[int] | set[int], "list[int] and set[int] look the same"),
    (Address | Movie, "Address and Movie look the same"),
    (Address | Positive | dict[str, int], "look the same"),
    (Page[int] | Page[str], "the same name"),
    (Mixed, "tuple"),
    (Twice, "the same in JSON"),
    (Literal[b"YQ==", "WVE9PQ=="], "the same in JSON"),
    (Itself, "nothing in between"),
    (Growing[int], "no end"),
    (Pair[Annotated[int, []]], "hashed"),
    (3, "3"),
    ([int], "int"),
]


@pytest.mark.parametrize(("tp", "part"), UNSUPPORTED, ids=range(len(UNSUPPORTED)))
def test_a_type_that_cannot_do_is_refused_when_the_codec_is_made(tp: Any, part: str) -> None:
    with pytest.raises(ValidationError) as refused:
        codec(tp)
    assert refused.value.field == "type"
    assert part in refused.value.message


def test_a_class_of_a_function_may_hold_itself() -> None:
    @dataclass
    class Node:
        next: "Node | None" = None

    assert codec(Node).decode(codec(Node).encode(Node(Node()))) == Node(Node())


def test_nothing_that_is_read_is_shared() -> None:
    read = [codec(User).decode(b'{"id":1,"name":"a","born":"2000-01-01"}') for _ in range(2)]
    read[0].addresses.append(Address("Rome"))
    assert read[1].addresses == []


def test_it_is_compiled_once() -> None:
    compiled: Any = vars(sys.modules["infra_protocols._json.compiler"])["_compiled"]
    JsonCodec(Page[User])
    misses = compiled.cache_info().misses
    JsonCodec(Page[User])
    assert compiled.cache_info().misses == misses


def test_it_shows_its_type() -> None:
    assert repr(JsonCodec(Page[User])) == "JsonCodec(Page[User])"
    assert repr(codec(dict[str, int | None])) == "JsonCodec(dict[str, int | None])"


def test_it_does_without_the_fast_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["infra_protocols.codec"]
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    write: Any = vars(module)["_writer"]()
    assert write({"é": [1, 1.5, None]}) == '{"é":[1,1.5,null]}'


@dataclass
class Leaf:
    data: bytes


def test_what_is_plain_can_be_a_part_of_a_larger_document() -> None:
    codec = JsonCodec(list[Leaf])
    plain = codec.to_plain([Leaf(b"ada")])
    assert plain == [{"data": "YWRh"}]
    assert codec.from_plain(plain) == [Leaf(b"ada")]


def test_what_is_not_of_the_type_is_refused_as_when_it_is_written_and_read() -> None:
    codec = JsonCodec(list[Leaf])
    wrong: Any = [Leaf("ada")]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValidationError, match=re.escape("value[0].data")):
        codec.to_plain(wrong)
    with pytest.raises(DecodeError, match=re.escape("value[0].data")):
        codec.from_plain([{"data": 7}])


def test_what_is_nested_without_end_is_refused_too() -> None:
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    codec = JsonCodec[Any](Any)
    with pytest.raises(ValidationError, match="nested"):
        codec.to_plain(endless)
    with pytest.raises(DecodeError, match="nested"):
        codec.from_plain(endless)
