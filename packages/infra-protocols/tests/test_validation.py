"""The checks of arguments: what passes is returned as it is, what does not is named with its field, kind and bound."""

import math
import re
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infra_protocols import (
    CacheError,
    ErrorMessages,
    ValidationError,
    or_raise,
    require_match,
    require_range,
    require_text,
    require_type,
)
from infra_result import Err, Ok, Result

NUMBERS = st.integers() | st.floats(allow_nan=False)
FIELDS = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
BLANK = " \t\n\r\v\f\x1c\x85\xa0\u2003\u3000"


def refusal(result: Result[Any, ValidationError]) -> ValidationError:
    assert isinstance(result, Err)
    return result.error


class TestText:
    @given(st.text(min_size=1))
    @settings(max_examples=100, deadline=None)
    def test_that_is_not_blank_passes_as_it_is(self, text: str) -> None:
        assume(text.strip())
        assert require_text(text, "name") == Ok(text)

    @given(st.text(st.sampled_from(BLANK)), FIELDS)
    @settings(max_examples=100, deadline=None)
    def test_that_is_blank_is_refused(self, text: str, field: str) -> None:
        error = refusal(require_text(text, field))
        assert error.message == ErrorMessages.VALIDATION_EMPTY_VALUE.format(field=field)
        assert (error.field, error.kind) == (field, "str")

    @pytest.mark.parametrize("value", [None, 3, b"bytes", ["text"]], ids=repr)
    def test_must_be_text(self, value: object) -> None:
        error = refusal(require_text(value, "name"))
        assert error.message == ErrorMessages.VALIDATION_WRONG_KIND.format(field="name", expected="text")
        assert (error.field, error.kind) == ("name", type(value).__name__)

    def test_of_a_subclass_stays_what_it_is(self) -> None:
        class Name(str):
            __slots__ = ()

        name = Name("ada")
        assert or_raise(require_text(name, "name")) is name


class TestRange:
    @given(NUMBERS, NUMBERS, NUMBERS)
    @settings(max_examples=200, deadline=None)
    def test_both_bounds_are_included(self, value: float, one: float, other: float) -> None:
        low, high = sorted([one, other])
        result = require_range(value, "size", min=low, max=high)
        if low <= value <= high:
            assert result == Ok(value)
        else:
            error = refusal(result)
            assert (error.field, error.kind) == ("size", type(value).__name__)
            assert error.message == ErrorMessages.VALIDATION_OUT_OF_RANGE.format(field="size", min=low, max=high)

    @given(NUMBERS, NUMBERS, NUMBERS)
    @settings(max_examples=200, deadline=None)
    def test_above_is_excluded(self, value: float, above: float, high: float) -> None:
        assert require_range(value, "ttl", above=above, max=high).is_ok() == (above < value <= high)

    @given(NUMBERS, NUMBERS, NUMBERS)
    @settings(max_examples=200, deadline=None)
    def test_the_stricter_of_two_lower_bounds_holds_and_is_told(self, value: float, low: float, above: float) -> None:
        result = require_range(value, "size", min=low, above=above)
        if value >= low and value > above:
            assert result == Ok(value)
        else:
            told = f"{above} (excluded)" if above >= low else f"{low}"
            assert refusal(result).message == f"size must be between {told} and inf"

    @given(NUMBERS)
    @settings(max_examples=100, deadline=None)
    def test_without_bounds_every_number_passes(self, value: float) -> None:
        assert require_range(value, "size") == Ok(value)

    @pytest.mark.parametrize("bounds", [{}, {"min": 0}, {"above": 0}, {"max": 9}])
    def test_nan_is_in_no_range(self, bounds: dict[str, float]) -> None:
        error = refusal(require_range(math.nan, "ttl", **bounds))
        assert (error.field, error.kind) == ("ttl", "float")
        assert error.message.startswith("ttl must be between ")

    @pytest.mark.parametrize("value", [True, False, None, "3", 3j, Decimal(3), [3]], ids=repr)
    def test_takes_only_numbers(self, value: Any) -> None:
        error = refusal(require_range(value, "ttl", min=0))
        assert error.message == ErrorMessages.VALIDATION_WRONG_KIND.format(field="ttl", expected="a number")
        assert error.kind == type(value).__name__

    def test_infinity_is_a_number(self) -> None:
        assert require_range(math.inf, "ttl", above=0) == Ok(math.inf)
        assert require_range(math.inf, "ttl", max=10).is_err()
        assert require_range(-math.inf, "ttl", above=-math.inf).is_err()

    def test_numbers_too_large_for_a_float(self) -> None:
        assert require_range(10**400, "size", min=1) == Ok(10**400)
        error = refusal(require_range(-(10**400), "size", min=1))
        assert error.message == "size must be between 1 and inf"

    def test_a_kind_of_int_is_kept(self) -> None:
        class Size(IntEnum):
            LARGE = 3

        assert or_raise(require_range(Size.LARGE, "size", min=1)) is Size.LARGE

    def test_the_bounds_are_told_to_machines_too(self) -> None:
        error = refusal(require_range(0, "ttl", above=0))
        assert error.parameters == {"field": "ttl", "kind": "int", "min": 0, "max": "inf"}


