"""The gallery of `ConnectionFactory`: one factory for each way to be wrong."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_factory import MemoryEngine, MemoryFactory, Session
from infra_conformance.gallery.memory_store import trip
from infra_protocols.clock import Clock

# -- Create.


class ChecksInItsOwnWay:
    """It calls its methods as its driver does."""

    def __init__(self) -> None:
        self.engine: MemoryEngine = MemoryEngine()

    async def connect(self) -> Session:
        return Session(self.engine)


class WaitsToSay(MemoryFactory):
    """Its is_alive is a coroutine function, and so always true."""

    async def is_alive(self, connection: Session) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().is_alive(connection)


class BeginsAtOnce(MemoryFactory):
    """A new connection is in a transaction."""

    async def create(self) -> Session:
        session = await super().create()
        session.in_transaction = True
        return session


class IsDeadAtFirst(MemoryFactory):
    """A new connection is not alive until it was used."""

    async def create(self) -> Session:
        session = await super().create()
        session.ask(0, 0.0)
        return session


class MakesOneForAll(MemoryFactory):
    """It has one connection, and returns it each time."""

    async def create(self) -> Session:
        return self.engine.sessions[0] if self.engine.sessions else await super().create()


class SharesSettings(MemoryFactory):
    """A setting of one connection is one of all."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, str] = {}

    async def create(self) -> Session:
        session = await super().create()
        session.settings = self.settings
        return session


class JoinsCreates(MemoryFactory):
    """Who asks for a connection while one is being made gets the same."""

    making: asyncio.Task[Session] | None = None

    async def create(self) -> Session:
        if self.making is None or self.making.done():
            self.making = asyncio.create_task(super().create())
        return await self.making


class MakesOneAtATime(MemoryFactory):
    """It refuses to make a connection while it makes another."""

    making: bool = False

    async def create(self) -> Session:
        if self.making:
            raise RuntimeError("another create is in progress")
        self.making = True
        try:
            return await super().create()
        finally:
            self.making = False


class AbandonsItsLogin(MemoryFactory):
    """When its create is cancelled after the connection was made, nobody ends it."""

    async def create(self) -> Session:
        await trip()
        if self.engine.refusing:
            raise ConnectionRefusedError
        session = Session(self.engine)
        await trip()
        return session


class TriesForEver(MemoryFactory):
    """In an outage it tries again and again, and says nothing."""

    async def create(self) -> Session:
        while True:
            with suppress(ConnectionRefusedError):
                return await super().create()
            await asyncio.sleep(300)


class ReturnsADeadOne(MemoryFactory):
    """In an outage it returns what cannot be used."""

    async def create(self) -> Session:
        try:
            return await super().create()
        except ConnectionRefusedError:
            session = Session(self.engine)
            session.end()
            return session


class KeepsTheFailed(MemoryFactory):
    """A create that fails leaves half a connection."""

    async def create(self) -> Session:
        if self.engine.refusing:
            Session(self.engine)
        return await super().create()


class GivesUp(MemoryFactory):
    """After a create has failed it does not try any more."""

    failed: bool = False

    async def create(self) -> Session:
        if self.failed:
            raise ConnectionRefusedError
        try:
            return await super().create()
        except ConnectionRefusedError:
            self.failed = True
            raise


# -- Validate and is_alive.


class ValidatesAll(MemoryFactory):
    """It says yes without asking."""

    async def validate(self, connection: Session) -> bool:
        return True


class ValidatesNone(MemoryFactory):
    """It takes the right answer for a wrong one."""

    async def validate(self, connection: Session) -> bool:
        return not await super().validate(connection)


class ValidatesInATransaction(MemoryFactory):
    """To ask it begins a transaction, which it leaves open."""

    async def validate(self, connection: Session) -> bool:
        connection.in_transaction = True
        return await super().validate(connection)


class WaitsForTheDead(MemoryFactory):
    """To validate a dead connection it waits for an answer that never comes."""

    async def validate(self, connection: Session) -> bool:
        if connection.closed:
            await asyncio.Event().wait()
        return await super().validate(connection)


class ValidatesWhateverHappens(MemoryFactory):
    """A validate that is cancelled says no, as if the connection was dead."""

    async def validate(self, connection: Session) -> bool:
        try:
            return await super().validate(connection)
        except asyncio.CancelledError:
            return False


class ForgetsWhatIsToCome(MemoryFactory):
    """A connection counts as alive while an answer is to come that nobody waits for any more."""

    def is_alive(self, connection: Session) -> bool:
        return not connection.closed


class AliveOnceMade(MemoryFactory):
    """What was made is alive for ever."""

    def is_alive(self, connection: Session) -> bool:
        return not connection.answers


class AliveUntilUsed(MemoryFactory):
    """It looks whether it has destroyed the connection itself, and not whether the other side has."""

    def __init__(self) -> None:
        super().__init__()
        self.destroyed: list[Session] = []

    def is_alive(self, connection: Session) -> bool:
        return connection not in self.destroyed and not connection.answers

    async def destroy(self, connection: Session) -> None:
        self.destroyed.append(connection)
        await super().destroy(connection)


