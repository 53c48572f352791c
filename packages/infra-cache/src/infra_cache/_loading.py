"""Who waits for a load, and under which tags."""


class Loading:
    """Counts the callers that wait for a load under each tag that they gave."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, int]] = {}

    def enter(self, key: str, tags: tuple[str, ...]) -> None:
        for tag in tags:
            keys = self._keys.setdefault(tag, {})
            keys[key] = keys.get(key, 0) + 1

    def leave(self, key: str, tags: tuple[str, ...]) -> None:
        for tag in tags:
            keys = self._keys[tag]
            keys[key] -= 1
            if not keys[key]:
                del keys[key]
                if not keys:
                    del self._keys[tag]

    def keys(self, tag: str) -> tuple[str, ...]:
        """Return the keys that are waited for under `tag`."""
        return tuple(self._keys.get(tag, ()))
