"""Checks of one dependency, each wrong in one way."""

import asyncio
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_health import CheckedLine, Line, LineCheck
from infra_protocols.health import HealthResult
from infra_protocols.status import HealthStatus


class RaisesThrough(LineCheck):
    """What its dependency raises, it raises."""

    async def check(self) -> HealthResult:
        await self.dependency.call()
        return HealthResult(HealthStatus.HEALTHY)


class SaysWell(LineCheck):
    """It takes an error for an answer."""

    async def check(self) -> HealthResult:
        await super().check()
        return HealthResult(HealthStatus.HEALTHY)


class TellsNoCause(LineCheck):
    """It says that something is wrong, and not what."""

    async def check(self) -> HealthResult:
        return HealthResult((await super().check()).status)


class NeverQuiteWell(LineCheck):
    """It has something to say even when all is well."""

    async def check(self) -> HealthResult:
        found = await super().check()
        return HealthResult(found.status, found.cause, found.message or "all is well")


class RemembersTheFirst(LineCheck):
    """It asks its dependency once, and serves what it found then."""

    first: HealthResult | None = None

    async def check(self) -> HealthResult:
        if self.first is None:
            self.first = await super().check()
        return self.first


class StaysDown(LineCheck):
    """Once down, it does not come up."""

    last: HealthResult | None = None

    async def check(self) -> HealthResult:
        if self.last is None or self.last.status is HealthStatus.HEALTHY:
            self.last = await super().check()
        return self.last


class OneAtATime(LineCheck):
    """A second call while one is on its way is a failure to it."""

    busy: bool = False

    async def check(self) -> HealthResult:
        if self.busy:
            return HealthResult.failed(RuntimeError("busy"))
        self.busy = True
        try:
            return await super().check()
        finally:
            self.busy = False


class SwallowsCancellation(LineCheck):
    """To it a cancellation is one more failure."""

    async def check(self) -> HealthResult:
        try:
            return await super().check()
        except asyncio.CancelledError as error:
            return HealthResult.failed(error)


class IgnoresCancellation(LineCheck):
    """It waits on, whoever cancels it."""

    async def check(self) -> HealthResult:
        while True:
            try:
                return await super().check()
            except asyncio.CancelledError:
                continue


class LeavesItsCall(LineCheck):
    """It calls from a task of its own, which it leaves behind when it is cancelled."""

    async def check(self) -> HealthResult:
        return await asyncio.shield(asyncio.ensure_future(super().check()))


class TellsItsAddress(LineCheck):
    """It names what it tells after the address that failed, with user and password."""

    async def check(self) -> HealthResult:
        found = await super().check()
        parts = {} if found.cause is None else {str(self.dependency.error): found}
        return HealthResult(found.status, found.cause, results=parts)


class NewDependency(LineCheck):
    """What it says it checks is another each time."""

    @property
    def dependency(self) -> Line:
        """A copy."""
        copy = Line()
        copy.error, copy.answers = self.line.error, self.line.answers
        return copy

    @dependency.setter
    def dependency(self, line: Line) -> None:
        self.line = line


class NamedLikeAPath(LineCheck):
    """Its name would be read as that of a part of a part."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self.name = "far/line"


class NotAsync(LineCheck):
    """Its check returns something to await, and is no coroutine function."""

    def check(self) -> Any:
        return super().check()


def _fault(check: type[LineCheck], *caught_by: str) -> Fault:
    subject = type(check.__name__, (CheckedLine,), {"kind": check})
    return Fault.of(subject, *caught_by)


FAULTS: Final = [
    _fault(RaisesThrough, "health-03", "health-04", "health-07", "health-30"),
    _fault(SaysWell, "health-03", "health-04"),
    _fault(TellsNoCause, "health-03"),
    _fault(NeverQuiteWell, "health-02"),
    _fault(RemembersTheFirst, "health-04"),
    _fault(StaysDown, "health-04"),
    _fault(OneAtATime, "health-05"),
    _fault(SwallowsCancellation, "health-30"),
    _fault(IgnoresCancellation, "health-06", "health-08", "health-30"),
    _fault(LeavesItsCall, "health-06", "health-30"),
    _fault(TellsItsAddress, "health-07"),
    _fault(NewDependency, "health-01"),
    _fault(NamedLikeAPath, "health-01"),
    _fault(NotAsync, "health-01"),
]
