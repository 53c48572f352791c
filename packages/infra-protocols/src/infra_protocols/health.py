"""The port of health checks: what a check and a composite of checks promise, and what they report."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Protocol, Self, runtime_checkable

from infra_protocols._frozen import mend
from infra_protocols._present import Json, present, present_text
from infra_protocols.status import HealthStatus
from infra_protocols.validation import or_raise, require_match, require_range, require_type

_PRINTED: Final = {HealthStatus.HEALTHY: "pass", HealthStatus.DEGRADED: "warn", HealthStatus.UNHEALTHY: "fail"}
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_UNIT: Final = re.compile(r"[\w%/.*{}]{0,16}")
_NAME: Final = re.compile(r"(?!\s)[^:/\x00-\x1f]+(?<!\s)")


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    A number that a check found, besides whether all is well.

    Raises:
        ValidationError: the name is not one word, the value no number, or the unit none.

    >>> Measurement("utilization", 0.91).value
    0.91
    """

    name: str
    """What was measured, in one word: `utilization`, `connections`, `uptime`."""
    value: float
    unit: str = ""
    """What it is counted in, as `s` or `By` (UCUM); nothing for a ratio."""

    def __post_init__(self) -> None:
        """Refuse what could not be printed, or could hold more than a number."""
        or_raise(require_match(self.name, "name", _WORD))
        or_raise(require_range(self.value, "value", min=-math.inf))
        or_raise(require_match(self.unit, "unit", _UNIT))


@dataclass(frozen=True, slots=True)
class HealthResult:
    """
    What a check found.

    A failure is told by the name of a class, in `cause`. What the error said besides is in `message`, without
    passwords and the like and of bounded length, and printed only where it is asked for: it may name hosts and users.

    Raises:
        ValidationError: the status is none, the cause not one word, or the duration negative.

    >>> HealthResult(HealthStatus.HEALTHY).checked
    True
    >>> result = HealthResult.failed(ConnectionError("cannot reach db://ada:s3cret@db1"))
    >>> result.status.value, result.cause, result.message
    ('unhealthy', 'ConnectionError', 'cannot reach db://ada:[redacted]@db1')
    """

    status: HealthStatus
    cause: str | None = None
    """What is wrong: the name of the class of an error."""
    message: str | None = None
    """What the error said; see above."""
    measurement: Measurement | None = None
    checked: bool = True
    """Whether the check has ever come to an end; if not, `status` is what has to be assumed."""
    checked_at: datetime | None = None
    """When this was found; whoever runs the check fills it in if the check does not."""
    duration: float = 0.0
    """How many seconds that took; filled in likewise."""
    observed: HealthStatus | None = None
    """What was found this time, where `status` stays as it was until that was found often enough; else `None`."""
    results: "Mapping[str, HealthResult]" = field(default_factory=dict["str", "HealthResult"])
    """What this is composed of: the results of the parts, by their names."""

    def __post_init__(self) -> None:
        """Refuse what is no result, and take out of the message what is secret."""
        status: object = self.status
        if type(status) is not HealthStatus:
            or_raise(require_type(status, "status", HealthStatus))
        if type(self.duration) is not float or not self.duration >= 0.0:
            or_raise(require_range(self.duration, "duration", min=0))
        if self.cause is not None:
            or_raise(require_match(self.cause, "cause", _WORD))
        if self.message is not None:
            object.__setattr__(self, "message", present(or_raise(require_type(self.message, "message", str))))

    @classmethod
    def failed(cls, error: BaseException, status: HealthStatus = HealthStatus.UNHEALTHY) -> Self:
        """Return the result of a check that ended in `error`."""
        return cls(status, cause=type(error).__name__, message=_text(error))

    def leaves(self, path: str = "") -> "Iterator[tuple[str, HealthResult]]":
        """
        Yield each part that is not composed of others, with its path: the names that lead to it, with `/` in between.

        >>> line = HealthResult(HealthStatus.HEALTHY)
        >>> whole = HealthResult(line.status, results={"shop": HealthResult(line.status, results={"db": line})})
        >>> [path for path, _ in whole.leaves()]
        ['shop/db']
        """
        for name, part in self.results.items():
            if part.results:
                yield from part.leaves(f"{path}{name}/")
            else:
                yield f"{path}{name}", part


