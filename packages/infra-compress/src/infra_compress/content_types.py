"""Which content is worth compressing."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

COMPRESSIBLE: Final = (
    "text/*",
    "*+json",
    "*+xml",
    "*+text",
    "application/json",
    "application/x-ndjson",
    "application/json-seq",
    "application/xml",
    "application/javascript",
    "application/x-javascript",
    "application/ecmascript",
    "application/graphql",
    "application/x-www-form-urlencoded",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/wasm",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "font/collection",
    "image/svg+xml",
    "image/bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
)
"""Texts, and what is not compressed already: images, video, archives and WOFF fonts are."""

EVENT_STREAM: Final = "text/event-stream"


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


class ContentTypes:
    """
    A set of content types: `type/subtype`, all of a type as `text/*`, all with a suffix as `*+json`.

    >>> types = ContentTypes(["text/*", "*+json", "application/json"])
    >>> [name in types for name in ("Text/HTML; charset=utf-8", "application/problem+json", "image/png")]
    [True, True, False]
    """

    def __init__(self, names: Iterable[str]) -> None:
        names = [name.lower() for name in names]
        self._whole = frozenset(names)
        self._types = tuple(name[:-1] for name in names if name.endswith("/*"))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*+"))
        self._has = lru_cache(maxsize=256)(self._look)

    def __contains__(self, content_type: str) -> bool:
        """Say whether a content type, with its parameters or without, is one of them."""
        return self._has(content_type)

    def _look(self, content_type: str) -> bool:
        name = media_type(content_type)
        return name in self._whole or name.startswith(self._types) or name.endswith(self._suffixes)
