"""Who is reading from the far tier, and whether what they bring may be kept near."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager


class Fill:
    """One read on its way, and what was told meanwhile."""

    __slots__ = ("name", "spoiled", "tags")

    def __init__(self, name: str) -> None:
        self.name = name
        self.spoiled = False
        self.tags: set[str] = set()


class Fills:
    """
    Reads on their way; a change that is told meanwhile spoils those that it concerns, even if it overtakes the reply.

    While a change of one's own is on its way, nothing that it concerns is kept: when it happens there, only a reply to
    a later read can be known to be later.
    """

    __slots__ = ("_all_closed", "_closed", "_closed_tags", "_open")

    def __init__(self) -> None:
        self._open: dict[str, set[Fill]] = {}
        self._closed: Counter[str] = Counter()
        self._closed_tags: Counter[str] = Counter()
        self._all_closed = 0

    def begin(self, name: str) -> Fill:
        fill = Fill(name)
        self._open.setdefault(name, set()).add(fill)
        return fill

    def end(self, fill: Fill) -> None:
        fills = self._open[fill.name]
        fills.discard(fill)
        if not fills:
            del self._open[fill.name]

    def good(self, fill: Fill, tags: Iterable[str]) -> bool:
        """Say whether what `fill` brings, with `tags`, may be kept."""
        if fill.spoiled or self._all_closed or fill.name in self._closed:
            return False
        return not any(tag in fill.tags or tag in self._closed_tags for tag in tags)

    def spoil(self, name: str) -> None:
        for fill in self._open.get(name, ()):
            fill.spoiled = True

    def spoil_tag(self, tag: str) -> None:
        for fills in self._open.values():
            for fill in fills:
                fill.tags.add(tag)

    def spoil_all(self) -> None:
        for fills in self._open.values():
            for fill in fills:
                fill.spoiled = True

    @contextmanager
    def without(self, names: Iterable[str]) -> Generator[None]:
        names = list(names)
        self._closed.update(names)
        try:
            yield
        finally:
            _count_down(self._closed, names)

    @contextmanager
    def without_tag(self, tag: str) -> Generator[None]:
        self._closed_tags[tag] += 1
        try:
            yield
        finally:
            _count_down(self._closed_tags, [tag])

    @contextmanager
    def without_any(self) -> Generator[None]:
        self._all_closed += 1
        try:
            yield
        finally:
            self._all_closed -= 1


def _count_down(counts: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        counts[name] -= 1
        if not counts[name]:
            del counts[name]
