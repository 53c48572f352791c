import asyncio
import gc
import inspect
import weakref
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from infra_result import Err, Ok, Result, catch_to_result

catch = catch_to_result(ValueError)


def parse(text: str, *, base: int = 10) -> int:
    """Read a number."""
    return int(text, base)


async def parse_later(text: str, *, base: int = 10) -> int:
    """Read a number, later."""
    await asyncio.sleep(0)
    return int(text, base)


class ParseLater:
    async def __call__(self, text: str) -> int:
        return await parse_later(text)


def hand_on(text: str) -> Awaitable[int]:
    return parse_later(text)


def hand_on_future(text: str) -> Awaitable[int]:
    return asyncio.ensure_future(parse_later(text))


class Failing:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def now(self) -> None:
        raise self.error

    async def later(self) -> None:
        raise self.error


def test_what_a_function_returns_is_ok_and_what_it_raises_is_err() -> None:
    assert catch(parse)("ff", base=16) == Ok(255)

    refused = catch(parse)("zz").unwrap_err()
    assert isinstance(refused, ValueError)
    assert refused.__traceback__ is not None


async def test_a_coroutine_function_is_awaited() -> None:
    assert await catch(parse_later)("ff", base=16) == Ok(255)
    assert isinstance((await catch(parse_later)("zz")).unwrap_err(), ValueError)


async def test_the_exception_that_was_raised_is_the_error_itself() -> None:
    error = ValueError("mine")
    assert catch(Failing(error).now)().unwrap_err() is error
    assert (await catch(Failing(error).later)()).unwrap_err() is error


async def test_subclasses_and_each_of_several_classes_are_caught() -> None:
    several = catch_to_result(LookupError, ValueError)
    for error in (KeyError("id"), IndexError(1), ValueError("x")):
        assert several(Failing(error).now)() == Err(error)
        assert await several(Failing(error).later)() == Err(error)


@pytest.mark.parametrize(
    "error", [TypeError("other"), CancelledError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()]
)
async def test_everything_else_passes_through(error: BaseException) -> None:
    catch_most = catch if isinstance(error, Exception) else catch_to_result(Exception)

    with pytest.raises(type(error)) as caught:
        catch_most(Failing(error).now)()
    assert caught.value is error

    # Driven by hand, as an event loop stops at a KeyboardInterrupt.
    with pytest.raises(type(error)) as caught:
        catch_most(Failing(error).later)().send(None)
    assert caught.value is error


async def test_cancellation_reaches_the_function_and_its_caller() -> None:
    seen: list[str] = []

    @catch_to_result(Exception)
    async def wait_forever() -> None:
        try:
            await asyncio.Event().wait()
        except CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(wait_forever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(CancelledError):
        await task
    assert task.cancelled()
    assert seen == ["cancelled"]


@pytest.mark.parametrize("fn", [parse, parse_later])
def test_the_signature_is_kept(fn: Callable[..., Any]) -> None:
    caught: Callable[..., Any] = catch(fn)
    assert inspect.signature(caught) == inspect.signature(fn)
    assert (caught.__name__, caught.__qualname__, caught.__doc__) == (fn.__name__, fn.__qualname__, fn.__doc__)
    assert caught.__module__ == __name__


def test_a_coroutine_function_stays_one_and_no_other_becomes_one() -> None:
    assert inspect.iscoroutinefunction(catch(parse_later))
    assert inspect.iscoroutinefunction(catch(ParseLater()))
    assert inspect.iscoroutinefunction(catch(partial(parse_later, "1")))
    assert not inspect.iscoroutinefunction(catch(parse))


@pytest.mark.parametrize(
    "fn",
    [
        partial(parse_later),
        partial(ParseLater()),
        ParseLater(),
        hand_on,
        hand_on_future,
        inspect.markcoroutinefunction(partial(hand_on)),
    ],
    ids=["partial", "partial of object", "object", "function", "future", "marked"],
)
async def test_an_awaitable_never_ends_up_inside_an_ok(fn: Callable[[str], Awaitable[int]]) -> None:
    assert await catch(fn)("12") == Ok(12)
    assert isinstance((await catch(fn)("zz")).unwrap_err(), ValueError)


async def test_what_is_raised_before_there_is_an_awaitable_is_a_bare_err() -> None:
    def refuse_blank(text: str) -> Awaitable[int]:
        if not text:
            raise ValueError("blank")
        return parse_later(text)

    assert await catch(refuse_blank)("12") == Ok(12)
    outcome: object = catch(refuse_blank)("")
    assert isinstance(outcome, Err)


def parse_for_class(cls: Any, text: str) -> int:
    return int(text, cls.base)


async def test_works_on_every_kind_of_method() -> None:
    class Parser:
        base = 16

        @catch
        def plain(self, text: str) -> int:
            return int(text, self.base)

        @catch
        async def coroutine(self, text: str) -> int:
            return int(text, self.base)

        @staticmethod
        @catch
        def static(text: str) -> int:
            return int(text)

        @classmethod
        @catch
        def of_class(cls, text: str) -> int:
            return int(text, cls.base)

        @catch
        @staticmethod
        def static_inside(text: str) -> int:
            return int(text)

        of_class_inside = cast("Callable[[Any], Any]", catch)(classmethod(parse_for_class))

    parser = Parser()

    assert parser.plain("ff") == Ok(255)
    assert await parser.coroutine("ff") == Ok(255)
    assert parser.static("12") == Parser.static("12") == Ok(12)
    assert parser.of_class("ff") == Parser.of_class("ff") == Ok(255)
    assert parser.static_inside("12") == Parser.static_inside("12") == Ok(12)
    assert parser.of_class_inside("ff") == Parser.of_class_inside("ff") == Ok(255)
    assert isinstance(parser.plain("zz").unwrap_err(), ValueError)


def test_a_class_is_a_function_too() -> None:
    assert catch(int)("12") == Ok(12)
    assert isinstance(catch(int)("zz").unwrap_err(), ValueError)


@pytest.mark.parametrize(
    "given",
    [
        BaseException,
        KeyboardInterrupt,
        CancelledError,
        GeneratorExit,
        BaseExceptionGroup,
        int,
        (ValueError, KeyError),
        ValueError("an instance"),
        parse,
    ],
)
@pytest.mark.parametrize("before", [[], [ValueError]])
def test_refuses_what_is_no_exception_class(given: Any, before: list[type[Exception]]) -> None:
    with pytest.raises(TypeError) as caught:
        catch_to_result(*before, given)
    assert str(caught.value) == f"catch_to_result takes subclasses of Exception, not {given!r}"


def test_refuses_to_catch_nothing() -> None:
    empty: list[type[Exception]] = []
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        catch_to_result(*empty)


def numbers() -> Iterator[int]:
    yield 1


async def numbers_later() -> AsyncIterator[int]:
    yield 1


class Numbers:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize("fn", [numbers, numbers_later, Numbers(), partial(numbers)])
def test_refuses_generator_functions(fn: Callable[[], object]) -> None:
    with pytest.raises(TypeError) as caught:
        catch(fn)
    assert f"the generator function {fn!r}" in str(caught.value)


async def test_an_err_forms_no_reference_cycle() -> None:
    class Refused(ValueError):
        pass

    def refuse() -> None:
        raise Refused

    async def refuse_later() -> None:
        raise Refused

    async def gone(result: Result[None, ValueError]) -> bool:
        watch = weakref.ref(result.unwrap_err())
        del result
        return watch() is None

    gc.collect()
    gc.disable()
    try:
        assert await gone(catch(refuse)())
        assert await gone(await catch(refuse_later)())
    finally:
        gc.enable()
