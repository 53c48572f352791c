import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_protocols import ValidationError
from infra_result import Ok
from pastebin.errors import ContentTooLargeError
from pastebin.paste import MAX_AUTHOR, MAX_CONTENT, MAX_TITLE, Draft

GOOD: dict[str, object] = {"title": "Greeting", "content": "hello", "author": "ada"}

unicode = st.characters(exclude_categories=["Cs"])
names = st.text(unicode, min_size=1, max_size=MAX_AUTHOR).filter(lambda text: not text.isspace())


# **Feature: infrastructure-generics-review-2025, Property 1: Result Type Round-Trip**
# **Validates: Requirements 2.1, 2.3, 2.4**
@given(title=names, content=st.text(unicode), author=names)
def test_what_is_good_is_taken_as_it_is(title: str, content: str, author: str) -> None:
    document = {"title": title, "content": content, "author": author, "colour": "green"}
    assert Draft.parse(document) == Ok(Draft(title, content, author))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " \n"}, "title"),
        ({"title": ""}, "title"),
        ({"title": 7}, "title"),
        ({"title": None}, "title"),
        ({"title": "x" * (MAX_TITLE + 1)}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"author": "\t"}, "author"),
        ({"author": ["ada"]}, "author"),
        ({"author": "x" * (MAX_AUTHOR + 1)}, "author"),
        ({"content": None}, "content"),
        ({"content": b"hello"}, "content"),
        ({"content": "half a pair: \udfff"}, "content"),
    ],
)
def test_a_refusal_names_the_field(change: dict[str, object], field: str) -> None:
    error = Draft.parse(GOOD | change).unwrap_err()
    assert error.field == field
    assert field in error.message


@pytest.mark.parametrize("field", ["title", "content", "author"])
def test_every_field_is_required(field: str) -> None:
    error = Draft.parse({name: value for name, value in GOOD.items() if name != field}).unwrap_err()
    assert error.message == f"{field} is required"


@pytest.mark.parametrize("document", [None, [], "text", 1, [GOOD]])
def test_only_an_object_is_a_draft(document: object) -> None:
    assert Draft.parse(document).unwrap_err().field == "body"


def test_the_first_wrong_field_is_told() -> None:
    assert Draft.parse({"title": "", "content": 1, "author": ""}).unwrap_err().field == "title"


def test_the_longest_texts_are_taken() -> None:
    title, author = "x" * MAX_TITLE, "x" * MAX_AUTHOR
    assert Draft.parse({"title": title, "content": "", "author": author}) == Ok(Draft(title, "", author))


@pytest.mark.parametrize("letter", ["x", "é", "\N{GRINNING FACE}"])
def test_the_size_of_a_content_is_counted_in_bytes(letter: str) -> None:
    largest = letter * (MAX_CONTENT // len(letter.encode()))
    assert Draft.parse(GOOD | {"content": largest}).is_ok()
    error = Draft.parse(GOOD | {"content": largest + letter}).unwrap_err()
    assert isinstance(error, ContentTooLargeError)
    assert isinstance(error, ValidationError)
    assert error.field == "content"
