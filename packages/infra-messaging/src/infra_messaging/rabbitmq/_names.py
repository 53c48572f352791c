"""
What exchanges, queues and bindings are called.

The routing key of a message is its slot (0 to 63) and its topic: a queue that takes one partition is bound to its
slots, one that takes all to any.
"""

from hashlib import sha256

from infra_messaging._slots import slot
from infra_protocols.messaging.broker import SLOTS


class Names:
    """The names of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.exchange = namespace
        self.letters = f"{namespace}.letters"
        self.groups = f"{namespace}.groups"

    def queue(self, pattern: str, group: str, partitions: int | None, partition: int) -> str:
        """Return a name that no other pattern and group have, and that people can read."""
        about = sha256(f"{group} {pattern}".encode()).hexdigest()[:32]
        return f"{self.exchange}.g.{group}.{about}" + ("" if partitions is None else f".{partitions}.{partition}")

    def own_queue(self, id: str) -> str:
        return f"{self.exchange}.o.{id}"


def routing_key(key: str | None, id: str, topic: str) -> str:
    return f"{slot(key, id)}.{topic}"


def topic_of(routing_key: str) -> str:
    return routing_key.partition(".")[2]


def binding_keys(pattern: str, partitions: int | None, partition: int) -> list[str]:
    """Return what a queue is bound by: `*` stands for one word, and `#` for none or more."""
    topics = f"{pattern[:-1]}*.#" if pattern.endswith(">") else pattern
    if partitions is None or partitions == 1:
        return [f"*.{topics}"]
    return [f"{slot}.{topics}" for slot in range(partition, SLOTS, partitions)]
