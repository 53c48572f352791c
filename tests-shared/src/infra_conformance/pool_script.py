"""The factory that the pool suite brings: its connections do nothing, and its calls go as they are told to."""

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Final


class Operation(str, Enum):
    """What a pool asks of a factory."""

    CREATE = "create"
    VALIDATE = "validate"
    RESET = "reset"
    DESTROY = "destroy"
    IS_ALIVE = "is_alive"


@dataclass(frozen=True, slots=True)
class Act:
    """
    How a call of the factory goes.

    >>> Act(seconds=3.0, error=ConnectionResetError).answer
    True
    """

    seconds: float = 0.0
    """How long it takes; `math.inf` is for ever."""
    error: type[BaseException] | None = None
    """What it raises in the end."""
    answer: bool = True
    """What it says in the end, where it says something."""
    stubborn: bool = False
    """Whether it goes on when it is cancelled."""


WELL: Final = Act()
HANGS: Final = Act(seconds=math.inf)
FAILS: Final = Act(error=ConnectionResetError)
DENIES: Final = Act(answer=False)


class Connection:
    """
    A connection that does nothing.

    >>> Connection(3)
    <connection 3>
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.alive: bool = True
        """Whether the other side is there."""

    def __repr__(self) -> str:
        """Show which one it is."""
        return f"<connection {self.number}>"


class Script:
    """
    A `ConnectionFactory[Connection]` whose calls go as `acts` says, or as `follow` says of the next ones.

    >>> script = Script()
    >>> asyncio.run(script.create())
    <connection 1>
    """

    def __init__(self) -> None:
        self.acts: dict[Operation, Act] = {}
        self.turns: int = 1
        """How many turns of the event loop a call takes that takes no time."""
        self._next: dict[Operation, deque[Act]] = {operation: deque() for operation in Operation}
        self._numbers = count(1)

    def follow(self, operation: Operation, acts: Iterable[Act]) -> None:
        """Let the next calls of `operation` go like this, one each."""
        self._next[operation].extend(acts)

    def recover(self) -> None:
        """Let everything go well from now on."""
        self.acts.clear()
        for acts in self._next.values():
            acts.clear()

    async def create(self) -> Connection:
        """Return a new connection."""
        await self._play(Operation.CREATE)
        return Connection(next(self._numbers))

    async def validate(self, connection: Connection) -> bool:
        """Say what the act says; of one that was dead when it was asked, no."""
        alive = connection.alive
        return await self._play(Operation.VALIDATE) and alive

    async def reset(self, connection: Connection) -> None:
        """Do nothing."""
        await self._play(Operation.RESET)

    async def destroy(self, connection: Connection) -> None:
        """Do nothing."""
        await self._play(Operation.DESTROY)

    def is_alive(self, connection: Connection) -> bool:
        """Say whether it is."""
        if (error := self._act(Operation.IS_ALIVE).error) is not None:
            raise error
        return connection.alive

    def _act(self, operation: Operation) -> Act:
        acts = self._next[operation]
        return acts.popleft() if acts else self.acts.get(operation, WELL)

    async def _play(self, operation: Operation) -> bool:
        act = self._act(operation)
        if act.stubborn:
            await _outlast(act.seconds)
        elif act.seconds == math.inf:
            await asyncio.Event().wait()
        elif act.seconds:
            await asyncio.sleep(act.seconds)
        else:
            for _ in range(self.turns):
                await asyncio.sleep(0)
        if act.error is not None:
            raise act.error
        return act.answer


async def _outlast(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        try:
            await asyncio.sleep(end - loop.time())
        except asyncio.CancelledError:
            continue
