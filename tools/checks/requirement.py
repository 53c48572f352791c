"""Requirement strings, read as far as this workspace writes them: a name, extras and numeric bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REQUIREMENT = re.compile(
    r"\s*(?P<name>\w[\w.-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*\(?(?P<clauses>[^;)]*)\)?\s*(?:;.*)?"
)
_CLAUSE = re.compile(r"(?P<operator>~=|==|!=|<=|>=|<|>)\s*(?P<version>\d+(?:\.\d+)*)(?P<any>\.\*)?")
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_PARTS = 5  # 1.2 and 1.2.0 are one version; nobody counts to a sixth part.

_LOWER = frozenset({">=", ">", "==", "~="})
_UPPER = frozenset({"<=", "<", "==", "~="})


def normalized(name: str) -> str:
    """Return a distribution's name in the one spelling that can be compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def release(version: str) -> tuple[int, ...]:
    """Return a version as numbers that compare; raise `ValueError` unless it is numbers and dots."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version of numbers and dots")
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, *[0] * (_PARTS - len(numbers)))


@dataclass(frozen=True, slots=True)
class Clause:
    """One bound of a requirement, such as `>=1.2`."""

    operator: str
    version: str
    any_suffix: bool

    def admits(self, version: str) -> bool:
        found, bound = release(version), release(self.version)
        match self.operator:
            case ">=":
                return found >= bound
            case ">":
                return found > bound
            case "<=":
                return found <= bound
            case "<":
                return found < bound
            case "!=":
                return not self._equals(version)
            case "~=":
                return found >= bound and _starts(version, self.version.rpartition(".")[0])
            case _:
                return self._equals(version)

    def _equals(self, version: str) -> bool:
        return _starts(version, self.version) if self.any_suffix else release(version) == release(self.version)


def _starts(version: str, prefix: str) -> bool:
    wanted = tuple(int(part) for part in prefix.split("."))
    return release(version)[: len(wanted)] == wanted


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement on a distribution."""

    name: str
    extras: tuple[str, ...]
    clauses: tuple[Clause, ...]

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read one requirement; raise `ValueError` for what this workspace does not write, such as a URL."""
        whole = _REQUIREMENT.fullmatch(text)
        if whole is None:
            raise ValueError(f"{text!r} is not a requirement of a name and numeric bounds")
        clauses: list[Clause] = []
        for part in filter(None, (part.strip() for part in whole["clauses"].split(","))):
            clause = _CLAUSE.fullmatch(part)
            if clause is None:
                raise ValueError(f"{text!r} is not a requirement of a name and numeric bounds")
            clauses.append(Clause(clause["operator"], clause["version"], clause["any"] is not None))
        extras = tuple(extra.strip() for extra in (whole["extras"] or "").split(",") if extra.strip())
        return cls(normalized(whole["name"]), extras, tuple(clauses))

    @property
    def has_lower_bound(self) -> bool:
        return any(clause.operator in _LOWER for clause in self.clauses)

    @property
    def has_upper_bound(self) -> bool:
        return any(clause.operator in _UPPER for clause in self.clauses)

    def admits(self, version: str) -> bool:
        return all(clause.admits(version) for clause in self.clauses)
