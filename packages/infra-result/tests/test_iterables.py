from collections.abc import Iterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from infra_result import Err, Ok, Result, collect, partition

# Hypothesis resolves the alias; its annotation knows only classes.
result_lists: st.SearchStrategy[list[Result[int, str]]] = st.from_type(cast("Any", list[Result[int, str]]))


def test_collect_returns_the_first_err_itself_and_consumes_no_further() -> None:
    first: Result[int, str] = Err("first")
    consumed: list[object] = []

    def lazily() -> Iterator[Result[int, str]]:
        for result in (Ok(1), first, Err("second"), Ok(2)):
            consumed.append(result)
            yield result

    assert collect(lazily()) is first
    assert consumed == [Ok(1), first]


def test_nothing_collects_to_an_empty_list() -> None:
    nothing: list[Result[int, str]] = []
    assert collect(nothing) == Ok([])
    assert partition(nothing) == ([], [])


@given(values=st.lists(st.integers()))
def test_collect_of_oks_has_every_value_in_order(values: list[int]) -> None:
    assert collect(Ok(value) for value in values) == Ok(values)


@given(results=result_lists)
def test_partition_loses_nothing_and_keeps_the_order(results: list[Result[int, str]]) -> None:
    values, errors = partition(iter(results))

    value, error = iter(values), iter(errors)
    assert [Ok(next(value)) if result.is_ok() else Err(next(error)) for result in results] == results
    assert len(values) + len(errors) == len(results)


@given(results=result_lists)
def test_collect_and_partition_agree(results: list[Result[int, str]]) -> None:
    values, errors = partition(results)
    assert collect(results) == (Err(errors[0]) if errors else Ok(values))
