"""The suite of `Inbox`: what every inbox promises."""

import asyncio
import inspect
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, swept
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect, expect_one_of, refused
from infra_protocols.errors import ValidationError
from infra_protocols.messaging import Inbox

ALIKE: Final = ("a", "b", "A", "a ", " a", "a:b", "a*", "\u00e9", "e\u0301", "%", "a" * 200, "a" * 200 + "b")
"""Names that an inbox which folds, trims, splits, cuts off, matches or normalises would take for one another."""
PATIENCE: Final = 30.0
"""How many seconds a call may take that has nothing to wait for, where time is real."""


class ActError(Exception):
    """What an act raises that fails."""


class CheckedInbox[TConnection]:
    """
    An inbox, and a table of effects in its database: what `InboxSuite` checks.

    Type parameters:
        TConnection: a connection of the database.
    """

    inbox: Inbox[TConnection]
    """The inbox; no consumer has acted on anything."""

    def another(self) -> Inbox[TConnection]:
        """Return another inbox on the same table, as another process has it."""
        raise NotImplementedError

    async def act(self, connection: TConnection, effect: str) -> None:
        """Write `effect` into the table of effects, in the transaction of `connection`."""
        raise NotImplementedError

    async def effects(self) -> list[str]:
        """Return the effects that were committed, on a connection of its own."""
        raise NotImplementedError


