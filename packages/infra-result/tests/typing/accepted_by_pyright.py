# What pyright types more exactly than mypy does. Nothing here is run.

from typing import Any, assert_type

from infra_result import Result, catch_to_result


@catch_to_result(ValueError, KeyError)
def parse(text: str) -> int:
    return int(text)


@catch_to_result(ValueError)
def parse_anything(text: str) -> Any:
    return int(text)


def the_error_is_the_union() -> None:
    assert_type(parse("1"), Result[int, ValueError | KeyError])


def any_is_not_taken_for_awaitable() -> None:
    assert_type(parse_anything("1"), Result[Any, ValueError])
