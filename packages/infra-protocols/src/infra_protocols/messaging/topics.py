"""
The grammar of topics and patterns, one for all engines.

A topic is words with dots in between: `orders.eu.created`. A word is of letters and digits of ASCII, `_` and `-`. In a
pattern a word may be `*`, which stands for any one word; the last may be `>`, which stands for one or more. Both are as
in NATS (`docs.nats.io`, "Subject-Based Messaging"). A topic or pattern has at most 200 characters.
"""

import re
from typing import Final

from infra_protocols.errors import ValidationError
from infra_protocols.validation import require_match
from infra_result import Result

# RabbitMQ allows 255 bytes, of which an engine may need some for itself.
_TOPIC: Final = re.compile(r"(?!.{201})[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_PATTERN: Final = re.compile(r"(?!.{201})(?:(?:[A-Za-z0-9_-]+|\*)\.)*(?:[A-Za-z0-9_-]+|\*|>)")


def require_topic(topic: object) -> Result[str, ValidationError]:
    """
    Return `topic` if it is one, with no wildcard in it.

    >>> require_topic("orders.created").is_ok(), require_topic("orders.*").is_ok(), require_topic("a..b").is_ok()
    (True, False, False)
    """
    return require_match(topic, "topic", _TOPIC)


def require_pattern(pattern: object) -> Result[str, ValidationError]:
    """
    Return `pattern` if it is one; every topic is a pattern too, which stands for itself.

    >>> [require_pattern(text).is_ok() for text in ("orders.*", "orders.>", "orders.>.x", "orders*", "")]
    [True, True, False, False, False]
    """
    return require_match(pattern, "pattern", _PATTERN)


def topic_matches(pattern: str, topic: str) -> bool:
    """
    Say whether `pattern` stands for `topic`; both are well formed.

    >>> [topic_matches("orders.*", topic) for topic in ("orders.created", "orders.eu.created", "orders")]
    [True, False, False]
    >>> [topic_matches("orders.>", topic) for topic in ("orders.created", "orders.eu.created", "orders")]
    [True, True, False]
    """
    words, wanted = topic.split("."), pattern.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(words) <= len(wanted):
            return False
    elif len(words) != len(wanted):
        return False
    return all(want in ("*", word) for want, word in zip(wanted, words, strict=False))
