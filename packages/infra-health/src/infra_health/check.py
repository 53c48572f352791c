"""What the checks of one dependency have in common: a time limit, and that nothing they meet is raised."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager

from infra_health.messages import HealthMessages
from infra_protocols import (
    HealthResult,
    HealthStatus,
    HealthTimeoutError,
    or_raise,
    require_range,
    require_text,
)


class DependencyCheck[TDependency](ABC):
    """
    A check of one dependency; a subclass says in `probe` how it is checked.

    Type parameters:
        TDependency: what is checked.

    Args:
        dependency: what is checked.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    Raises:
        ValidationError: the name is blank, or the timeout not above 0.

    >>> class QueueCheck(DependencyCheck[asyncio.Queue[str]]):
    ...     async def probe(self) -> HealthResult | None:
    ...         if self.dependency.full():
    ...             raise asyncio.QueueFull
    >>> queue = asyncio.Queue[str](maxsize=1)
    >>> check = QueueCheck(queue, name="queue")
    >>> asyncio.run(check.check()).status.value
    'healthy'
    >>> queue.put_nowait("a job")
    >>> asyncio.run(check.check()).cause
    'QueueFull'
    """

    def __init__(self, dependency: TDependency, *, name: str, timeout: float = 5.0) -> None:
        self._dependency = dependency
        self._name = or_raise(require_text(name, "name"))
        self._timeout = or_raise(require_range(timeout, "timeout", above=0))

    @property
    def name(self) -> str:
        """What the check is called in reports."""
        return self._name

    @property
    def dependency(self) -> TDependency:
        """What is checked."""
        return self._dependency

    @abstractmethod
    async def probe(self) -> HealthResult | None:
        """Look at the dependency, and raise what is wrong; `None` is `HEALTHY`, with nothing more to tell."""

    async def check(self) -> HealthResult:
        """Return how the dependency is now; what goes wrong, its time running out included, is a result."""
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                with _cancellable():
                    found = await self.probe()
        except TimeoutError as error:
            if not limit.expired():
                return HealthResult.failed(error)
            late = HealthTimeoutError(HealthMessages.HEALTH_TIMEOUT.format(timeout=self._timeout))
            return HealthResult.failed(late)
        except Exception as error:
            return HealthResult.failed(error)
        return HealthResult(HealthStatus.HEALTHY) if found is None else found


@contextmanager
def _cancellable() -> Generator[None]:
    # Some clients swallow a cancellation that comes while they tidy up.
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
