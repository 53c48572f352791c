"""
What streams, subjects and consumers are called.

A filter has wildcards for whole words of a subject, and a consumer has one filter (servers before 2.10). So that one
can pick the messages of a partition, the subject has the slot of the message (0 to 63) digit by digit, the lowest
first, to the base of each prime up to 61. Which of n partitions a slot is in, its remainder by n, is told by its
remainders by the powers of primes that n is made of, and these by the first digits to those bases.
"""

import re
from hashlib import sha256
from typing import Final

from infra_messaging._engine import Envelope
from infra_messaging._slots import slot
from infra_protocols.messaging.broker import SLOTS

_DIGITS: Final = {2: 6, 3: 3, 5: 2, 7: 2} | dict.fromkeys((11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61), 1)
"""By prime, as many digits as have a power that is not more than 64."""


def _digits(number: int, partitions: int | None = None) -> list[str]:
    """Return the digits of `number`, with a wildcard for each that does not say which of `partitions` it is in."""
    found: list[str] = []
    for prime, count in _DIGITS.items():
        for place in range(count):
            tells = partitions is None or partitions % prime ** (place + 1) == 0
            found.append(str(number // prime**place % prime) if tells else "*")
    return found


_PLACES: Final = [".".join(_digits(place)) for place in range(SLOTS)]
_OF_GROUP: Final = re.compile(r"(-\d\d?-\d\d?)?").fullmatch
_WORDS: Final = 2 + len(_digits(0))


class Names:
    """The names of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.messages = f"{namespace}_messages"
        self.records = f"{namespace}_records"
        self.tallies = f"{namespace}_tallies"
        self.all_messages = f"{namespace}.m.>"
        self.all_letters = f"{namespace}.l.>"
        self.letters = f"{namespace}.l.*"
        self.all_groups = f"{namespace}.g.>"
        self.all_tallies = f"{namespace}.t.>"

    def message(self, envelope: Envelope) -> str:
        return f"{self.namespace}.m.{_PLACES[slot(envelope.key, envelope.id)]}.{envelope.topic}"

    def topic(self, subject: str) -> str:
        return subject.split(".", _WORDS)[_WORDS]

    def filter(self, pattern: str, partition: int, partitions: int) -> str:
        return ".".join([self.namespace, "m", *_digits(partition, partitions), pattern])

    def letter(self, id: str) -> str:
        return f"{self.namespace}.l.{sha256(id.encode()).hexdigest()}"

    def group(self, group: str, name: str = "*") -> str:
        return f"{self.namespace}.g.{group}.{name}"

    def tally(self, consumer: str, sequence: str) -> str:
        return f"{self.namespace}.t.{consumer}.{sequence}"


def group_name(pattern: str, group: str) -> str:
    """Return a name that no other pattern and group have, and that people can read."""
    return f"{group}-{sha256(f'{group} {pattern}'.encode()).hexdigest()[:32]}"


def consumer_names(name: str, partitions: int | None) -> list[str]:
    """Return what the consumers of a group are called."""
    return [name] if partitions is None else [f"{name}-{partitions}-{number}" for number in range(partitions)]


def is_consumer(consumer: str, name: str) -> bool:
    """Say whether `consumer` is one of the group `name`, into however many partitions it fell."""
    return consumer.startswith(name) and _OF_GROUP(consumer, len(name)) is not None
