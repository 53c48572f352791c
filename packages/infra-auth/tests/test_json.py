"""What is read and written past the codec is what the codec reads and writes."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_auth._json import read, write
from infra_protocols import DecodeError, JsonCodec, ValidationError

CODEC = JsonCodec[dict[str, Any]](dict[str, Any])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
WORDS = st.sampled_from(
    ['{"a":1', "}", "[", "]", ",", ":", '"a"', '"b":', "1e400", "NaN", "-0", " ", "\\u0061", '"\\ud800"']
)


def outcome(call: Any, argument: Any) -> Any:
    try:
        return repr(call(argument))
    except (DecodeError, ValidationError) as error:
        return type(error)


@given(st.dictionaries(st.text(), TREES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_objects_are_written_alike(claims: dict[str, Any]) -> None:
    assert outcome(write, claims) == outcome(CODEC.encode, claims)


@given(st.lists(WORDS, max_size=8).map("".join) | TREES.map(json.dumps) | st.text())
@settings(max_examples=300, deadline=None)
def test_texts_are_read_alike(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert outcome(read, data) == outcome(CODEC.decode, data)


@pytest.mark.parametrize("depth", [1, 127, 128, 129, 5000])
def test_both_ways_are_as_deep(depth: int) -> None:
    data = b'{"a":' * depth + b"1" + b"}" * depth
    assert outcome(read, data) == outcome(CODEC.decode, data)
    nested: Any = 1
    for _ in range(depth):
        nested = {"a": nested}
    assert outcome(write, nested) == outcome(CODEC.encode, nested)
