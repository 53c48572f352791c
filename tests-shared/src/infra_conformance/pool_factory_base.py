"""What is checked of connection factories, and what all those checks work with."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from infra_conformance.suite import Suite
from infra_conformance.trial import Trial, expect
from infra_protocols.pool import ConnectionFactory

PATIENCE: Final = 30.0
"""How many seconds are waited for what the other side does; where time is virtual, they are no time."""
LINGERS: Final = 10
"""How many ticks the other side takes to answer `linger`."""


@dataclass(frozen=True, slots=True)
class Trace[T]:
    """
    Something that a borrower may leave on a connection, and how the next one would notice.

    Type parameters:
        T: the connection.

    >>> async def leave(connection: list[str]) -> None:
    ...     connection.append("begin")
    >>> async def is_left(connection: list[str]) -> bool:
    ...     return "begin" in connection
    >>> Trace("an open transaction", leave, is_left).name
    'an open transaction'
    """

    name: str
    leave: Callable[[T], Awaitable[object]]
    """Leaves it."""
    is_left: Callable[[T], Awaitable[bool]]
    """Says whether it is there, on a connection that works."""


class Made[T]:
    """
    The connections that a check has made: what is left of them ends with it.

    Type parameters:
        T: the connection.
    """

    def __init__(self, factory: ConnectionFactory[T]) -> None:
        self._factory = factory
        self._left: list[T] = []

    def __len__(self) -> int:
        """Return how many are left."""
        return len(self._left)

    async def create(self) -> T:
        """Make one more."""
        connection = await self._factory.create()
        self._left.append(connection)
        return connection

    async def destroy(self, connection: T) -> None:
        """Destroy a connection that is sound."""
        self._left = [each for each in self._left if each is not connection]
        await self._factory.destroy(connection)

    async def end(self, connection: T) -> None:
        """Destroy one of which nobody knows how sound it is, which may raise."""
        with suppress(Exception):
            await self.destroy(connection)

    async def __aenter__(self) -> Self:
        """Begin with none."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Destroy what is left."""
        destroy: Callable[[T], Awaitable[Any]] = self.destroy if error is None else self.end
        while self._left:
            await destroy(self._left[-1])


class FactoryChecks[T](Suite[ConnectionFactory[T]]):
    """
    The base of the checks of connection factories.

    Type parameters:
        T: the connection.
    """

    supports_is_alive: ClassVar[bool] = True
    """Whether the factory has `is_alive`."""
    supports_reset: ClassVar[bool] = True
    """Whether the factory has `reset`; `traces` then says what of."""
    can_linger: ClassVar[bool] = False
    """Whether the suite has `linger`."""
    can_cut: ClassVar[bool] = False
    """Whether the suite has `cut`."""
    can_refuse: ClassVar[bool] = False
    """Whether the suite has `refuse` and `accept`."""
    can_count: ClassVar[bool] = False
    """Whether the suite has `count`."""

    @abstractmethod
    async def echo(self, connection: T, number: int) -> int:
        """Have the other side say `number` through `connection`, and return what it said."""

    async def linger(self, connection: T, number: int) -> int:
        """Do as `echo` does, with an answer for which the other side takes ten ticks."""
        raise NotImplementedError

    async def cut(self, connection: T) -> None:
        """Have the other side end `connection`."""
        raise NotImplementedError

    async def refuse(self, factory: ConnectionFactory[T]) -> None:
        """Let the other side take no new connections of `factory`."""
        raise NotImplementedError

    async def accept(self, factory: ConnectionFactory[T]) -> None:
        """Let the other side take new connections again."""
        raise NotImplementedError

    async def count(self, factory: ConnectionFactory[T]) -> int:
        """Return how many connections of `factory` the other side has."""
        raise NotImplementedError

    def traces(self) -> Sequence[Trace[T]]:
        """Return what a borrower may leave on a connection: an open transaction, a setting, a lock."""
        return ()

    # -- What the checks are made of.

    async def works(self, connection: T, when: str) -> None:
        """See that what is said through `connection` is what comes back."""
        for number in (7, 11):
            expect(f"echo {when}", await self.echo(connection, number), number)

    async def is_clean(self, connection: T, when: str) -> None:
        """See that no borrower has left anything on `connection`."""
        for trace in self.traces():
            expect(f"whether there is {trace.name} {when}", await trace.is_left(connection), False)

    async def eventually(self, what: str, look: Callable[[], Awaitable[object]], want: object) -> None:
        """See that `look` returns `want` in the end: the other side may need a moment."""
        loop = asyncio.get_running_loop()
        late = loop.time() + PATIENCE
        while (got := await look()) != want and loop.time() < late:  # noqa: ASYNC110 # nobody tells when it is
            await asyncio.sleep(0.1 * self.tick)
        expect(what, got, want)

    async def all_gone(self, trial: Trial[ConnectionFactory[T]], when: str) -> None:
        """See that the other side has no connection any more."""
        if self.can_count:
            await self.eventually(f"connections {when}", lambda: self.count(trial.raw), 0)

    async def no_answer_is_mixed_up(self, trial: Trial[ConnectionFactory[T]], connection: T) -> None:
        """See that the next borrower of `connection`, if there is one, reads no answer but its own."""
        if await self._is_lent_again(trial, connection):
            await self.works(connection, "by the next borrower")
            await self.is_clean(connection, "for the next borrower")

    async def _is_lent_again(self, trial: Trial[ConnectionFactory[T]], connection: T) -> bool:
        # What a pool does with a connection that comes back.
        if not self.is_alive(trial, connection):
            return False
        with suppress(Exception):
            if self.supports_reset:
                await trial.raw.reset(connection)
            elif not self.supports_is_alive:
                return await trial.subject.validate(connection)
            return self.is_alive(trial, connection)
        return False

    def is_alive(self, trial: Trial[ConnectionFactory[T]], connection: T) -> bool:
        """Return what the factory says, if it can, of whether `connection` is alive."""
        return trial.raw.is_alive(connection) if self.supports_is_alive else True
