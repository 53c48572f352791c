"""The `infra-health` command: runs checks, and tells containers by its exit code how all is."""

import argparse
import asyncio
import importlib
import json
import math
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from operator import attrgetter
from typing import Any, Final, cast

from infra_health._shown import measured, remarks, seconds
from infra_health.composite import CompositeHealthCheck
from infra_health.heartbeat import HeartbeatCheck
from infra_health.messages import HealthMessages
from infra_protocols import (
    CompositeHealthCheckProtocol,
    HealthCheck,
    HealthComponent,
    HealthReport,
    HealthResult,
    HealthStatus,
    SystemClock,
    ValidationError,
)

GOOD: Final = 0
DOWN: Final = 1
USAGE: Final = 2

_CLEAR: Final = "\x1b[H\x1b[J"
_HEADS: Final = ("CHECK", "STATUS", "TOOK", "MEASURED", "REMARKS")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command with `arguments`, by default those of the process, and return its exit code.

    0 is `HEALTHY` and `DEGRADED`, 1 is `UNHEALTHY`, 2 is that there is nothing to check.

    >>> main(["--heartbeat", "/no/such/file"])
    CHECK      STATUS     TOOK ... REMARKS
    heartbeat  unhealthy  ... FileNotFoundError
    unhealthy
    1
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.target is None) == (options.heartbeat is None):
        parser.error(HealthMessages.NOTHING_TO_CHECK)
    watch = _Watch(options)
    try:
        asyncio.run(watch.run(_heartbeat(options) if options.target is None else _loaded(options.target)))
    except _LoadError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        if options.watch is None:
            raise
    except Exception as error:  # what the checks need cannot be had
        reason = HealthResult.failed(error)
        said = f"{reason.cause}: {reason.message}" if options.messages else reason.cause
        sys.stderr.write(f"{parser.prog}: {HealthMessages.CANNOT_BEGIN.format(reason=said)}\n")
        return DOWN
    return DOWN if watch.status is HealthStatus.UNHEALTHY else GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="infra-health", description="Run health checks, and exit with how all is.")
    parser.add_argument(
        "target",
        nargs="?",
        metavar="MODULE[:NAME]",
        help="what holds the checks: a check, several, or a function that returns an async context manager of them"
        " (default of NAME: health)",
    )
    parser.add_argument("--heartbeat", metavar="FILE", help="check the heartbeat of a process instead")
    parser.add_argument(
        "--max-age", metavar="SECONDS", type=_seconds, default=30.0, help="of the heartbeat (default: %(default)s)"
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=_seconds,
        nargs="?",
        const=2.0,
        help="check again and again, that often, and show a table, until Ctrl+C (default: %(const)s)",
    )
    parser.add_argument("--json", action="store_true", help="print application/health+json, one report a line")
    parser.add_argument("--messages", action="store_true", help="show what errors said: it may name hosts and users")
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(HealthMessages.NOT_SECONDS.format(value=text))
    return value


type _Checks = AbstractAsyncContextManager[CompositeHealthCheckProtocol]


class _LoadError(Exception):
    """There are no checks where they were said to be."""


def _heartbeat(options: argparse.Namespace) -> _Checks:
    return nullcontext(CompositeHealthCheck([HeartbeatCheck(options.heartbeat, max_age=options.max_age)]))


def _loaded(target: str) -> _Checks:
    module, _, name = target.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does
    try:
        found: Any = attrgetter(name or "health")(importlib.import_module(module))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise _LoadError(HealthMessages.CANNOT_LOAD.format(target=target, reason=reason)) from error
    if callable(found) and not isinstance(found, HealthCheck):
        return _entered(target, found())
    return nullcontext(_checks(target, found))


@asynccontextmanager
async def _entered(target: str, made: Any) -> AsyncGenerator[CompositeHealthCheckProtocol]:
    if not isinstance(made, AbstractAsyncContextManager):
        raise _LoadError(HealthMessages.NO_CHECKS.format(target=target))
    async with cast("AbstractAsyncContextManager[Any]", made) as found:
        yield _checks(target, found)


def _checks(target: str, found: Any) -> CompositeHealthCheckProtocol:
    if isinstance(found, CompositeHealthCheckProtocol):
        return found
    parts: Any = [found] if isinstance(found, HealthCheck | HealthComponent) else found
    try:
        return CompositeHealthCheck(parts)
    except (TypeError, ValidationError) as error:
        raise _LoadError(HealthMessages.NO_CHECKS.format(target=target)) from error


class _Watch:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.status = HealthStatus.UNHEALTHY

    async def run(self, opened: _Checks) -> None:
        pause: float | None = self._options.watch
        async with opened as checks:
            while True:
                report = await checks.report()
                self.status = report.status
                self._show(report)
                if pause is None:
                    return
                await asyncio.sleep(pause)

    def _show(self, report: HealthReport) -> None:
        messages: bool = self._options.messages
        if self._options.json:
            text = json.dumps(report.to_dict(messages=messages))
        else:
            text = table(report, messages=messages)
            if self._options.watch is not None:
                moment = f"{SystemClock().now():%Y-%m-%d %H:%M:%S} UTC"
                text = f"{_CLEAR if sys.stdout.isatty() else ''}{text}  {moment}"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def table(report: HealthReport, *, messages: bool = False) -> str:
    """
    Return a report as a table, and the status of the whole below it.

    >>> print(table(asyncio.run(CompositeHealthCheck([]).report())))
    healthy
    """
    rows = [
        (path, found.status.value, seconds(found.duration), measured(found), remarks(found, messages=messages))
        for path, found in report.result.leaves()
    ]
    if not rows:
        return report.status.value
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADS, *rows)
    ]
    return "\n".join([*lines, report.status.value])
