"""
What streams, subjects and consumers are called.

The slot of a message is part of its subject, bit by bit, the lowest first: `messaging.m.1.0.1.1.0.0.orders.new`. So the
messages of one of 2, 4, 8, ... partitions are those whose first bits are its number, which a single filter can say.
"""

from hashlib import sha256
from typing import Final
from zlib import crc32

from infra_messaging._engine import Envelope

_SLOTS: Final = 64
_BITS: Final = 6


def _bits(number: int, count: int) -> list[str]:
    return [str(number >> bit & 1) for bit in range(count)]


_PLACES: Final = [".".join(_bits(slot, _BITS)) for slot in range(_SLOTS)]


class Names:
    """The names of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.messages = f"{namespace}_messages"
        self.records = f"{namespace}_records"
        self.tallies = f"{namespace}_tallies"
        self.all_messages = f"{namespace}.m.>"
        self.all_letters = f"{namespace}.l.>"
        self.all_groups = f"{namespace}.g.>"
        self.all_tallies = f"{namespace}.t.>"
        self._topic_at = len(f"{namespace}.m.{_PLACES[0]}.")

    def message(self, envelope: Envelope) -> str:
        about = envelope.id if envelope.key is None else envelope.key
        return f"{self.namespace}.m.{_PLACES[crc32(about.encode()) % _SLOTS]}.{envelope.topic}"

    def topic(self, subject: str) -> str:
        return subject[self._topic_at :]

    def filter(self, pattern: str, partition: int, partitions: int) -> str:
        fixed = _bits(partition, partitions.bit_length() - 1)
        return ".".join([self.namespace, "m", *fixed, *"*" * (_BITS - len(fixed)), pattern])

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
