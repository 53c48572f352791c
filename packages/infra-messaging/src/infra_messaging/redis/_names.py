"""Under which names a broker keeps things in Redis, so that no two namespaces can meet there."""

from typing import Final

from infra_protocols import or_raise, require_text

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Names:
    """
    The keys of one namespace, which is a hash tag: all of them lie in one slot of a Cluster.

    What is not plain in a namespace is written out as in a URL, so that its brace ends it.

    >>> Names("shop:eu").groups
    b'{shop%3Aeu}:g'
    >>> Names("shop").stream(b"orders.*:billing", 0)
    b'{shop}:s:orders.*:billing:0'
    """

    def __init__(self, namespace: str) -> None:
        text = or_raise(require_text(namespace, "namespace"))
        quoted = "".join(each if each in _PLAIN else _quote(each) for each in text)
        prefix = f"{{{quoted}}}:".encode()
        self.groups: bytes = prefix + b"g"
        """A hash: the groups with their partitions, and the version of all that."""
        self.forgotten: bytes = prefix + b"f"
        """A sorted set: the ids of the groups that were forgotten of late, by when that was."""
        self.letters: bytes = prefix + b"d"
        """A hash: dead letters by their ids."""
        self.order: bytes = prefix + b"o"
        """A sorted set: the ids of the dead letters, by when they came."""
        self._stream = prefix + b"s:"
        self._owner = prefix + b"p:"
        self._seen = prefix + b"i:"

    def stream(self, group: bytes, partition: int) -> bytes:
        """Return where the messages of a group, or of one of its partitions, wait."""
        return b"%b%b:%d" % (self._stream, group, partition)

    def owner(self, group: bytes, partition: int) -> bytes:
        """Return where it says who has the partition."""
        return b"%b%b:%d" % (self._owner, group, partition)

    def seen(self, id: bytes) -> bytes:
        """Return what is there for a while after a message with this id was published."""
        return self._seen + id


def _quote(each: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text_bytes(each))


def text_bytes(text: str) -> bytes:
    """Return any text as bytes, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")
