import copy
import dataclasses
import pickle
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any, Literal

import pytest

from infra_result import Err, Ok, Result

ARMS: list[tuple[type[Ok[Any]] | type[Err[Any]], str]] = [(Ok, "value"), (Err, "error")]
any_arm = pytest.mark.parametrize(("arm", "field"), ARMS)

TEN: Result[int, str] = Ok(10)
LOST: Result[int, str] = Err("lost")


def refuse(_: object) -> Any:
    raise AssertionError("the function of the other arm was called")


def test_each_arm_answers_for_itself() -> None:
    assert (TEN.is_ok(), TEN.is_err(), TEN.ok(), TEN.err()) == (True, False, 10, None)
    assert (LOST.is_ok(), LOST.is_err(), LOST.ok(), LOST.err()) == (False, True, None, "lost")


def test_unwrapping_the_arm_that_is_there() -> None:
    assert TEN.unwrap() == TEN.expect("counted") == TEN.unwrap_or(0) == TEN.unwrap_or_else(refuse) == 10
    assert LOST.unwrap_err() == LOST.expect_err("refused") == "lost"


def test_a_default_stands_in_for_the_value_of_an_err() -> None:
    assert LOST.unwrap_or(0) == 0
    assert LOST.unwrap_or_else(len) == 4


def test_map_changes_only_the_value() -> None:
    assert TEN.map(lambda value: value * 2) == Ok(20)
    assert LOST.map(refuse) is LOST


def test_map_err_changes_only_the_error() -> None:
    assert LOST.map_err(str.upper) == Err("LOST")
    assert TEN.map_err(refuse) is TEN


def test_flat_map_takes_the_result_of_the_function() -> None:
    smaller, negative = Ok(9), Err("negative")
    assert TEN.flat_map(lambda _: smaller) is smaller
    assert TEN.flat_map(lambda _: negative) is negative
    assert LOST.flat_map(refuse) is LOST


def test_or_else_takes_the_result_of_the_function() -> None:
    found, gone = Ok(9), Err("gone")
    assert LOST.or_else(lambda _: found) is found
    assert LOST.or_else(lambda _: gone) is gone
    assert TEN.or_else(refuse) is TEN


def test_inspect_looks_without_changing() -> None:
    seen: list[object] = []

    assert TEN.inspect(seen.append) is TEN
    assert LOST.inspect_err(seen.append) is LOST
    assert seen == [10, "lost"]

    assert LOST.inspect(refuse) is LOST
    assert TEN.inspect_err(refuse) is TEN