class TestMatch:
    SLUG = re.compile("[a-z]+(?:-[a-z]+)*")

    @given(st.from_regex(SLUG, fullmatch=True))
    @settings(max_examples=100, deadline=None)
    def test_what_matches_passes_as_it_is(self, text: str) -> None:
        assert require_match(text, "slug", self.SLUG) == Ok(text)

    @given(st.text())
    @settings(max_examples=100, deadline=None)
    def test_the_whole_must_match(self, text: str) -> None:
        assert require_match(text, "slug", self.SLUG).is_ok() == bool(self.SLUG.fullmatch(text))

    @pytest.mark.parametrize("text", ["", "A", "a-", "a b", "a\n", "xx-1"])
    def test_what_does_not_is_refused(self, text: str) -> None:
        error = refusal(require_match(text, "slug", self.SLUG))
        assert error.message == ErrorMessages.VALIDATION_INVALID_FORMAT.format(field="slug")
        assert error.parameters == {"field": "slug", "kind": "str", "pattern": self.SLUG.pattern}

    @pytest.mark.parametrize("value", [None, 3, b"a"], ids=repr)
    def test_must_be_text(self, value: object) -> None:
        assert refusal(require_match(value, "slug", self.SLUG)).message == "slug must be text"


class TestType:
    @given(st.one_of(st.integers(), st.text(), st.floats(), st.booleans(), st.binary()))
    @settings(max_examples=100, deadline=None)
    def test_what_is_of_the_type_passes_as_it_is(self, value: object) -> None:
        assert or_raise(require_type(value, "value", type(value))) is value
        assert or_raise(require_type(value, "value", object)) is value

    @pytest.mark.parametrize(
        ("value", "expected"), [("3", int), (3, str), (None, dict), (3, float), (True, int), (False, int)]
    )
    def test_what_is_not_is_refused(self, value: object, expected: type[object]) -> None:
        error = refusal(require_type(value, "count", expected))
        assert error.message == f"count must be {expected.__name__}"
        assert (error.field, error.kind) == ("count", type(value).__name__)

    def test_a_bool_is_a_bool(self) -> None:
        assert require_type(True, "flag", bool) == Ok(True)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "result",
    [
        require_match(SECRET, "password", re.compile("[0-9]+")),
        require_type(SECRET, "password", int),
        require_range(123456, "pin", max=10),
    ],
    ids=repr,
)
def test_the_value_itself_is_not_told(result: Result[object, ValidationError]) -> None:
    error = refusal(result)
    assert SECRET not in f"{error!r} {error.to_dict()}"
    assert "123456" not in f"{error!r} {error.to_dict()}"


class TestOrRaise:
    def test_returns_what_is_good(self) -> None:
        assert or_raise(Ok(3)) == 3

    @pytest.mark.parametrize("error", [ValidationError("Bad"), CacheError("Boom"), KeyError("k")], ids=repr)
    def test_raises_what_is_not(self, error: Exception) -> None:
        with pytest.raises(type(error)) as caught:
            or_raise(Err(error))
        assert caught.value is error
