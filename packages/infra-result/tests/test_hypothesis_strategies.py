import importlib
from collections.abc import Callable, Hashable
from importlib.metadata import entry_points
from typing import Any, Generic

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from infra_result import Err, Ok, Result


@given(ok=st.from_type(Ok[int]), err=st.from_type(Err[str]))
def test_an_arm_gets_content_of_its_type(ok: Ok[int], err: Err[str]) -> None:
    assert isinstance(ok, Ok)
    assert isinstance(ok.value, int)
    assert isinstance(err, Err)
    assert isinstance(err.error, str)


@given(nested=st.from_type(Ok[list[Result[int, str]]]))
def test_types_nest(nested: Ok[list[Result[int, str]]]) -> None:
    for result in nested.value:
        assert isinstance(result.value if isinstance(result, Ok) else result.error, int | str)


@pytest.mark.parametrize("arm", [Ok, Err])
@pytest.mark.parametrize("alias", [Result[int, str], Result])
def test_a_result_can_be_either_arm(alias: Any, arm: type[Any]) -> None:
    found = find(st.from_type(alias), lambda result: type(result) is arm)
    assert type(found) is arm


@pytest.mark.parametrize("content", [int, str])
def test_without_subscript_any_content_may_come(content: type[object]) -> None:
    bare: list[Any] = [Ok, Err]
    for arm in bare:
        found = find(st.from_type(arm), lambda result: isinstance(result.ok() or result.err(), content))
        assert type(found) is arm


def test_base_classes_resolve_as_they_do_without_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: dict[type, Callable[[Any], object]] = {}
    monkeypatch.setattr(st, "register_type_strategy", registered.__setitem__)
    importlib.import_module("infra_result._hypothesis").register()

    assert registered.keys() == {Ok, Err}
    for base in (object, Hashable, Generic):
        assert all(strategy(base) is NotImplemented for strategy in registered.values())


def test_hypothesis_finds_the_strategies_by_the_entry_point() -> None:
    (found,) = entry_points(group="hypothesis", name="infra_result")
    assert found.value == "infra_result._hypothesis:register"