@runtime_checkable
class HealthCheck[TDependency](Protocol):
    """
    Finds out whether something that a service depends on is well.

    Type parameters:
        TDependency: what is checked.

    >>> class FolderCheck:
    ...     name = "folder"
    ...     def __init__(self, dependency: list[str]) -> None: self.dependency = dependency
    ...     async def check(self) -> HealthResult:
    ...         return HealthResult(HealthStatus.HEALTHY if self.dependency else HealthStatus.DEGRADED)
    >>> isinstance(FolderCheck([]), HealthCheck)
    True
    """

    @property
    def name(self) -> str:
        """What the check is called in reports, for good; it has neither `:` nor `/`."""
        ...

    @property
    def dependency(self) -> TDependency:
        """What is checked."""
        ...

    async def check(self) -> HealthResult:
        """
        Return how the dependency is now.

        A dependency that fails is a result that is `UNHEALTHY`, never an exception. A check that is cancelled ends
        soon, in `CancelledError`, and leaves nothing behind: no task, no connection.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """
    How a composite runs a check, and what it makes of its results. All times are seconds; `math.inf` is for ever.

    Raises:
        ValidationError: a value is not a number, or out of its bounds.

    >>> HealthPolicy(failure_threshold=3).timeout
    5.0
    >>> HealthPolicy(success_threshold=0)
    Traceback (most recent call last):
    infra_protocols.ValidationError: success_threshold must be between 1 and inf [...]
    """

    timeout: float = 5.0
    """How long the check may take; one that takes longer is cancelled, and `UNHEALTHY`."""
    healthy_ttl: float = 0.0
    """For how long a result that is `HEALTHY` is told again before the check is run anew."""
    unhealthy_ttl: float = 0.0
    """The same for any other result."""
    max_age: float = 60.0
    """How old the last result may be that bears out a status; one that is older bears out nothing but `UNHEALTHY`."""
    failure_threshold: int = 1
    """How many results in a row have to be worse than the status for it to become worse."""
    success_threshold: int = 1
    """How many results in a row have to be better than the status for it to become better."""

    def __post_init__(self) -> None:
        """Refuse what is out of bounds."""
        for name in ("timeout", "max_age"):
            or_raise(require_range(getattr(self, name), name, above=0))
        for name in ("healthy_ttl", "unhealthy_ttl"):
            or_raise(require_range(getattr(self, name), name, min=0, max=self.max_age))
        for name in ("failure_threshold", "success_threshold"):
            or_raise(require_type(getattr(self, name), name, int))
            or_raise(require_range(getattr(self, name), name, min=1))


@dataclass(frozen=True, slots=True)
class HealthComponent[TDependency]:
    """
    A part of a composite: a check, and what its result counts for.

    Type parameters:
        TDependency: what is checked.

    Raises:
        ValidationError: the check is none, or its name is blank, or has a `:` or `/`.

    >>> class SmtpCheck:
    ...     name, dependency = "smtp", None
    ...     async def check(self) -> HealthResult: return HealthResult(HealthStatus.UNHEALTHY)
    >>> HealthComponent(SmtpCheck(), critical=False).check.name
    'smtp'
    """

    check: HealthCheck[TDependency]
    critical: bool = True
    """Whether the whole is `UNHEALTHY` if this is; if not, the whole is `DEGRADED` then."""
    policy: HealthPolicy | None = None
    """Its own policy; `None` is the composite's."""

    def __post_init__(self) -> None:
        """Refuse a name that a report could not be read by."""
        kind: Any = HealthCheck
        or_raise(require_type(self.check, "check", kind))
        or_raise(require_match(self.check.name, "name", _NAME))

    def weigh(self, status: HealthStatus) -> HealthStatus:
        """Return what `status` of this part counts for in the whole."""
        return HealthStatus.DEGRADED if status is HealthStatus.UNHEALTHY and not self.critical else status


