"""What the service keeps, and what a caller must give for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from infra_protocols import ValidationError, require_text
from infra_result import Err, Ok, Result, collect
from pastebin.errors import ContentTooLargeError
from pastebin.messages import PastebinMessages

MAX_TITLE: Final = 500
"""How long a title may be, in characters."""
MAX_AUTHOR: Final = 100
"""How long an author's name may be, in characters."""
MAX_CONTENT: Final = 8 * 1024 * 1024
"""How large a content may be, in bytes of UTF-8."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Paste:
    """
    A text that somebody has put into the service.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> Paste("7f", "Greeting", "hello", "ada", noon, noon).to_document()["created_at"]
    '2026-11-23T12:00:00+00:00'
    """

    id: str
    title: str
    content: str
    author: str
    created_at: datetime
    updated_at: datetime

    def to_document(self) -> dict[str, str]:
        """Return what `json.dumps` makes the service's answer of; times are written as in RFC 3339."""
        return {
            "id": self.id,
            "title": self.title,
            "content": self.content,
            "author": self.author,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Draft:
    """
    The part of a paste that its author writes; `parse` makes one, and only of what the service takes.

    >>> Draft.parse({"title": "Greeting", "content": "hello", "author": "ada"})
    Ok(Draft(title='Greeting', content='hello', author='ada'))
    >>> Draft.parse({"title": "  ", "content": "hello", "author": "ada"}).unwrap_err().field
    'title'
    """

    title: str
    content: str
    author: str

    @staticmethod
    def parse(document: object) -> "Result[Draft, ValidationError]":
        """
        Return the draft that a JSON document holds, or the error that names the first field that is wrong.

        Title and author hold more than white space and are at most `MAX_TITLE` and `MAX_AUTHOR` characters
        long. The content may be empty, as a file may be; its UTF-8 is at most `MAX_CONTENT` bytes, else the
        error is a `ContentTooLargeError`. Fields that a draft does not have are passed over.
        """
        if not isinstance(document, dict):
            return _refusal(PastebinMessages.NOT_A_JSON_OBJECT.format(field="body"), "body")
        fields = cast("dict[str, object]", document)
        title = _value(fields, "title").flat_map(_parse_title)
        content = _value(fields, "content").flat_map(_parse_content)
        author = _value(fields, "author").flat_map(parse_author)
        return collect([title, content, author]).map(_draft)


def parse_author(value: object) -> Result[str, ValidationError]:
    """
    Return `value` if it can be the author of a paste, or the error that says why it cannot.

    >>> parse_author("ada")
    Ok('ada')
    """
    return _parse_line(value, "author", MAX_AUTHOR)


def _draft(texts: list[str]) -> Draft:
    return Draft(*texts)


def _parse_title(value: object) -> Result[str, ValidationError]:
    return _parse_line(value, "title", MAX_TITLE)


def _parse_line(value: object, field: str, longest: int) -> Result[str, ValidationError]:
    def not_too_long(text: str) -> Result[str, ValidationError]:
        if len(text) > longest:
            return _refusal(PastebinMessages.TEXT_TOO_LONG.format(field=field, max=longest), field)
        return Ok(text)

    return _parse_text(value, field).flat_map(lambda text: require_text(text, field)).flat_map(not_too_long)


def _parse_content(value: object) -> Result[str, ValidationError]:
    def not_too_large(text: str) -> Result[str, ValidationError]:
        if len(text.encode()) > MAX_CONTENT:
            message = PastebinMessages.CONTENT_TOO_LARGE.format(field="content", max=MAX_CONTENT)
            return Err(ContentTooLargeError(message, field="content"))
        return Ok(text)

    return _parse_text(value, "content").flat_map(not_too_large)


def _parse_text(value: object, field: str) -> Result[str, ValidationError]:
    if not isinstance(value, str):
        return _refusal(PastebinMessages.VALIDATION_WRONG_KIND.format(field=field, expected="text"), field)
    # JSON can spell one half of a surrogate pair ("\ud800"), which neither UTF-8 nor SQLite can hold.
    if _LONE_SURROGATE.search(value):
        return _refusal(PastebinMessages.TEXT_NOT_UNICODE.format(field=field), field)
    return Ok(value)


def _value(fields: Mapping[str, object], field: str) -> Result[object, ValidationError]:
    if field not in fields:
        return _refusal(PastebinMessages.FIELD_MISSING.format(field=field), field)
    return Ok(fields[field])


def _refusal(message: str, field: str) -> Err[ValidationError]:
    return Err(ValidationError(message, field=field))
