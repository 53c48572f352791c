"""The words by which a text is found."""

import re
from typing import Final

MAX_WORDS: Final = 5000
"""How many different words of a text count."""
MAX_WORD: Final = 50
"""How much of a word counts, in characters."""

_WORD: Final = re.compile(r"\w+")


def words_of(text: str) -> set[str]:
    """
    Return the first `MAX_WORDS` different words of `text`, whatever their case.

    >>> sorted(words_of("Hello, hello world!"))
    ['hello', 'world']
    """
    words: set[str] = set()
    for found in _WORD.finditer(text):
        words.add(found[0].casefold()[:MAX_WORD])
        if len(words) == MAX_WORDS:
            break
    return words
