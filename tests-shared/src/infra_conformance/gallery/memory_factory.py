"""A correct factory and the engine in memory to which it connects, as plain as can be: its faults are made from it."""

import asyncio
from collections import deque

from infra_conformance.gallery.memory_store import trip


class MemoryEngine:
    """
    The other side: it has sessions, and answers each question in turn.

    >>> MemoryEngine().sessions
    []
    """

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.refusing: bool = False


class Session:
    """
    A connection: what a driver gives.

    >>> Session(MemoryEngine()).closed
    False
    """

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.closed: bool = False
        self.in_transaction: bool = False
        self.settings: dict[str, str] = {}
        self.answers: deque[asyncio.Future[int]] = deque()
        self.timers: list[asyncio.TimerHandle] = []
        engine.sessions.append(self)

    def ask(self, number: int, seconds: float) -> None:
        """Send a question; the answer to it comes `seconds` later, after those that are to come before."""
        if self.closed:
            raise ConnectionResetError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self.answers.append(answer)
        self.timers.append(loop.call_later(seconds, self.answer, answer, number))

    def answer(self, answer: "asyncio.Future[int]", number: int) -> None:
        """Say what was asked for, unless the connection has ended by then."""
        if not answer.done() and not self.closed:
            answer.set_result(number)

    async def call(self, number: int, seconds: float = 0.0) -> int:
        """Ask, and return the first answer that was not read yet."""
        self.ask(number, seconds)
        said = await asyncio.shield(self.answers[0])
        self.answers.popleft()
        return said

    def end(self) -> None:
        """End, on both sides."""
        self.closed = True
        for timer in self.timers:
            timer.cancel()
        for answer in self.answers:
            if not answer.done():
                answer.set_exception(ConnectionResetError())
                answer.exception()  # nobody may be there to read it
        if self in self.engine.sessions:
            self.engine.sessions.remove(self)


class MemoryFactory:
    """
    A correct `ConnectionFactory[Session]`.

    >>> async def main() -> bool:
    ...     factory = MemoryFactory()
    ...     session = await factory.create()
    ...     await factory.destroy(session)
    ...     return factory.is_alive(session)
    >>> asyncio.run(main())
    False
    """

    def __init__(self) -> None:
        self.engine: MemoryEngine = MemoryEngine()

    async def create(self) -> Session:
        """Connect, and log in."""
        await trip()
        if self.engine.refusing:
            raise ConnectionRefusedError
        session = Session(self.engine)
        try:
            await trip()
        except BaseException:
            session.end()
            raise
        return session

    def is_alive(self, connection: Session) -> bool:
        """Say whether it has not ended, and no answer is still to come."""
        return not connection.closed and not connection.answers

    async def validate(self, connection: Session) -> bool:
        """Ask something."""
        return await connection.call(1) == 1

    async def reset(self, connection: Session) -> None:
        """Roll back, and forget the settings."""
        await connection.call(0)
        connection.in_transaction = False
        connection.settings.clear()

    async def destroy(self, connection: Session) -> None:
        """End it, and wait until that is done."""
        connection.end()
        await trip()
