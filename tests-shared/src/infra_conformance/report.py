"""What came of the checks, subject by subject."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Verdict(str, Enum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN_FAILURE = "known failure"
    """It fails, as its suite declares."""
    NOT_SUPPORTED = "not supported"
    """It was not run: its suite declares that the subject has not the capability."""
    SKIPPED = "skipped"
    """It was not run for another reason, as when an engine is not to be had."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One check of one subject.

    >>> Entry("test_mine.py::TestMine", "store-01", "It keeps.", [], None, Verdict.PASSED).verdict.value
    'passed'
    """

    subject: str
    id: str
    promise: str
    requirements: list[str]
    declared: str | None
    """What the suite declares of it, if anything; of one that was skipped, why."""
    verdict: Verdict
    failure: str = ""


@dataclass(slots=True)
class Report:
    """
    The checks that were run, and their verdicts.

    >>> report = Report()
    >>> report.add(Entry("t.py::TestMine", "store-01", "It keeps.", [], None, Verdict.PASSED))
    >>> print(*report.lines(), sep="\\n")
    t.py::TestMine: 1 passed
    """

    entries: list[Entry] = field(default_factory=list[Entry])

    def add(self, entry: Entry) -> None:
        """Add one more."""
        self.entries.append(entry)

    def by_subject(self) -> dict[str, list[Entry]]:
        """Return the entries of each subject, in order, however they came in."""
        subjects: dict[str, list[Entry]] = {}
        for entry in sorted(self.entries, key=lambda entry: (entry.subject, entry.id)):
            subjects.setdefault(entry.subject, []).append(entry)
        return subjects

    def lines(self) -> Iterator[str]:
        """Yield the report as text: a line a subject, and below it whatever did not simply pass."""
        for subject, entries in self.by_subject().items():
            counts = {verdict: sum(entry.verdict is verdict for entry in entries) for verdict in Verdict}
            yield f"{subject}: " + ", ".join(f"{n} {verdict.value}" for verdict, n in counts.items() if n)
            for entry in entries:
                if entry.verdict is not Verdict.PASSED:
                    why = f" ({entry.declared})" if entry.declared else ""
                    yield f"  {entry.id} {entry.verdict.value}{why}: {entry.promise}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        return {
            "subjects": [
                {"subject": subject, "checks": [_without_subject(entry) for entry in entries]}
                for subject, entries in self.by_subject().items()
            ]
        }


def _without_subject(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name != "subject"}