mend(HealthComponent)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """
    How a service is: what a composite found, ready to be shown.

    Printed, it is an `application/health+json` document as draft-inadarei-api-health-check-06 describes it, with the
    names of the checks and the causes of failures, and without messages.

    >>> parts = {"db": HealthResult.failed(ConnectionError("db1 is down"))}
    >>> report = HealthReport(result=HealthResult(HealthStatus.UNHEALTHY, results=parts), version="1")
    >>> print(report)
    {"status": "fail", "version": "1", "checks": {"db:responseTime": [{..., "cause": "ConnectionError"}]}}
    >>> report.to_dict(checks=False)
    {'status': 'fail', 'version': '1'}
    """

    result: HealthResult
    version: str | None = None
    """The version of the service's interface."""
    release_id: str | None = None
    """The release of the service."""
    service_id: str | None = None
    """Which of the instances of the service this is."""
    description: str | None = None

    @property
    def status(self) -> HealthStatus:
        """How the service is, all in all."""
        return self.result.status

    def to_dict(self, *, checks: bool = True, messages: bool = False) -> dict[str, Json]:
        """
        Return the document, ready for `json.dumps`.

        Args:
            checks: tell of each check; otherwise there is the status alone, and what the service is.
            messages: tell what errors said, as `output`. They may name hosts and users: not for everybody.
        """
        document: dict[str, Json] = {"status": _PRINTED[self.status]}
        for each in fields(self)[1:]:
            if (value := getattr(self, each.name)) is not None:
                document[_camel(each.name)] = present_text(value)
        if checks:
            document["checks"] = dict(_shown(path, leaf, messages) for path, leaf in self.result.leaves())
        return document

    def __str__(self) -> str:
        """Return the document as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@runtime_checkable
class CompositeHealthCheckProtocol(HealthCheck[tuple[HealthComponent[Any], ...]], Protocol):
    """
    Runs checks, and tells how the whole is.

    - **The worst status wins.** A part that is not critical makes the whole `DEGRADED` at most. No parts: `HEALTHY`.
    - **Nothing takes it down.** It never raises. A check that raises is `UNHEALTHY`, for the class of what it raised;
      so is one that is not done in its time, for `HealthTimeoutError`, whether or not it heeds its cancellation.
    - **It is on time.** Checks run beside one another, each within its `timeout`, all within the composite's deadline:
      then it tells what it has. What has not answered is cancelled, and found to be `UNHEALTHY`.
    - **Each check runs once at a time**, however many ask. Who asks while a report is being made gets that one. A
      check that is still ending, or does not heed its cancellation, is not run beside itself: its end is waited for,
      within the same bounds.
    - **Flapping is damped**, by `failure_threshold` and `success_threshold`: a status becomes so bad only when the
      last that many results were all at least as bad, so good only when they were all at least as good. The first
      result of a check stands by itself. What is held back is in `observed`.
    - **Nothing is believed for long.** A status that no result of the last `max_age` seconds bears out is `UNHEALTHY`,
      for `HealthStaleError`: also one that is held, or that a check tells with a `checked_at` of its own.
    - **Safe to cancel.** A caller that is cancelled harms no other; with the last one the checks are cancelled too,
      and waited for, unless they do not heed it.

    A composite is a check itself: it may be part of another.

    >>> async def is_ready(service: CompositeHealthCheckProtocol) -> bool:
    ...     report = await service.report()
    ...     return report.status is not HealthStatus.UNHEALTHY
    """

    async def report(self) -> HealthReport:
        """Return how the whole is and each of its parts; `check` returns the `result` of that."""
        ...


def _shown(path: str, result: HealthResult, messages: bool) -> tuple[str, Json]:
    measured = result.measurement or Measurement("responseTime", result.duration, "s")
    document: dict[str, Json] = {"status": _PRINTED[result.status], "observedValue": present(measured.value)}
    if measured.unit:
        document["observedUnit"] = measured.unit
    if result.checked_at is not None:
        document["time"] = result.checked_at.isoformat()
    if not result.checked:
        document["checked"] = False
    if result.observed is not None:
        document["observed"] = _PRINTED[result.observed]
    if result.cause is not None:
        document["cause"] = result.cause
    if messages and result.message is not None:
        document["output"] = result.message
    return f"{path}:{measured.name}", [document]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__  # what it does when it is looked at is no reason to fail here