async def test_async_methods_do_as_their_sync_siblings() -> None:
    async def double(value: int) -> int:
        return value * 2

    async def halve(value: int) -> Result[int, str]:
        return Err("odd") if value % 2 else Ok(value // 2)

    assert await TEN.map_async(double) == Ok(20)
    assert await LOST.map_async(refuse) is LOST
    assert await TEN.flat_map_async(halve) == Ok(5)
    assert await Ok(5).flat_map_async(halve) == Err("odd")
    assert await LOST.flat_map_async(refuse) is LOST


@pytest.mark.parametrize("name", ["map", "flat_map", "inspect", "unwrap_or_else", "or_else", "map_err", "inspect_err"])
def test_what_a_function_raises_passes_through(name: str) -> None:
    failure = ZeroDivisionError()

    def fail(_: object) -> Any:
        raise failure

    caller = Ok(1) if name in ("map", "flat_map", "inspect") else Err(1)
    with pytest.raises(ZeroDivisionError) as caught:
        getattr(caller, name)(fail)
    assert caught.value is failure


def test_match_takes_the_content_by_position() -> None:
    def read(result: Result[int, str]) -> tuple[str, object]:
        match result:
            case Ok(value):
                return "ok", value
            case Err(error):
                return "err", error

    assert (read(TEN), read(LOST)) == (("ok", 10), ("err", "lost"))


def test_repr_evaluates_to_an_equal_result() -> None:
    assert repr(Ok(Err("x"))) == "Ok(Err('x'))"
    assert eval(repr(Ok(Err("x")))) == Ok(Err("x"))


@any_arm
def test_is_a_frozen_dataclass(arm: type[Any], field: str) -> None:
    assert dataclasses.is_dataclass(arm)
    assert [each.name for each in dataclasses.fields(arm)] == [field]
    assert dataclasses.asdict(arm([1])) == {field: [1]}


@any_arm
@pytest.mark.parametrize("name", ["content", "unknown", "map", "__class__", "__dict__"])
def test_no_attribute_can_be_assigned_or_deleted(arm: type[Any], field: str, name: str) -> None:
    result = arm(1)
    attribute = field if name == "content" else name

    with pytest.raises(FrozenInstanceError):
        setattr(result, attribute, 2)
    with pytest.raises(FrozenInstanceError):
        delattr(result, attribute)

    assert result == arm(1)


@any_arm
def test_holds_one_slot_and_nothing_else(arm: type[Any], field: str) -> None:
    assert arm.__slots__ == (field,)
    assert not hasattr(arm(1), "__dict__")
    assert sys.getsizeof(arm(1)) <= sys.getsizeof((1,))


@any_arm
def test_cannot_be_made_without_content(arm: type[Any], field: str) -> None:
    with pytest.raises(TypeError):
        arm()


def test_equality_is_by_arm_and_content() -> None:
    assert Ok(1) == Ok(True) == Ok(1.0)
    assert Ok(1) != Ok(2)
    assert Ok(1) != Err(1)
    assert Err(1) != Ok(1)
    assert Ok(1) != 1
    assert Err("x") != ("x",)
    assert Ok(1).__eq__(1) is NotImplemented


def test_nan_equals_itself_as_in_a_tuple() -> None:
    nan = float("nan")
    for arm, _ in ARMS:
        assert arm(nan) == arm(nan)
        assert arm(nan) != arm(float("nan"))


def test_hash_follows_equality_and_tells_the_arms_apart() -> None:
    assert hash(Ok(1)) == hash(Ok(1.0))
    assert hash(Err("x")) == hash(Err("x"))
    assert len({hash(Ok(1)), hash(Err(1)), hash((1,)), hash(1)}) == 4
    assert {Ok(1): "a", Err(1): "b"}[Err(1)] == "b"
    with pytest.raises(TypeError):
        hash(Ok([]))


@any_arm
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_survives_pickling(arm: type[Any], field: str, protocol: int) -> None:
    back = pickle.loads(pickle.dumps(arm([1, {"a": None}]), protocol))
    assert back == arm([1, {"a": None}])
    assert type(back) is arm


@any_arm
def test_copies(arm: type[Any], field: str) -> None:
    content = [1]
    result = arm(content)

    assert getattr(copy.copy(result), field) is content
    deep = copy.deepcopy(result)
    assert deep == result
    assert getattr(deep, field) is not content


def through_pickle(result: object) -> Any:
    return pickle.loads(pickle.dumps(result))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle])
def test_a_result_inside_its_own_content_survives_copying(duplicate: Callable[[Any], Any]) -> None:
    content: list[object] = []
    content.append(Ok(content))

    back = duplicate(Ok(content))

    (inner,) = back.value
    assert inner.value is back.value


@any_arm
@pytest.mark.parametrize("replace", [dataclasses.replace, getattr(copy, "replace", dataclasses.replace)])
def test_replace_makes_another(arm: type[Any], field: str, replace: Callable[..., object]) -> None:
    result = arm(1)
    assert replace(result, **{field: 2}) == arm(2)
    assert result == arm(1)


def test_subscripted_classes_construct() -> None:
    assert Ok[int](1) == Ok(1)
    assert Err[Literal["x"]]("x") == Err("x")
