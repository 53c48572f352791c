"""Which entries have which tags."""


class TagIndex:
    """
    Maps tags to the keys that have them, and back; a tag without keys, or a key without tags, is not in it.

    What is written under a key replaces all that was there, so `put` does too.
    """

    __slots__ = ("_keys", "tagged")

    def __init__(self) -> None:
        self.tagged: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, set[str]] = {}

    def put(self, key: str, tags: tuple[str, ...]) -> None:
        self.drop(key)
        if tags:
            self.tagged[key] = tags
            for tag in tags:
                keys = self._keys.get(tag)
                if keys is None:
                    self._keys[tag] = {key}
                else:
                    keys.add(key)

    def drop(self, key: str) -> None:
        for tag in self.tagged.pop(key, ()):
            keys = self._keys.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._keys[tag]

    def take(self, tag: str) -> set[str]:
        """Remove `tag` and return the keys that had it; each of them is still to be dropped, or put anew."""
        return self._keys.pop(tag, None) or set()

    def clear(self) -> None:
        self.tagged.clear()
        self._keys.clear()

    def __len__(self) -> int:
        """Return how many tags there are."""
        return len(self._keys)
