from collections.abc import Callable
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from infra_result import Err, Ok, Result

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


def one_argument(argument: Any, /) -> Any: ...


# Hypothesis resolves the alias; its annotation knows only classes.
results: st.SearchStrategy[Result[int, str]] = st.from_type(cast("Any", Result[int, str]))
int_to_int = st.functions(like=one_argument, returns=st.integers(), pure=True)
int_to_result = st.functions(like=one_argument, returns=results, pure=True)
text_to_text = st.functions(like=one_argument, returns=st.text(), pure=True)
examples = settings(max_examples=200)


# **Feature: infrastructure-generics-review-2025, Property 1: Result Type Round-Trip**
# **Validates: Requirements 2.1, 2.3, 2.4**
@examples
@given(value=anything)
def test_property_1_result_type_round_trip(value: object) -> None:
    assert Ok(value).unwrap() is value
    assert Err(value).unwrap_err() is value


# **Feature: infrastructure-generics-review-2025, Property 2: Result Map Composition**
# **Validates: Requirements 2.4**
@examples
@given(result=st.from_type(Ok[int]), f=int_to_int, g=int_to_int)
def test_property_2_result_map_composition(result: Ok[int], f: Callable[[int], int], g: Callable[[int], int]) -> None:
    assert result.map(f).map(g) == result.map(lambda x: g(f(x)))


# **Feature: infrastructure-generics-review-2025, Property 3: Result Error Propagation**
# **Validates: Requirements 2.2, 2.4**
@examples
@given(error=anything, f=int_to_int)
def test_property_3_result_error_propagation(error: object, f: Callable[[int], int]) -> None:
    result: Result[int, object] = Err(error)
    assert result.map(f) is result
    assert result.map(f).unwrap_err() is error


@examples
@given(result=results)
def test_mapping_the_identity_changes_nothing(result: Result[int, str]) -> None:
    assert result.map(lambda value: value) == result == result.map_err(lambda error: error)


@examples
@given(value=st.integers(), f=int_to_result)
def test_flat_map_of_an_ok_is_the_call(value: int, f: Callable[[int], Result[int, str]]) -> None:
    assert Ok(value).flat_map(f) == f(value)


@examples
@given(result=results, f=int_to_result, g=int_to_result)
def test_flat_map_is_associative(
    result: Result[int, str], f: Callable[[int], Result[int, str]], g: Callable[[int], Result[int, str]]
) -> None:
    assert result.flat_map(f).flat_map(g) == result.flat_map(lambda value: f(value).flat_map(g))


@examples
@given(result=results, f=int_to_int)
def test_map_is_flat_map_into_ok(result: Result[int, str], f: Callable[[int], int]) -> None:
    assert result.map(f) == result.flat_map(lambda value: Ok(f(value)))


@examples
@given(result=results, f=text_to_text)
def test_map_err_is_or_else_into_err(result: Result[int, str], f: Callable[[str], str]) -> None:
    assert result.map_err(f) == result.or_else(lambda error: Err(f(error)))


@examples
@given(one=results, other=results)
def test_equal_results_hash_alike_and_print_alike(one: Result[int, str], other: Result[int, str]) -> None:
    assert (one == other) == (repr(one) == repr(other))
    if one == other:
        assert hash(one) == hash(other)
