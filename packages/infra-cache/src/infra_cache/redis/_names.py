"""Under which names a cache keeps things in Redis, so that no two caches can meet there."""

from urllib.parse import quote

from infra_protocols import or_raise, require_text


class Names:
    """
    The keys of one namespace.

    What is not plain in a namespace is written out as in a URL, so that the first colon ends it: `user` and `user:1`
    share no key, whatever their caches hold. With tags the namespace is a hash tag too (Redis Cluster specification,
    "Hash tags"): all of it lies in one slot, as scripts over several keys ask.

    >>> Names("user:1", tags=True).entry("a")
    b'{user%3A1}:e:a'
    >>> Names("user", tags=False).entry("1:e:a")
    b'user:e:1:e:a'
    """

    __slots__ = ("_entry", "_signal", "in_one_slot", "prefix", "tags")

    def __init__(self, namespace: str, *, tags: bool) -> None:
        text = or_raise(require_text(namespace, "namespace"))
        quoted = quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
        self.in_one_slot: bool = tags
        self.prefix: bytes = (f"{{{quoted}}}:" if tags else f"{quoted}:").encode()
        self.tags: bytes = self.prefix + b"t"
        """Where the versions of tags are."""
        self._entry = self.prefix + b"e:"
        self._signal = self.prefix + b"i:"

    def entry(self, name: str) -> bytes:
        """Return where the entry called `name` is; any text has a place of its own, lone surrogates too."""
        try:
            return self._entry + name.encode()
        except UnicodeEncodeError:
            return self._entry + name.encode("utf-8", "surrogatepass")

    def keys(self, *names: str) -> tuple[list[bytes], int]:
        """Return the keys of a script that deals with the entries of these names, and whether they end with `tags`."""
        return self.with_tags([self.entry(name) for name in names])

    def with_tags(self, entries: list[bytes]) -> tuple[list[bytes], int]:
        """Return the same for the keys of entries."""
        return ([*entries, self.tags], 1) if self.in_one_slot else (entries, 0)

    def signal(self, tag: str) -> bytes:
        """Return what is touched when `tag` is invalidated, for those who listen."""
        return self._signal + tag_bytes(tag)

    def named(self, key: bytes) -> tuple[str, str] | None:
        """Return what a key stands for, as `("entry", name)` or `("tag", tag)`, if it is one of these."""
        for kind, prefix in (("entry", self._entry), ("tag", self._signal)):
            if key.startswith(prefix):
                return kind, key[len(prefix) :].decode("utf-8", "surrogatepass")
        return None

    @property
    def watched(self) -> tuple[bytes, bytes]:
        """The prefixes of all that `named` knows."""
        return self._entry, self._signal


def tag_bytes(tag: str) -> bytes:
    return tag.encode("utf-8", "surrogatepass")
