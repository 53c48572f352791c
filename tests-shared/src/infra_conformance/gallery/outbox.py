"""The gallery of `Outbox`: one outbox for each way to be wrong."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_outbox import (
    MemoryBound,
    MemoryConnection,
    MemoryDesk,
    MemoryOutbox,
    MemoryTables,
    Waiting,
)
from infra_conformance.gallery.memory_store import trip
from infra_protocols.errors import MessagingError
from infra_protocols.messaging import MessageBroker, OutboxMessage

type OnRefused = Callable[[MessagingError], None] | None

# -- Faults of what is written.


class CommitsOnItsOwn(MemoryBound):
    """What it writes is committed at once, whatever becomes of the transaction."""

    async def create(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        kept = await super().create(entity)
        self.connection.apply()
        return kept


class UpdatesOnItsOwn(MemoryBound):
    """It updates and deletes past the transaction."""

    async def update(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
        kept = await super().update(entity)
        self.connection.apply()
        return kept


class Overwrites(MemoryBound):
    """An id that is taken is taken over."""

    def is_taken(self, id: str) -> bool:
        return False


class ForgetsWhereItWasWritten(MemoryBound):
    """The correlation id does not go with a message."""

    def carried(self) -> str | None:
        return None


class ChangesWhatIsPublished(MemoryBound):
    """What a relay is publishing can be changed, as if it still waited."""

    def is_claimed(self, id: str) -> bool:
        return False


class NotAsync(MemoryBound):
    """Its delete returns something to await, and is no coroutine function."""

    def delete(self, id: str) -> Any:
        return super().delete(id)


class CommitsInPieces(MemoryConnection):
    """Rows come to light one by one."""

    async def commit(self) -> None:
        for id, row in list(self.changes.items()):
            await trip()
            if row is None:
                self.tables.rows.pop(id, None)
            else:
                self.tables.rows[id] = row
        self.end()


# -- Faults of which rows a relay takes, and in which order.


class PublishesWhatIsNotCommitted(MemoryOutbox):
    """It sees what transactions have written that are not over."""

    def rows(self) -> list[Waiting]:
        seen = dict(self.tables.rows)
        for connection in self.tables.connections:
            seen |= connection.rows()
        return sorted(seen.values(), key=lambda row: row.number)


class GoesByACursor(MemoryOutbox):
    """It takes what comes after the highest number that it has published: what comes to light later it never sees."""

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        last: int = getattr(self.tables, "last", 0)
        found = [row for row in super().claim(most, held) if row.number > last]
        vars(self.tables)["last"] = max([last, *(row.number for row in found)])
        return found


class GoesByTheCommits(MemoryOutbox):
    """It takes what was committed, though something before that may still be."""

    def is_settled(self, row: Waiting) -> bool:
        return True


class WaitsForAll(MemoryOutbox):
    """One transaction that is going on holds up all keys."""

    def is_settled(self, row: Waiting) -> bool:
        began = [least for each in self.tables.connections for least in each.began.values()]
        return all(row.number <= least for least in began)


class WaitsForEver(MemoryOutbox):
    """What had something before it that was not committed, it takes for lost."""

    def is_settled(self, row: Waiting) -> bool:
        lost: set[int] = vars(self.tables).setdefault("lost", set())
        if not super().is_settled(row):
            lost.add(row.number)
        return row.number not in lost


class TakesTheNewestFirst(MemoryOutbox):
    """The last that was written comes first."""

    def rows(self) -> list[Waiting]:
        return super().rows()[::-1]


class ClaimsNothing(MemoryOutbox):
    """Two relays publish the same rows."""

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        self.tables.claimed.clear()
        return super().claim(most, held)


class ClaimsRowsOnly(MemoryOutbox):
    """Of one key, two relays publish different rows at the same time."""

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        free = [row for row in self.rows() if row.message.id not in self.tables.claimed]
        found = [row for row in free if self.place(row) not in held and self.is_settled(row)][:most]
        self.tables.claimed |= {row.message.id for row in found}
        return found


class LooksAtTheFirstOnly(MemoryOutbox):
    """What it has claimed and cannot publish takes the place of others."""

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        return super().claim(most, set()) if not held else ()


class MissesTheLimit(MemoryOutbox):
    """It publishes all there is."""

    def claim(self, most: int, held: set[object]) -> Sequence[Waiting]:
        return super().claim(1000, held)


class AcceptsAnyLimit(MemoryOutbox):
    """A limit of nothing is as good as any."""

    def check(self, limit: int) -> None:
        pass


# -- Faults of how rows are published.


class NewIdEachTime(MemoryOutbox):
    """A message that is published again has another id."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        again: set[str] = vars(self.tables).setdefault("again", set())
        if row.message.id in again:
            row = replace(row, message=replace(row.message, id=uuid4().hex))
        again.add(row.message.id)
        await super().publish(broker, row)


