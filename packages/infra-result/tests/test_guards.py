from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from infra_result import Err, Ok, Result, is_err, is_ok

# Hypothesis resolves the alias; its annotation knows only classes.
results: st.SearchStrategy[Result[int, str]] = st.from_type(cast("Any", Result[int, str]))


def test_each_arm_is_told_by_its_guard() -> None:
    assert (is_ok(Ok(None)), is_err(Ok(None))) == (True, False)
    assert (is_ok(Err(None)), is_err(Err(None))) == (False, True)


@given(result=results)
def test_guards_agree_with_the_methods(result: Result[int, str]) -> None:
    assert is_ok(result) is result.is_ok() is not is_err(result)
    assert is_err(result) is result.is_err()
