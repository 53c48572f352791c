# What pyright strict must refuse. An ignore comment that is not needed is an error itself, so each line here
# fails the check as soon as pyright accepts it. Nothing here is run.

from asyncio import CancelledError

from infra_result import Err, Ok, Result, catch_to_result, is_ok


def immutable(ok: Ok[int], err: Err[str]) -> None:
    ok.value = 2  # pyright: ignore[reportAttributeAccessIssue]
    err.error = "other"  # pyright: ignore[reportAttributeAccessIssue]
    del ok.value  # pyright: ignore[reportAttributeAccessIssue]
    ok.unknown = 2  # pyright: ignore[reportAttributeAccessIssue]


def not_narrowed(result: Result[int, str]) -> object:
    if is_ok(result):
        return result.error  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    return result.value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


def not_exhaustive(result: Result[int, str]) -> int:
    match result:  # pyright: ignore[reportMatchNotExhaustive]
        case Ok(value):
            return value
    return 0


def not_contravariant(number: Ok[int], lookup: Err[LookupError]) -> tuple[Ok[bool], Err[KeyError]]:
    return number, lookup  # pyright: ignore[reportReturnType]


def an_error_is_not_forgotten(result: Result[int, str]) -> Result[int, float]:
    return result.flat_map(lambda value: Ok(value) if value else Err(0.5))  # pyright: ignore[reportReturnType]


async def wrong_functions(result: Result[int, str]) -> None:
    result.map(len)  # pyright: ignore[reportArgumentType]
    result.map_err(abs)  # pyright: ignore[reportArgumentType]
    result.flat_map(lambda value: value)  # pyright: ignore[reportArgumentType]
    result.or_else(len)  # pyright: ignore[reportArgumentType]
    result.inspect(len)  # pyright: ignore[reportArgumentType]
    await result.map_async(str)  # pyright: ignore[reportArgumentType]


def no_subclass_of_an_arm() -> None:
    class MyOk(Ok[int]):  # pyright: ignore[reportGeneralTypeIssues, reportUnusedClass]
        pass


def only_exceptions_are_caught() -> None:
    catch_to_result()  # pyright: ignore[reportCallIssue]
    catch_to_result(KeyboardInterrupt)  # pyright: ignore[reportArgumentType]
    catch_to_result(CancelledError)  # pyright: ignore[reportArgumentType]
    catch_to_result(ValueError, GeneratorExit)  # pyright: ignore[reportArgumentType]
    catch_to_result(ValueError("an instance"))  # pyright: ignore[reportArgumentType]


@catch_to_result(ValueError)
def parse(text: str, *, base: int = 10) -> int:
    return int(text, base)


def parameters_are_kept() -> None:
    parse(1)  # pyright: ignore[reportArgumentType]
    parse("1", 2)  # pyright: ignore[reportCallIssue]
    parse("1", bases=2)  # pyright: ignore[reportCallIssue]