class DiesTogether(MemoryFactory):
    """When one connection is dead, all count as dead."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Session] = []

    async def create(self) -> Session:
        self.made.append(session := await super().create())
        return session

    def is_alive(self, connection: Session) -> bool:
        return all(super(DiesTogether, self).is_alive(each) for each in self.made)


# -- Reset.


class ResetsNothing(MemoryFactory):
    """Its reset only looks whether the connection works."""

    async def reset(self, connection: Session) -> None:
        await connection.call(0)


class KeepsSettings(MemoryFactory):
    """Its reset rolls back, and leaves the settings."""

    async def reset(self, connection: Session) -> None:
        await connection.call(0)
        connection.in_transaction = False


class ResetsByEnding(MemoryFactory):
    """Its reset ends the connection, which surely leaves nothing on it."""

    async def reset(self, connection: Session) -> None:
        connection.end()


class ResetsTheDead(MemoryFactory):
    """Its reset makes the connection count as alive again, whether or not it is."""

    async def reset(self, connection: Session) -> None:
        if connection.closed:
            connection.closed = False
        else:
            await super().reset(connection)


class DestroysNoneInReset(MemoryFactory):
    """It takes a connection whose reset did not end for one that is in use, and does not destroy it."""

    def __init__(self) -> None:
        super().__init__()
        self.resetting: list[Session] = []

    async def reset(self, connection: Session) -> None:
        self.resetting.append(connection)
        await super().reset(connection)
        self.resetting.remove(connection)

    async def destroy(self, connection: Session) -> None:
        if connection not in self.resetting:
            await super().destroy(connection)


# -- Destroy.


class DestroysItsOwnSide(MemoryFactory):
    """It forgets the connection, and the other side never hears of it."""

    async def destroy(self, connection: Session) -> None:
        connection.closed = True
        for timer in connection.timers:
            timer.cancel()
        await trip()


class DestroysAll(MemoryFactory):
    """It ends all connections with the one."""

    async def destroy(self, connection: Session) -> None:
        for session in self.engine.sessions.copy():
            await super().destroy(session)


class DestroysOnce(MemoryFactory):
    """To destroy a connection again is an error."""

    async def destroy(self, connection: Session) -> None:
        if connection.closed:
            raise RuntimeError("the connection is closed already")
        await super().destroy(connection)


class DestroysNoTransaction(MemoryFactory):
    """It does not destroy a connection that is in a transaction."""

    async def destroy(self, connection: Session) -> None:
        if connection.in_transaction:
            raise RuntimeError("the connection is in a transaction")
        await super().destroy(connection)


class TakesItsLeave(MemoryFactory):
    """Before it ends the connection it tells the other side; cancelled at that, it has ended nothing."""

    async def destroy(self, connection: Session) -> None:
        await trip()
        connection.end()


def _fault(subject: type[Any], *caught_by: str) -> Fault:
    @asynccontextmanager
    async def make(clock: Clock) -> AsyncGenerator[Any]:
        yield subject()

    return Fault(make, subject.__name__, frozenset(f"factory-{number}" for number in caught_by))


FAULTS: Final = [
    _fault(ChecksInItsOwnWay, "01"),
    _fault(WaitsToSay, "01"),
    _fault(BeginsAtOnce, "02", "03"),
    _fault(IsDeadAtFirst, "02"),
    _fault(MakesOneForAll, "03"),
    _fault(SharesSettings, "03"),
    _fault(JoinsCreates, "04"),
    _fault(MakesOneAtATime, "04"),
    _fault(AbandonsItsLogin, "05"),
    _fault(TriesForEver, "06"),
    _fault(ReturnsADeadOne, "06"),
    _fault(KeepsTheFailed, "06"),
    _fault(GivesUp, "06"),
    _fault(ValidatesAll, "11", "12"),
    _fault(ValidatesNone, "02", "10", "11", "30"),
    _fault(ValidatesInATransaction, "10"),
    _fault(WaitsForTheDead, "11", "12"),
    _fault(ValidatesWhateverHappens, "13"),
    _fault(ForgetsWhatIsToCome, "13", "40", "41"),
    _fault(AliveOnceMade, "20", "21"),
    _fault(AliveUntilUsed, "21"),
    _fault(DiesTogether, "03", "21"),
    _fault(ResetsNothing, "31"),
    _fault(KeepsSettings, "31"),
    _fault(ResetsByEnding, "30", "31"),
    _fault(ResetsTheDead, "32"),
    _fault(DestroysNoneInReset, "33"),
    _fault(DestroysItsOwnSide, "50", "52", "53"),
    _fault(DestroysAll, "03", "50", "51"),
    _fault(DestroysOnce, "51"),
    _fault(DestroysNoTransaction, "52"),
    _fault(TakesItsLeave, "53"),
]
