"""A probe for processes that serve no HTTP: a file that says how the process is, and when it said so last."""

import asyncio
import json
import logging
import os
from contextlib import suppress
from datetime import datetime
from os import PathLike
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from infra_health._threads import ThreadCall
from infra_health.check import DependencyCheck
from infra_health.composite import CompositeHealthCheck
from infra_health.messages import HealthMessages
from infra_protocols import (
    Clock,
    HealthAnswerError,
    HealthCheck,
    HealthResult,
    HealthStaleError,
    HealthStatus,
    Measurement,
    SystemClock,
    or_raise,
    require_range,
)

_log: Final = logging.getLogger("infra_health")


class Heartbeat:
    """
    Says in a file, again and again, how this process is; `HeartbeatCheck` and `infra-health --heartbeat` read it.

    It is good for one `async with`.

    It is written from the event loop that does the work: when that is blocked or dead, the file grows old. The first
    beat is written before the work begins; at the end the file is removed. A beat that cannot be written is logged.

    Args:
        path: the file.
        check: what the process needs to do its work; `None` is nothing.
        interval: the seconds between two beats.
        clock: where the time of day is taken from.

    Raises:
        ValidationError: the interval is not above 0.
        OSError: on entering: the file cannot be written.

    >>> import tempfile
    >>> async def work(path: Path) -> str:
    ...     async with Heartbeat(path, interval=5):
    ...         return (await HeartbeatCheck(path, max_age=30).check()).status.value
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(work(Path(folder, "alive")))
    'healthy'
    """

    def __init__(
        self,
        path: str | PathLike[str],
        check: HealthCheck[Any] | None = None,
        *,
        interval: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self._path = Path(path)
        self._check = CompositeHealthCheck([] if check is None else [check])
        self._interval = or_raise(require_range(interval, "interval", above=0))
        self._clock = clock or SystemClock()
        self._text = ""
        self._write = ThreadCall(self._write_text, "heartbeat")
        self._remove = ThreadCall(self._remove_file, "heartbeat")
        # A beat may still be on its way to the disk when nobody waits for it any more.
        self._lock = Lock()
        self._ended = False

    async def __aenter__(self) -> Self:
        """Begin to beat."""
        await self._beat()
        self._beating = asyncio.get_running_loop().create_task(self._go_on(), name="heartbeat")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, and remove the file."""
        self._beating.cancel()
        try:
            await asyncio.wait((self._beating,))
        finally:
            await self._remove()

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._beat()
            except OSError as error:
                _log.warning(HealthMessages.HEARTBEAT_FAILED, type(error).__name__)

    async def _beat(self) -> None:
        found = await self._check.check()
        cause = next((leaf.cause for _, leaf in found.leaves() if leaf.cause is not None), None)
        said = {"time": self._clock.now().isoformat(), "status": found.status.value, "cause": cause}
        self._text = json.dumps(said)
        await self._write()

    def _write_text(self) -> None:
        # Whole or not at all: who reads it meanwhile sees the one before.
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with self._lock:
            if self._ended:
                return
            try:
                new.write_text(self._text, encoding="utf-8")
                new.replace(self._path)
            except OSError:
                with suppress(OSError):
                    new.unlink(missing_ok=True)
                raise

    def _remove_file(self) -> None:
        with self._lock:
            self._ended = True
            self._path.unlink(missing_ok=True)


class HeartbeatCheck(DependencyCheck[str | PathLike[str]]):
    """
    Reads what a process says of itself in its heartbeat: it is as it says, or `UNHEALTHY` if it said so too long ago.

    Args:
        dependency: the file.
        max_age: for how many seconds what it says is believed; longer than the interval of the heartbeat.
        clock: where the time of day is taken from.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    Raises:
        ValidationError: `max_age` is not above 0.

    >>> asyncio.run(HeartbeatCheck("/no/such/file").check()).cause
    'FileNotFoundError'
    """

    def __init__(
        self,
        dependency: str | PathLike[str],
        *,
        max_age: float = 30.0,
        clock: Clock | None = None,
        name: str = "heartbeat",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._max_age = or_raise(require_range(max_age, "max_age", above=0))
        self._clock = clock or SystemClock()
        self._read = ThreadCall(lambda: Path(dependency).read_text(encoding="utf-8"), f"health check {name}")

    async def probe(self) -> HealthResult:
        """Read it."""
        try:
            said: Any = json.loads(await self._read())
            moment = datetime.fromisoformat(said["time"])
            status, cause = HealthStatus(said["status"]), said["cause"]
            age = (self._clock.now() - moment).total_seconds()
        except (ValueError, TypeError, LookupError) as error:
            raise HealthAnswerError(HealthMessages.HEARTBEAT_MALFORMED) from error
        # One from the future says nothing either: the time of day has been set back since.
        if abs(age) > self._max_age:
            raise HealthStaleError(HealthMessages.HEALTH_STALE.format(age=round(age, 3), max_age=self._max_age))
        return HealthResult(status, cause, measurement=Measurement("age", round(age, 3), "s"))
