# What pyright strict and mypy strict must both accept. Nothing here is run.

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, assert_never, assert_type

from infra_result import Err, Ok, Result, catch_to_result, collect, is_err, is_ok, partition


def narrowing_in_both_branches(result: Result[int, str]) -> None:
    if is_ok(result):
        assert_type(result, Ok[int])
        assert_type(result.value, int)
    else:
        assert_type(result, Err[str])
        assert_type(result.error, str)

    if is_err(result):
        assert_type(result, Err[str])
    else:
        assert_type(result, Ok[int])

    if isinstance(result, Ok):
        assert_type(result, Ok[int])
    else:
        assert_type(result, Err[str])


def early_return(result: Result[int, str]) -> int:
    if is_err(result):
        return len(result.error)
    return result.value


def exhaustive_match(result: Result[int, str]) -> int:
    match result:
        case Ok(value):
            assert_type(value, int)
            return value
        case Err(error):
            assert_type(error, str)
            return len(error)
        case _:
            assert_never(result)


def both_arms_by_name(result: Result[int, str]) -> int:
    match result:
        case Ok(value=value):
            return value
        case Err(error=error):
            return len(error)


def covariance(truth: Ok[bool], lost: Err[KeyError]) -> tuple[Ok[int], Err[LookupError]]:
    return truth, lost


def covariance_of_results(result: Result[bool, KeyError], truth: Ok[bool]) -> list[Result[int, LookupError]]:
    return [result, truth]


def unwrapping(result: Result[int, str]) -> None:
    assert_type(result.is_ok(), bool)
    assert_type(result.is_err(), bool)
    assert_type(result.ok(), int | None)
    assert_type(result.err(), str | None)
    assert_type(result.unwrap(), int)
    assert_type(result.unwrap_err(), str)
    assert_type(result.expect("counted"), int)
    assert_type(result.expect_err("refused"), str)
    assert_type(result.unwrap_or(None), int | None)
    assert_type(result.unwrap_or(0), int)


def functions_on_a_union(result: Result[int, str]) -> None:
    assert_type(result.unwrap_or_else(len), int)
    assert_type(result.map(str), Result[str, str])
    assert_type(result.map_err(len), Result[int, int])
    assert_type(result.flat_map(halve), Ok[int] | Err[float] | Err[str])
    assert_type(result.or_else(recover), Ok[int] | Err[bytes])


def lambdas_on_a_union(result: Result[int, str]) -> None:
    assert_type(result.unwrap_or_else(lambda error: len(error)), int)
    assert_type(result.map(lambda value: value + 0.5), Result[float, str])
    assert_type(result.map_err(lambda error: error.encode()), Result[int, bytes])
    assert_type(result.flat_map(lambda value: Ok(value) if value else Err(0.5)), Ok[int] | Err[float] | Err[str])
    assert_type(result.flat_map(lambda value: Err(value)), Err[int] | Err[str])
    assert_type(result.flat_map(lambda v: halve(v).map(lambda w: v / w)), Ok[float] | Err[float] | Err[str])
    assert_type(result.or_else(lambda error: Ok(len(error))), Ok[int])
    assert_type(result.or_else(lambda error: Err(len(error))), Result[int, int])
    assert_type(result.inspect(lambda value: value.bit_length()), Result[int, str])
    assert_type(result.inspect_err(lambda error: error.upper()), Result[int, str])
    chained = result.map(lambda value: value + 1).map(lambda value: [value]).map_err(lambda error: error.split())
    assert_type(chained, Result[list[int], list[str]])


def generic_caller[T, U, E](result: Result[T, E], fn: Callable[[T], Result[U, E]]) -> Result[U, E]:
    return result.flat_map(fn)


async def async_combinators(result: Result[int, str]) -> None:
    assert_type(await result.map_async(fetch), Result[bytes, str])
    assert_type(await result.map_async(lambda value: fetch(value)), Result[bytes, str])
    assert_type(await result.flat_map_async(fetch_halved), Ok[int] | Err[float] | Err[str])
    assert_type(await result.flat_map_async(lambda value: fetch_halved(value)), Ok[int] | Err[float] | Err[str])
    assert_type((await result.map_async(fetch)).map(len), Result[int, str])


def many(results: Iterable[Result[int, str]]) -> None:
    assert_type(collect(results), Result[list[int], str])
    assert_type(collect(halve(number) for number in range(3)), Result[list[int], float])
    assert_type(partition(results), tuple[list[int], list[str]])


def halve(number: int) -> Result[int, float]:
    return Err(number / 2) if number % 2 else Ok(number // 2)


def recover(error: str) -> Result[int, bytes]:
    return Err(error.encode())


async def fetch(number: int) -> bytes:
    return bytes(number)


async def fetch_halved(number: int) -> Result[int, float]:
    return halve(number)


@catch_to_result(ValueError)
def parse(text: str, *, base: int = 10) -> int:
    return int(text, base)


@catch_to_result(ValueError)
async def parse_async(text: str, *, base: int = 10) -> int:
    return int(text, base)


class Parser:
    @catch_to_result(ValueError)
    def plain(self, text: str) -> int:
        return int(text)

    @catch_to_result(ValueError)
    async def coroutine(self, text: str) -> int:
        return int(text)

    @staticmethod
    @catch_to_result(ValueError)
    def static(text: str) -> int:
        return int(text)

    @classmethod
    @catch_to_result(ValueError)
    def of_class(cls, text: str) -> int:
        return int(text)

    @property
    @catch_to_result(ValueError)
    def size(self) -> int:
        return 1


async def caught(parser: Parser) -> None:
    assert_type(parse("1", base=2), Result[int, ValueError])
    await assert_type(parse_async("1", base=2), Coroutine[Any, Any, Result[int, ValueError]])
    assert_type(parser.plain("1"), Result[int, ValueError])
    await assert_type(parser.coroutine("1"), Coroutine[Any, Any, Result[int, ValueError]])
    assert_type(parser.static("1"), Result[int, ValueError])
    assert_type(Parser.static("1"), Result[int, ValueError])
    assert_type(Parser.of_class("1"), Result[int, ValueError])
    assert_type(parser.size, Result[int, ValueError])


async def caught_without_decorator_syntax() -> None:
    catch = catch_to_result(OSError)
    assert_type(catch(int)("1"), Result[int, OSError])
    await assert_type(catch(lambda: fetch(1))(), Coroutine[Any, Any, Result[bytes, OSError]])
    await assert_type(catch(partial(fetch, 1))(), Coroutine[Any, Any, Result[bytes, OSError]])
