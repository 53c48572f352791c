"""What the checks found before."""

from collections import deque
from collections.abc import Sequence

from infra_protocols import HealthResult


class History:
    """The last results of each check, by its path; a result that is told again is kept once."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._results: dict[str, deque[HealthResult]] = {}

    def add(self, whole: HealthResult) -> None:
        for path, found in whole.leaves():
            kept = self._results.setdefault(path, deque(maxlen=self.length))
            if not kept or kept[-1].checked_at != found.checked_at:
                kept.append(found)

    def of(self, path: str) -> Sequence[HealthResult]:
        return self._results.get(path, ())
