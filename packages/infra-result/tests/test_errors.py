import copy
import pickle
import traceback
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import pytest

from infra_result import Err, Ok, Result, UnwrapError

wrong_arm = pytest.mark.parametrize(
    ("result", "unwrap", "text"),
    [
        (Err("lost"), methodcaller("unwrap"), "Called unwrap on Err: lost"),
        (Ok(10), methodcaller("unwrap_err"), "Called unwrap_err on Ok: 10"),
        (Err("lost"), methodcaller("expect", "counted"), "counted: lost"),
        (Ok(10), methodcaller("expect_err", "refused"), "refused: 10"),
        (Err("{error}"), methodcaller("expect", "{content}"), "{content}: {error}"),
    ],
)


@wrong_arm
def test_the_wrong_arm_raises_with_the_result_and_a_text(
    result: Result[int, str], unwrap: Callable[[Result[int, str]], object], text: str
) -> None:
    with pytest.raises(UnwrapError) as caught:
        unwrap(result)
    assert str(caught.value) == text
    assert caught.value.result is result
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("unwrap", [methodcaller("unwrap"), methodcaller("expect", "counted")])
@pytest.mark.parametrize("error", [KeyError("id"), KeyboardInterrupt(), ExceptionGroup("both", [ValueError()])])
def test_an_exception_in_an_err_is_the_cause(error: BaseException, unwrap: Callable[[Any], object]) -> None:
    with pytest.raises(UnwrapError) as caught:
        unwrap(Err(error))
    assert caught.value.__cause__ is error


def test_an_exception_in_an_ok_is_no_cause() -> None:
    with pytest.raises(UnwrapError) as caught:
        Ok(KeyError("id")).unwrap_err()
    assert caught.value.__cause__ is None


def test_repeated_unwrapping_grows_neither_traceback_nor_chain() -> None:
    try:
        raise KeyError("id")
    except KeyError as error:
        result = Err(error)

    def state() -> tuple[int, BaseException | None, BaseException | None]:
        error = result.error
        return len(traceback.extract_tb(error.__traceback__)), error.__context__, error.__cause__

    def printed() -> str:
        with pytest.raises(UnwrapError) as caught:
            result.unwrap()
        return "".join(traceback.format_exception(caught.value))

    before, first = state(), printed()

    assert {printed() for _ in range(50)} == {first}
    assert state() == before == (1, None, None)
    assert first.count("KeyError: 'id'") == 1


def through_pickle(error: object) -> Any:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
def test_survives_copying_and_pickling(duplicate: Callable[[UnwrapError], UnwrapError]) -> None:
    error = UnwrapError("counted: lost", Err(KeyError("lost")))
    error.add_note("while counting")

    back = duplicate(error)

    assert type(back) is UnwrapError
    assert str(back) == "counted: lost"
    assert isinstance(back.result, Err)
    assert back.__cause__ is back.result.error
    assert repr(back.__cause__) == "KeyError('lost')"
    assert back.__notes__ == ["while counting"]
