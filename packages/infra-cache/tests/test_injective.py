"""Two calls have the same key only when all their arguments are the same."""

import math
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from infra_cache import call_key

type Call = tuple[list[object], dict[str, object]]


def anything(*args: object, **kwargs: object) -> None: ...


def deeply_same(one: Any, other: Any) -> bool:
    kind = cast("object", type(one))
    if kind is not type(other):
        return False
    if kind is float:
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(deeply_same, one, other))
    if kind is dict:
        return _alike_in_any_order([*one.items()], [*other.items()])
    if kind is frozenset:
        return _alike_in_any_order([*one], [*other])
    return one == other


def _alike_in_any_order(ones: list[Any], others: list[Any]) -> bool:
    return len(ones) == len(others) and all(any(deeply_same(one, other) for other in others) for one in ones)


# Few and alike, so that two calls often differ in one place only.
LEAVES: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 10**30, 2**1100]),
    st.sampled_from([0.0, -0.0, 1.0, 1e30, math.inf, 5e-324]),
    st.text(alphabet="01'\"\\,=:()[]{} bé\ud800", max_size=4),
    st.sampled_from(["None", "True", "1", "1.0", "b'1'", "", "()", "1, 1", "a=1"]),
    st.binary(max_size=2),
)
HASHABLE: SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=2), max_leaves=4
)
ARGUMENTS: SearchStrategy[Any] = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=2)
    ),
    max_leaves=5,
)
CALLS: SearchStrategy[Call] = st.tuples(
    st.lists(ARGUMENTS, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a=1, b", "é"]), ARGUMENTS, max_size=2)
)


COLLECTIONS: list[Any] = [list, tuple, frozenset]


def reordered(value: Any) -> Any:
    kind: Any = cast("object", type(value))
    if kind is dict:
        return {reordered(key): reordered(kept) for key, kept in reversed([*value.items()])}
    if kind in COLLECTIONS:
        items: list[object] = [reordered(each) for each in value]
        turned: object = kind(items)
        return turned
    return value


@settings(max_examples=200, deadline=None)
@given(one=CALLS, other=CALLS)
def test_keys_are_equal_for_calls_whose_arguments_are_the_same_and_for_no_others(one: Call, other: Call) -> None:
    same = deeply_same(one, other)
    assert (call_key(anything, *one[0], **one[1]) == call_key(anything, *other[0], **other[1])) == same


@settings(max_examples=200, deadline=None)
@given(one=ARGUMENTS, other=ARGUMENTS)
def test_one_argument_alone_is_told_apart_too(one: object, other: object) -> None:
    assert (call_key(anything, one) == call_key(anything, other)) == deeply_same(one, other)


@settings(max_examples=200, deadline=None)
@given(call=CALLS)
def test_the_order_of_dicts_and_keyword_arguments_does_not_count(call: Call) -> None:
    again: Call = reordered(call)
    assert call_key(anything, *call[0], **call[1]) == call_key(anything, *again[0], **again[1])


@settings(max_examples=200, deadline=None)
@given(value=ARGUMENTS)
def test_a_value_is_not_what_holds_it(value: object) -> None:
    keys = {call_key(anything, *each) for each in ((value,), ([value],), ((value,),), ({"a": value},), (value, value))}
    assert len(keys | {call_key(anything, a=value), call_key(anything)}) == 7
