"""Checks that do what they are told, and remember how often they were run."""

import asyncio
from typing import Any

from infra_protocols.health import HealthResult
from infra_protocols.status import HealthStatus


class ScriptedCheck:
    """
    A check of nothing that answers as it is told.

    >>> asyncio.run(ScriptedCheck("a", status=HealthStatus.DEGRADED).check()).status.value
    'degraded'
    """

    def __init__(
        self,
        name: str = "a",
        *,
        status: HealthStatus = HealthStatus.HEALTHY,
        answer: object = None,
        error: BaseException | None = None,
        seconds: float = 0.0,
        held: bool = False,
        stubborn: bool = False,
    ) -> None:
        self.name: str = name
        self.dependency: None = None
        self.status: HealthStatus = status
        """What it finds, unless there is an answer or an error."""
        self.answer: Any = answer
        """What it returns instead."""
        self.error: BaseException | None = error
        """What it raises instead."""
        self.seconds: float = seconds
        """How long it takes."""
        self.stubborn: bool = stubborn
        """Whether it goes on when it is cancelled while it is held."""
        self._go = asyncio.Event()
        if not held:
            self._go.set()
        self.begun: int = 0
        """How often it was begun."""
        self.running: int = 0
        """How many times it runs at this moment."""
        self.most: int = 0
        """How many times it ran at any one moment."""

    def hold(self) -> None:
        """Have it wait, from its next run on, until it is let go."""
        self._go.clear()

    def let_go(self) -> None:
        """Let it finish."""
        self._go.set()

    async def check(self) -> HealthResult:
        """Do as told."""
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            while not self._go.is_set():
                try:
                    await self._go.wait()
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise
            if self.error is not None:
                raise self.error
            return HealthResult(self.status) if self.answer is None else self.answer
        except asyncio.CancelledError:
            for _ in range(20):
                await asyncio.sleep(0)  # cleaning up takes its time too
            raise
        finally:
            self.running -= 1