class LeavesTheKeyOut(MemoryOutbox):
    """A message is published without its key."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        await super().publish(broker, replace(row, message=replace(row.message, key=None)))


class LeavesHeadersOut(MemoryOutbox):
    """A message is published without its headers."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        await super().publish(broker, replace(row, message=replace(row.message, headers={})))


class GoesOnBehindAFailure(MemoryOutbox):
    """What is behind one that was refused is published before it."""

    def place(self, row: Waiting) -> object:
        return row.number


class StopsAtAFailure(MemoryOutbox):
    """One that is refused holds up all others."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        try:
            await super().publish(broker, row)
        except MessagingError as error:
            raise RuntimeError from error

    async def relay(self, broker: MessageBroker[str], **options: Any) -> int:
        try:
            return await super().relay(broker, **options)
        except RuntimeError as error:
            raise error.__cause__ or error from None


class SaysNothingOfAFailure(MemoryOutbox):
    """That one was refused is not told."""

    def told(self, published: int, failed: Sequence[MessagingError], on_refused: OnRefused) -> int:
        return published


class TellsOfTheFirstOnly(MemoryOutbox):
    """Of several that were refused, only one is told of."""

    def told(self, published: int, failed: Sequence[MessagingError], on_refused: OnRefused) -> int:
        return super().told(published, failed[:1], on_refused)


class RaisesWhatIsTold(MemoryOutbox):
    """What was refused is raised, also where it was told."""

    def told(self, published: int, failed: Sequence[MessagingError], on_refused: OnRefused) -> int:
        super().told(published, failed, on_refused)
        return super().told(published, failed, None)


class HidesThatTheBrokerIsAway(MemoryOutbox):
    """The first that was refused is raised, though the broker answers no more."""

    def told(self, published: int, failed: Sequence[MessagingError], on_refused: OnRefused) -> int:
        if on_refused is None and failed:
            raise failed[0]
        return super().told(published, failed, on_refused)


class TriesAllThereIs(MemoryOutbox):
    """However many are refused, it goes on."""

    def goes_on(self, failed: Sequence[MessagingError], limit: int) -> bool:
        return super().goes_on(failed, len(failed) + 1)


class BeginsWithTheSame(MemoryOutbox):
    """What was refused it tries again each time, and never what is behind."""

    def kept(self, held: set[object]) -> set[object]:
        return set()


class TakesItsOwnAlong(MemoryOutbox):
    """A message goes with the correlation id of who relays."""

    @contextmanager
    def apart(self) -> Generator[None]:
        yield


class ForgetsWhatFails(MemoryOutbox):
    """What could not be published is deleted as well."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        try:
            await super().publish(broker, row)
        except MessagingError:
            self.forget([row])
            raise


class ForgetsFirst(MemoryOutbox):
    """A row is deleted before it is published."""

    async def publish(self, broker: MessageBroker[str], row: Waiting) -> None:
        self.forget([row])
        try:
            await super().publish(broker, row)
        except MessagingError:
            self.tables.rows[row.message.id] = row
            raise


class KeepsWhatWasPublished(MemoryOutbox):
    """It only notes that a row was published."""

    class Bound(MemoryBound):
        """A writer."""

        def is_taken(self, id: str) -> bool:
            return super().is_taken(id) or id in vars(self.connection.tables).get("published", ())

    bound: type[MemoryBound] = Bound

    def forget(self, accepted: Sequence[Waiting]) -> None:
        vars(self.tables).setdefault("published", set()).update(row.message.id for row in accepted)
        super().forget(accepted)


class KeepsItsClaim(MemoryOutbox):
    """What a relay had claimed that ended in the middle, nobody else gets."""

    def __init__(self, tables: MemoryTables) -> None:
        super().__init__(tables)
        self.ended_well: bool = False

    def forget(self, accepted: Sequence[Waiting]) -> None:
        self.ended_well = True
        super().forget(accepted)

    def release(self, claimed: Sequence[Waiting]) -> None:
        if self.ended_well:
            super().release(claimed)


