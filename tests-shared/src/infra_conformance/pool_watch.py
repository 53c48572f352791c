"""What a pool does with its connections, seen from the factory: each call is noted, and what is wrong with it."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from infra_conformance.messages import ConformanceMessages
from infra_conformance.pool_script import Operation
from infra_protocols.pool import ConnectionFactory, PoolStats, SupportsIsAlive, SupportsReset


@dataclass(slots=True, eq=False)
class Seen[T]:
    """
    A connection, and what is being done with it.

    Type parameters:
        T: the connection.

    >>> Seen([]).lent
    False
    """

    connection: T
    lent: bool = False
    call: Operation | None = None
    """Which call of the factory concerns it."""
    ended: bool = False
    """Whether it was destroyed, and that is done."""


class Watch[T]:
    """
    A `ConnectionFactory` around another: what a pool must never do to a connection, it notes in `wrong`.

    It has `is_alive` and `reset` if the other has, and these are wanted.

    Type parameters:
        T: the connection.

    Args:
        factory: makes the connections.
        bound: how many connections there may be.
        is_alive: whether to have `is_alive`.
        reset: whether to have `reset`.

    >>> from infra_conformance.pool_script import Script
    >>> watch = Watch(Script(), bound=1, is_alive=True, reset=False)
    >>> isinstance(watch, SupportsIsAlive), isinstance(watch, SupportsReset)
    (True, False)
    """

    def __init__(self, factory: ConnectionFactory[T], bound: int, *, is_alive: bool, reset: bool) -> None:
        self.factory: Any = factory
        self.bound = bound
        self.seen: list[Seen[T]] = []
        """The connections that were made, in order."""
        self._by_id: dict[int, Seen[T]] = {}
        self._living: dict[int, Seen[T]] = {}
        self.creating: int = 0
        self.wrong: list[str] = []
        self.calls: dict[Operation, list[float]] = {operation: [] for operation in Operation}
        """When each call began, in seconds of the event loop."""
        self.may_force: float = math.inf
        """From when on a connection that is lent may be destroyed: the end of a close."""
        if is_alive and isinstance(factory, SupportsIsAlive):
            self.is_alive: Callable[[T], bool] = self._is_alive
        if reset and isinstance(factory, SupportsReset):
            self.reset: Callable[[T], Awaitable[None]] = self._reset

    # -- The factory.

    async def create(self) -> T:
        """Make a connection."""
        self._note(Operation.CREATE)
        self.creating += 1
        if len(self.living()) + self.creating > self.bound:
            self.wrong.append(ConformanceMessages.POOL_TOO_MANY.format(bound=self.bound))
        try:
            connection = await self.factory.create()
            self.seen.append(seen := Seen(connection))
            self._by_id[id(connection)] = self._living[id(connection)] = seen
            return connection
        finally:
            self.creating -= 1

    async def validate(self, connection: T) -> bool:
        """Validate a connection."""
        async with self._during(Operation.VALIDATE, connection):
            return await self.factory.validate(connection)

    async def destroy(self, connection: T) -> None:
        """Destroy a connection, which counts as done when it fails."""
        seen = self.find(connection)
        try:
            async with self._during(Operation.DESTROY, connection):
                await self.factory.destroy(connection)
        finally:
            if seen is not None:
                seen.ended = True
                self._living.pop(id(connection), None)

    async def _reset(self, connection: T) -> None:
        async with self._during(Operation.RESET, connection):
            await self.factory.reset(connection)

    def _is_alive(self, connection: T) -> bool:
        self._note(Operation.IS_ALIVE)
        return self.factory.is_alive(connection)

    # -- What is known.

    def living(self) -> list[Seen[T]]:
        """Return the connections that are not yet destroyed."""
        return list(self._living.values())

    def find(self, connection: T) -> Seen[T] | None:
        """Return what is known of a connection."""
        return self._by_id.get(id(connection))

    def stats(self, waiting: int) -> PoolStats:
        """Return what the pool must say of itself, when nothing is about to happen and so many wait."""
        living = self.living()
        lent, called = sum(seen.lent for seen in living), sum(seen.call is not None for seen in living)
        idle = sum(not seen.lent and seen.call is None for seen in living)
        return PoolStats(
            idle=idle,
            in_use=lent,
            unhealthy=called,
            total=idle + lent + called,
            pending=self.creating,
            waiting=waiting,
        )

    def lend(self, connection: T) -> None:
        """Note that a borrower has got a connection."""
        seen = self.find(connection)
        if seen is None:
            self.wrong.append(ConformanceMessages.POOL_NOT_MADE.format(connection=connection))
            return
        if seen.lent:
            self._is_wrong("lent", connection, "lent")
        if seen.call is not None:
            self._is_wrong("lent", connection, f"in {seen.call.value}")
        if seen.ended:
            self._is_wrong("lent", connection, "destroyed")
        if hasattr(self, "is_alive") and not self.factory.is_alive(connection):
            self._is_wrong("lent", connection, "dead")
        seen.lent = True

    def take_back(self, connection: T) -> None:
        """Note that a borrower gives a connection back."""
        if (seen := self.find(connection)) is not None:
            seen.lent = False

    def _note(self, operation: Operation) -> None:
        self.calls[operation].append(asyncio.get_running_loop().time())

    def _is_wrong(self, what: str, connection: T, state: str) -> None:
        self.wrong.append(ConformanceMessages.POOL_WRONG_STATE.format(what=what, connection=connection, state=state))

    @asynccontextmanager
    async def _during(self, operation: Operation, connection: T) -> AsyncGenerator[None]:
        self._note(operation)
        what, seen = f"passed to {operation.value}", self.find(connection)
        if seen is None:
            self.wrong.append(ConformanceMessages.POOL_NOT_MADE.format(connection=connection))
            yield
            return
        now = asyncio.get_running_loop().time()
        if seen.lent and not (operation is Operation.DESTROY and now >= self.may_force):
            self._is_wrong(what, connection, "lent")
        if seen.call is not None:
            self._is_wrong(what, connection, f"in {seen.call.value}")
        if seen.ended:
            self._is_wrong(what, connection, "destroyed")
        if operation is Operation.DESTROY:
            seen.lent = False
        seen.call = operation
        try:
            yield
        finally:
            seen.call = None
