"""The texts of errors: as the design words them, each once, each a template that can be filled."""

import ast
import inspect
import string
from typing import Final, get_origin, get_type_hints

import pytest

from infra_protocols import ErrorMessages
from infra_result import ResultMessages

DESIGNED = {
    "AUTH_TOKEN_EXPIRED": "Token has expired",
    "AUTH_TOKEN_INVALID": "Invalid token",
    "AUTH_TOKEN_REVOKED": "Token has been revoked",
    "AUTH_ALGORITHM_MISMATCH": "Algorithm mismatch: expected {expected}, got {received}",
    "AUTH_KEY_INVALID": "Invalid key format",
    "CACHE_KEY_NOT_FOUND": "Cache key not found: {key}",
    "CACHE_SERIALIZATION_FAILED": "Failed to serialize cache value",
    "CACHE_DESERIALIZATION_FAILED": "Failed to deserialize cache value",
    "POOL_EXHAUSTED": "Connection pool exhausted",
    "POOL_ACQUIRE_TIMEOUT": "Acquire timeout after {timeout}s",
    "POOL_CONNECTION_ERROR": "Connection error: {message}",
    "POOL_CLOSED": "Pool is closed",
    "VALIDATION_EMPTY_VALUE": "{field} cannot be empty or whitespace",
    "VALIDATION_INVALID_FORMAT": "Invalid format for {field}",
    "VALIDATION_OUT_OF_RANGE": "{field} must be between {min} and {max}",
    "SECURITY_UNAUTHORIZED": "Unauthorized access",
    "SECURITY_FORBIDDEN": "Access forbidden",
    "SECURITY_RATE_LIMITED": "Rate limit exceeded, retry after {retry_after}s",
}
TEXTS: dict[str, str] = {name: getattr(ErrorMessages, name) for name in dir(ErrorMessages) if name.isupper()}


def test_the_texts_of_the_design_are_there_word_for_word() -> None:
    assert DESIGNED.items() <= TEXTS.items()


def test_every_constant_is_a_final_text() -> None:
    hints = get_type_hints(ErrorMessages) | get_type_hints(ResultMessages)
    assert hints.keys() == TEXTS.keys()
    assert all(hint == Final[str] and get_origin(hint) is Final for hint in hints.values())
    assert {type(text) for text in TEXTS.values()} == {str}


def test_no_text_and_no_name_is_there_twice() -> None:
    assert len(set(TEXTS.values())) == len(TEXTS)
    [module] = ast.parse(inspect.getsource(ErrorMessages)).body
    assigned = [node.target for node in ast.walk(module) if isinstance(node, ast.AnnAssign)]
    names = [target.id for target in assigned if isinstance(target, ast.Name)]
    assert len(set(names)) == len(names)
    assert not set(names) & set(vars(ResultMessages))


@pytest.mark.parametrize("name", TEXTS)
def test_every_template_can_be_filled_by_name(name: str) -> None:
    fields = [field for _, field, _, _ in string.Formatter().parse(TEXTS[name]) if field is not None]
    assert all(field.isidentifier() for field in fields)
    filled = TEXTS[name].format(**{field: f"<{field}>" for field in fields})
    assert all(f"<{field}>" in filled for field in fields)
    assert "{" not in filled


def test_a_package_adds_texts_in_a_subclass() -> None:
    class Messages(ErrorMessages):
        HALL_FULL: Final[str] = "The hall is full"

    assert Messages.HALL_FULL == "The hall is full"
    assert Messages.POOL_CLOSED == ErrorMessages.POOL_CLOSED
