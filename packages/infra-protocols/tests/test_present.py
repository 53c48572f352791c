"""Whatever the parameters of an error are: what is shown of them is strict JSON, bounded, and the same each time."""

import json
import math
import subprocess
import sys
import uuid
import weakref
from collections import OrderedDict, UserDict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import InfrastructureError
from infra_protocols._present import ELIDED, MAX_ITEMS, MAX_NODES, MAX_TEXT, present, present_mapping
from infra_protocols._secrets import REDACTED


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Right(Flag):
    READ = 1
    WRITE = 2


class Header(Enum):
    AUTHORIZATION = "x1"


class Login(NamedTuple):
    user: str
    password: str


class Thing:
    def __repr__(self) -> str:
        return "hunter2"


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("do not touch")


LOOKING = "__repr__ __str__ __len__ __iter__ __bool__ __int__ __float__ __index__ items bit_length"


def hostile(base: type[Any], *arguments: object) -> Any:
    methods: dict[str, Any] = dict.fromkeys(LOOKING.split(), refuse)
    return type(f"Hostile{base.__name__.title()}", (base,), methods)(*arguments)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**64 - 1, 2**64 - 1),
        (2**64, hex(2**64)),
        (-(10**400), "<int of 1329 bits>"),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("text", "text"),
        ("\ud800", "\\ud800"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Right.READ | Right.WRITE, 3),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), "NaN"),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (PurePosixPath("/a/b"), "/a/b"),
        (date(2025, 1, 2), "2025-01-02"),
        (time(3, 4), "03:04:00"),
        (datetime(2025, 1, 2, tzinfo=UTC), "2025-01-02T00:00:00+00:00"),
        (timedelta(seconds=90), "0:01:30"),
        (b"hunter2", "<bytes of 7>"),
        (bytearray(3), "<bytearray of 3>"),
        (memoryview(b"hunter2"), "<memoryview>"),
        ([1, (2, 3)], [1, [2, 3]]),
        ({3, 1, 2}, [1, 2, 3]),
        (set[int](), []),
        (frozenset({("b", 1), ("a", 2)}), [["a", 2], ["b", 1]]),
        (range(3), "<range>"),
        (Fraction(1, 3), "<Fraction>"),
        (Thing(), "<Thing>"),
        (Thing, "<type>"),
        (ValueError("hunter2"), "<ValueError>"),
        (OrderedDict([("a", 1)]), {"a": 1}),
        (UserDict({"a": 1}), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({"a": 1}.items(), [["a", 1]]),
        (Login("ada", "hunter2"), {"user": "ada", "password": REDACTED}),
        (("password", "hunter2"), ["password", REDACTED]),
        ((b"password", "hunter2"), ["<bytes of 8>", REDACTED]),
        ([("Host", "x"), ("Cookie", "y")], [["Host", "x"], ["Cookie", REDACTED]]),
        (hostile(int, 3), 3),
        (hostile(float, 1.5), 1.5),
        (hostile(str, "text"), "text"),
        (hostile(list, [1]), "<HostileList>"),
        (hostile(dict, {"a": 1}), "<HostileDict>"),
        (hostile(set, {1}), "<HostileSet>"),
        (hostile(bytes, b"x"), "<HostileBytes>"),
        (hostile(object), "<HostileObject>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_shows(value: object, shown: object) -> None:
    assert present(value) == shown
    assert type(present(value)) is type(shown)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a", "a"),
        (1, "1"),
        (1.5, "1.5"),
        (None, "None"),
        (True, "True"),
        (b"a", "a"),
        (Colour.RED, "red"),
        (Level.HIGH, "3"),
        ((1, "a"), "[1, 'a']"),
        (frozenset({2, 1}), "[1, 2]"),
        (Thing, "<type>"),
        ("\udfff", "\\udfff"),
        (hostile(str, "a"), "a"),
        (10**400, "<int of 1329 bits>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_names_an_item(key: object, name: str) -> None:
    shown = present_mapping({key: 5})
    assert shown == {name: 5}
    assert [type(name) for name in shown] == [str]


SECRET_KEYS = ["token", b"token", ("user", "token"), Header.AUTHORIZATION, hostile(str, "token")]


@pytest.mark.parametrize("key", SECRET_KEYS, ids=lambda key: type(key).__name__)
def test_hides_what_a_key_of_any_kind_names_secret(key: object) -> None:
    assert list(present_mapping({key: "hunter2"}).values()) == [REDACTED]


def test_hides_behind_a_long_name() -> None:
    assert list(present_mapping({"x" * MAX_TEXT + "_password": "hunter2"}).values()) == [REDACTED]


def test_clips_a_long_text() -> None:
    assert present("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT + ELIDED
    assert present("x" * MAX_TEXT) == "x" * MAX_TEXT


def test_a_secret_at_the_edge_of_a_long_text_is_not_cut_in_half() -> None:
    text = "x" * (MAX_TEXT - 15) + " a://u:hunter2hunter2@h"
    assert "hunter" not in str(present(text))


def test_clips_many_items() -> None:
    assert present([0] * (MAX_ITEMS + 1)) == [0] * MAX_ITEMS + [ELIDED]
    assert present([0] * MAX_ITEMS) == [0] * MAX_ITEMS
    many = present_mapping(dict.fromkeys(range(MAX_ITEMS + 1), 0))
    assert many == {str(number): 0 for number in range(MAX_ITEMS)} | {ELIDED: ELIDED}
    assert present(set(range(MAX_ITEMS + 1))) == f"<set of {MAX_ITEMS + 1}>"


def test_ends_at_a_cycle() -> None:
    cycle: list[object] = []
    cycle.append({"again": cycle})
    assert json.dumps(present(cycle)).count("again") == 3


def test_ends_at_a_cycle_that_branches() -> None:
    cycle: list[object] = []
    cycle.extend([cycle] * MAX_ITEMS)
    assert len(json.dumps(present(cycle))) < 50 * MAX_NODES


def test_ends_when_there_is_no_end() -> None:
    class Endless(Mapping[int, int]):
        def __getitem__(self, key: int) -> int:
            return key

        def __iter__(self) -> Iterator[int]:
            while True:
                yield 7

        def __len__(self) -> int:
            return 1

    assert present(Endless()) == {"7": 7, ELIDED: ELIDED}


def test_ends_at_an_enum_that_is_its_own_value() -> None:
    class Loop(Enum):
        ONE = 1

        @property
        def value(self) -> Any:
            return self

    json.dumps(present({"a": Loop.ONE, "b": [Loop.ONE]}))


def test_survives_what_cannot_be_looked_at() -> None:
    class Gone:
        pass

    thing = Gone()
    proxy = weakref.proxy(thing)
    del thing
    shown = present({"proxy": proxy, "fine": 1})
    assert shown == {"proxy": f"<{type(proxy).__qualname__}>", "fine": 1}


def test_survives_parameters_that_refuse() -> None:
    error = InfrastructureError("Boom", parameters=hostile(dict, {"a": 1}))
    assert error.parameters == {ELIDED: "<HostileDict>"}
    assert "Boom" in str(error)


def test_survives_a_tuple_that_lies_about_its_fields() -> None:
    class Odd(tuple[int, ...]):
        _fields = 5

    assert present(Odd((1, 2))) == "<test_survives_a_tuple_that_lies_about_its_fields.<locals>.Odd>"


SCRIPT = """
import json
from infra_protocols import InfrastructureError
words = {f"word{n}" for n in range(40)}
nested = frozenset(frozenset({f"{a}{b}" for b in "xyz"}) for a in "abcdef")
many = [{f"{a}{b}" for b in range(40)} for a in range(40)]
error = InfrastructureError("Boom", parameters={"words": words, "nested": nested, "many": many})
print(json.dumps(error.to_dict()))
"""


def test_a_set_is_shown_the_same_in_every_run() -> None:
    def run(seed: int) -> bytes:
        return subprocess.run(
            [sys.executable, "-c", SCRIPT], env={"PYTHONHASHSEED": str(seed)}, capture_output=True, check=True
        ).stdout

    assert len({run(seed) for seed in range(4)}) == 1


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**500), 10**500)
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([Colour.RED, Level.HIGH, Right.READ, Thing(), Thing, refuse, ..., NotImplemented])
    | st.builds(hostile, st.just(str), st.text(st.characters()))
    | st.builds(hostile, st.just(int), st.integers())
    | st.builds(hostile, st.just(float), st.floats())
    | st.builds(hostile, st.sampled_from([list, dict, set, tuple, bytes, object, Exception]))
)


def is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


KEYS = SCALARS.filter(is_hashable)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.frozensets(KEYS, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4) | st.dictionaries(st.text(st.characters()), VALUES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_parameters_can_be_told(parameters: dict[str, object]) -> None:
    error = InfrastructureError("Boom", parameters=parameters)
    told = json.dumps(error.to_dict(), allow_nan=False, ensure_ascii=False)
    told.encode()
    assert json.loads(told) == error.to_dict()
    assert str(error).startswith("Boom")
