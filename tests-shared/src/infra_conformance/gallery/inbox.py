"""The gallery of `Inbox`: one inbox for each way to be wrong."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_inbox import MemoryInbox, MemoryInboxDesk, MemoryTransaction
from infra_conformance.gallery.memory_store import trip


class RecordsBeforeItActs(MemoryInbox):
    """That it was done is recorded first, and stays when the act fails."""

    def transaction(self) -> MemoryTransaction:
        self.record(self.at_work)
        return super().transaction()

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        self.at_work = name
        async with super().begun(name) as transaction:
            yield transaction


class RecordsApart(MemoryInbox):
    """That it was done is recorded after the act was committed, in a transaction of its own."""

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        async with super().begun(name) as transaction:
            yield transaction
        await trip()
        await trip()
        super().record(name)

    def record(self, name: object) -> None:
        pass


class RecordsNothing(MemoryInbox):
    """Each time is the first."""

    def record(self, name: object) -> None:
        pass


class ActsAtOnce(MemoryInbox):
    """What it yields is in no transaction."""

    class Immediate(MemoryTransaction):
        """An act counts at once."""

        async def act(self, effect: str) -> None:
            await trip()
            self.records.effects.append(effect)

    def transaction(self) -> MemoryTransaction:
        return self.Immediate(self.records)


class CommitsWhatFails(MemoryInbox):
    """An act that raises counts all the same."""

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        async with self.turn(name):
            if name in self.records.acted:
                yield None
                return
            transaction = self.transaction()
            try:
                yield transaction
            finally:
                self.commit(name, transaction)


class SwallowsWhatFails(MemoryInbox):
    """What an act raises nobody hears of."""

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        try:
            async with super().begun(name) as transaction:
                yield transaction
        except Exception:
            return


class SwallowsItsCancellation(MemoryInbox):
    """An act that is cancelled ends as if it were done."""

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        try:
            async with super().begun(name) as transaction:
                yield transaction
        except asyncio.CancelledError:
            return


class ConsumersShare(MemoryInbox):
    """What one consumer has acted on, none does."""

    def name(self, consumer: str, message_id: str) -> object:
        return message_id


class FoldsNames(MemoryInbox):
    """Names that differ in their letters' case are one to it."""

    def name(self, consumer: str, message_id: str) -> object:
        return consumer.lower(), message_id.strip()


class JoinsNames(MemoryInbox):
    """It keeps both names as one text, cut off where the column ends."""

    def name(self, consumer: str, message_id: str) -> object:
        return consumer[:200], message_id[:200]


class DoesNotWait(MemoryInbox):
    """Two at once both act."""

    def turn(self, name: object) -> AbstractAsyncContextManager[Any]:
        return nullcontext()


class TakesBusyForDone(MemoryInbox):
    """What somebody else acts on it takes for done, though that may fail."""

    @asynccontextmanager
    async def begun(self, name: object) -> AsyncGenerator[MemoryTransaction | None]:
        lock = self.records.acting.setdefault(name, asyncio.Lock())
        if lock.locked():
            yield None
            return
        async with super().begun(name) as transaction:
            yield transaction


class ForgetsAll(MemoryInbox):
    """However young, it is forgotten."""

    def is_old(self, at: float, older_than: float) -> bool:
        return True


class ForgetsNothing(MemoryInbox):
    """However old, it is kept."""

    def is_old(self, at: float, older_than: float) -> bool:
        return False


class TakesAnyName(MemoryInbox):
    """A blank name is as good as any."""

    def check(self, consumer: str, message_id: str) -> None:
        pass


class TakesAnyAge(MemoryInbox):
    """A negative age is as good as any."""

    def check_age(self, older_than: float) -> None:
        pass


class NotAsync(MemoryInbox):
    """Its forget returns something to await, and is no coroutine function."""

    def forget(self, older_than: float) -> Any:
        return super().forget(older_than)


def _fault(kind: type[MemoryInbox], *caught_by: str) -> Fault:
    return Fault.of(type(kind.__name__, (MemoryInboxDesk,), {"kind": kind}), *caught_by)


FAULTS: Final[list[Fault]] = [
    _fault(RecordsBeforeItActs, "inbox-03", "inbox-04", "inbox-20", "inbox-30"),
    _fault(RecordsApart, "inbox-30"),
    _fault(RecordsNothing, "inbox-02", "inbox-20"),
    _fault(ActsAtOnce, "inbox-03", "inbox-04", "inbox-06"),
    _fault(CommitsWhatFails, "inbox-03", "inbox-04"),
    _fault(SwallowsWhatFails, "inbox-03"),
    _fault(SwallowsItsCancellation, "inbox-04", "inbox-30"),
    _fault(ConsumersShare, "inbox-05", "inbox-20"),
    _fault(FoldsNames, "inbox-05"),
    _fault(JoinsNames, "inbox-05"),
    _fault(DoesNotWait, "inbox-07", "inbox-08"),
    _fault(TakesBusyForDone, "inbox-08"),
    _fault(ForgetsAll, "inbox-09"),
    _fault(ForgetsNothing, "inbox-09"),
    _fault(TakesAnyName, "inbox-10"),
    _fault(TakesAnyAge, "inbox-10"),
    _fault(NotAsync, "inbox-01"),
]