class InboxSuite[TConnection](Suite[CheckedInbox[TConnection]]):
    """
    Checks an `Inbox`.

    Type parameters:
        TConnection: a connection of the database.

    >>> class TestMyInbox(InboxSuite[object]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyInboxAndItsDatabase()
    """

    @check("inbox-01")
    async def test_it_is_an_inbox(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """It has the methods of an Inbox."""
        expect("isinstance(inbox, Inbox)", isinstance(trial.raw.inbox, Inbox), True)
        expect("forget is a coroutine function", inspect.iscoroutinefunction(trial.raw.inbox.forget), True)

    @check("inbox-02")
    async def test_once(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """A message has its effect once, however often it comes, also to another process."""
        desk = trial.raw
        for number in range(4):
            acted = await self._acted(desk, "shop", "1", f"try {number}", desk.another() if number % 2 else desk.inbox)
            expect(f"whether try {number} acts", acted, number == 0)
        expect("effects", await desk.effects(), ["try 0"])

    @check("inbox-03")
    async def test_failed_act(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """An act that raises has no effect, what it raises comes through, and the message takes effect next time."""
        desk = trial.raw
        for _ in range(2):
            await refused("an act that raises", self._acted(desk, "shop", "1", "bad", fails=True), ActError)
            expect("effects", await desk.effects(), [])
        expect("whether the next one acts", await self._acted(desk, "shop", "1", "good"), True)
        expect("effects afterwards", await desk.effects(), ["good"])

    @check("inbox-04")
    async def test_cancelled_act(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """An act that is cancelled has no effect, and the message takes effect the next time."""
        desk, began = trial.raw, asyncio.Event()

        async def act() -> None:
            async with desk.inbox.once("shop", "1") as connection:
                await desk.act(self._yielded(connection), "bad")
                began.set()
                await asyncio.Event().wait()

        acting = asyncio.ensure_future(act())
        await self._in_time("an act", asyncio.ensure_future(began.wait()), acting)
        acting.cancel()
        await asyncio.wait((acting,))
        expect("whether it was cancelled", acting.cancelled(), True)
        expect("effects", await desk.effects(), [])
        expect("whether the next one acts", await self._acted(desk, "shop", "1", "good"), True)

    @check("inbox-05")
    async def test_consumers(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """Each consumer acts on each message, whatever their names have in common."""
        desk = trial.raw
        consumers = trial.draw(st.lists(st.sampled_from(ALIKE), min_size=2, max_size=2, unique=True))
        ids = trial.draw(st.lists(st.sampled_from(ALIKE), min_size=2, max_size=2, unique=True))
        pairs = [(consumer, id) for consumer in consumers for id in ids]
        for number, (consumer, id) in enumerate(pairs * 2):
            expect("whether it acts", await self._acted(desk, consumer, id, f"{number}"), number < len(pairs))
        expect("effects", sorted(await desk.effects()), [str(number) for number in range(len(pairs))])

    @check("inbox-06")
    async def test_in_the_transaction(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """What an act does can be seen when it has ended, and not before."""
        desk = trial.raw
        async with desk.inbox.once("shop", "1") as connection:
            await desk.act(self._yielded(connection), "done")
            expect("effects during the act", await desk.effects(), [])
        expect("effects after the act", await desk.effects(), ["done"])

    @check("inbox-07")
    async def test_twice_at_once(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """Of two at once, the second waits for the first, and does not act if that has."""
        await self._at_once(trial, fails=False)

    @check("inbox-08")
    async def test_twice_at_once_and_failed(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """Of two at once, the second waits for the first, and acts if that has failed."""
        await self._at_once(trial, fails=True)

    @check("inbox-09")
    async def test_forget(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """What was acted on longer ago than that is forgotten, and told how many; what is younger is not."""
        desk = trial.raw
        for id in ("1", "2"):
            await self._acted(desk, "shop", id, f"old {id}")
        await trial.elapse(20 * self.tick)
        await self._acted(desk, "shop", "3", "young")
        expect("forget what is old", await desk.inbox.forget(10 * self.tick), 2)
        expect("forget what is old, again", await desk.inbox.forget(10 * self.tick), 0)
        for id, acts in (("1", True), ("3", False)):
            expect(f"whether {id} acts", await self._acted(desk, "shop", id, f"new {id}"), acts)
        expect("effects", sorted(await desk.effects()), ["new 1", "old 1", "old 2", "young"])

    @check("inbox-10")
    async def test_bad_arguments(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """A blank name is refused, and a negative age; then nothing is recorded."""
        desk = trial.raw
        for consumer, id in (("", "1"), (" ", "1"), ("shop", ""), ("shop", "\t")):
            await refused(f"once({consumer!r}, {id!r})", self._acted(desk, consumer, id, "bad"), ValidationError)
        await refused("forget(-1)", desk.inbox.forget(-1), ValidationError)
        await refused("forget(nan)", desk.inbox.forget(float("nan")), ValidationError)
        expect("effects", await desk.effects(), [])

    @check("inbox-20")
    async def test_any_deliveries(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """However often messages come, at once or not, and fail, each has its effect once as soon as an act is well."""
        desk = trial.raw
        come = st.tuples(st.sampled_from("12"), st.sampled_from(["shop", "mail"]), st.booleans())
        rounds = trial.draw(st.lists(st.lists(come, min_size=1, max_size=3), min_size=1, max_size=4))
        wanted: set[str] = set()

        async def deliver(id: str, consumer: str, fails: bool) -> None:
            try:
                await self._acted(desk, consumer, id, f"{consumer} {id}", fails=fails)
            except ActError:
                return

        for deliveries in rounds:
            wanted |= {f"{consumer} {id}" for id, consumer, fails in deliveries if not fails}
            everybody = asyncio.gather(*(deliver(*each) for each in deliveries))
            await self._in_time("deliveries", everybody)
            expect("effects", sorted(await desk.effects()), sorted(wanted))

    @swept("inbox-30")
    async def test_interrupted(self, trial: Trial[CheckedInbox[TConnection]]) -> None:
        """An act that is interrupted anywhere is recorded if it has its effect, and not if it has not."""
        desk = trial.raw
        outcome = await trial.interrupt(self._acted(desk, "shop", "1", "first"))
        found = await desk.effects()
        expect_one_of("effects", found, [["first"]] if outcome.finished else [["first"], []])
        await trial.elapse(self.tick)
        acted = await self._acted(desk, "shop", "1", "second", desk.another())
        expect("whether the next one acts", acted, not found)
        expect("effects afterwards", await desk.effects(), found or ["second"])

    async def _acted(
        self,
        desk: CheckedInbox[TConnection],
        consumer: str,
        id: str,
        effect: str,
        inbox: Inbox[TConnection] | None = None,
        *,
        fails: bool = False,
    ) -> bool:
        """Act, if it is not done already; say whether it was."""
        async with (inbox or desk.inbox).once(consumer, id) as connection:
            if connection is None:
                return False
            await desk.act(connection, effect)
            if fails:
                raise ActError
        return True

    async def _at_once(self, trial: Trial[CheckedInbox[TConnection]], *, fails: bool) -> None:
        desk = trial.raw
        second: asyncio.Future[bool] | None = None
        try:
            async with self._failing(fails), desk.inbox.once("shop", "1") as connection:
                await desk.act(self._yielded(connection), "first")
                second = asyncio.ensure_future(self._acted(desk, "shop", "1", "second", desk.another()))
                await trial.elapse(2 * self.tick)
                expect("whether the second has ended", second.done(), False)
                if fails:
                    raise ActError
            expect("whether the second acts", await self._in_time("the second", second), fails)
        finally:
            if second is not None and not second.done():
                second.cancel()
                await asyncio.wait((second,))
        expect("effects", await desk.effects(), ["second"] if fails else ["first"])

    @asynccontextmanager
    async def _failing(self, fails: bool) -> AsyncGenerator[None]:
        try:
            yield
        except ActError:
            if not fails:
                raise

    async def _in_time[R](self, what: str, call: "asyncio.Future[R]", *others: "asyncio.Future[Any]") -> R:
        """Return what `call` returns; `others` are called off with it."""
        await asyncio.wait((call,), timeout=PATIENCE if self.real_time else 1000 * self.tick)
        if not call.done():
            for each in (call, *others):
                each.cancel()
            await asyncio.wait((call, *others))
            raise Broken(ConformanceMessages.OUTBOX_WAITED.format(what=what))
        return call.result()

    def _yielded(self, connection: TConnection | None) -> TConnection:
        if connection is None:
            raise Broken(ConformanceMessages.INBOX_NOT_YIELDED)
        return connection