class HoldsUpWriters(MemoryOutbox):
    """While it publishes, nobody writes."""

    class Bound(MemoryBound):
        """A writer."""

        async def create(self, entity: OutboxMessage[str]) -> OutboxMessage[str]:
            while self.connection.tables.claimed:  # noqa: ASYNC110
                await asyncio.sleep(1)
            return await super().create(entity)

    bound: type[MemoryBound] = Bound


class CountsWrong(MemoryOutbox):
    """It tells of one more than there were."""

    def told(self, published: int, failed: Sequence[MessagingError], on_refused: OnRefused) -> int:
        return super().told(published, failed, on_refused) + 1


class SwallowsItsCancellation(MemoryOutbox):
    """When it is called off, it returns as if it were done."""

    async def relay(self, broker: MessageBroker[str], **options: Any) -> int:
        try:
            return await super().relay(broker, **options)
        except asyncio.CancelledError:
            return 0


def _fault(kind: type[MemoryOutbox] | type[MemoryBound] | type[MemoryConnection], *caught_by: str) -> Fault:
    members: dict[str, Any]
    if issubclass(kind, MemoryOutbox):
        members = {"kind": kind}
    elif issubclass(kind, MemoryBound):
        members = {"kind": type(kind.__name__, (MemoryOutbox,), {"bound": kind})}
    else:
        members = {"link": kind}
    return Fault.of(type(kind.__name__, (MemoryDesk,), members), *caught_by)


FAULTS: Final[list[Fault]] = [
    _fault(CommitsOnItsOwn, "outbox-03", "outbox-04", "outbox-20"),
    _fault(UpdatesOnItsOwn, "outbox-03"),
    _fault(Overwrites, "outbox-05"),
    _fault(ForgetsWhereItWasWritten, "outbox-07"),
    _fault(ChangesWhatIsPublished, "outbox-46"),
    _fault(NotAsync, "outbox-01"),
    _fault(CommitsInPieces, "outbox-30"),
    _fault(PublishesWhatIsNotCommitted, "outbox-04", "outbox-20"),
    _fault(GoesByACursor, "outbox-11", "outbox-20"),
    _fault(GoesByTheCommits, "outbox-12", "outbox-20"),
    _fault(WaitsForAll, "outbox-11"),
    _fault(WaitsForEver, "outbox-13"),
    _fault(TakesTheNewestFirst, "outbox-10", "outbox-20"),
    _fault(ClaimsNothing, "outbox-14", "outbox-44"),
    _fault(ClaimsRowsOnly, "outbox-14", "outbox-44"),
    _fault(LooksAtTheFirstOnly, "outbox-41"),
    _fault(MissesTheLimit, "outbox-06"),
    _fault(AcceptsAnyLimit, "outbox-06"),
    _fault(NewIdEachTime, "outbox-42", "outbox-43", "outbox-31"),
    _fault(LeavesTheKeyOut, "outbox-02"),
    _fault(LeavesHeadersOut, "outbox-02", "outbox-07"),
    _fault(GoesOnBehindAFailure, "outbox-40"),
    _fault(StopsAtAFailure, "outbox-40", "outbox-41"),
    _fault(SaysNothingOfAFailure, "outbox-40", "outbox-42"),
    _fault(TellsOfTheFirstOnly, "outbox-47"),
    _fault(RaisesWhatIsTold, "outbox-47"),
    _fault(HidesThatTheBrokerIsAway, "outbox-48"),
    _fault(TriesAllThereIs, "outbox-49"),
    _fault(BeginsWithTheSame, "outbox-49"),
    _fault(TakesItsOwnAlong, "outbox-07"),
    _fault(ForgetsWhatFails, "outbox-40", "outbox-42"),
    _fault(ForgetsFirst, "outbox-31", "outbox-43"),
    _fault(KeepsWhatWasPublished, "outbox-08"),
    _fault(KeepsItsClaim, "outbox-31", "outbox-43"),
    _fault(HoldsUpWriters, "outbox-45"),
    _fault(CountsWrong, "outbox-02"),
    _fault(SwallowsItsCancellation, "outbox-31"),
]
