"""What is written, and what becomes of it when its transaction ends."""

import inspect
from typing import Any, Final

from infra_conformance.outbox_base import CheckedOutbox, OutboxChecks, expect_published, keyed, message
from infra_conformance.proof import check, swept
from infra_conformance.recording_broker import RecordingBroker
from infra_conformance.sweep import Pass
from infra_conformance.trial import Trial, expect, expect_one_of, refused
from infra_protocols.context import correlation_id
from infra_protocols.errors import EntityExistsError, EntityNotFoundError, ValidationError
from infra_protocols.messaging import Header, Outbox, OutboxMessage
from infra_protocols.protocols import Repository

METHODS: Final = ("get", "get_all", "create", "update", "delete", "exists")


class OutboxWritingChecks[TConnection](OutboxChecks[TConnection]):
    """
    The checks of what transactions do.

    Type parameters:
        TConnection: a connection of the database.
    """

    @check("outbox-01")
    async def test_it_is_an_outbox(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """It has the methods of an Outbox, and what it binds to a connection is a Repository."""
        desk = trial.raw
        expect("isinstance(outbox, Outbox)", isinstance(desk.outbox, Outbox), True)
        expect("relay is a coroutine function", inspect.iscoroutinefunction(desk.outbox.relay), True)
        async with self.open_transaction(desk) as (_, bound):
            some: Any = bound
            expect("isinstance(outbox.bind(connection), Repository)", isinstance(some, Repository), True)
            for name in METHODS:
                expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(getattr(bound, name)), True)

    @check("outbox-02")
    async def test_committed(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What was committed is published as it was written: topic, message, key, headers and id; then it is gone."""
        desk, broker = trial.raw, RecordingBroker()
        headers = {"tenant": "acme"}
        first = OutboxMessage("orders.new", "Dune", key="ada", headers=headers, id="1")
        second = OutboxMessage("orders.paid", "\u00fcber \U0001f600\n\0", id="2")
        await self.write(desk, first, second)
        expect("what waits", await self.waiting(desk), ["1", "2"])
        expect("how many were published", await desk.outbox.relay(broker), 2)
        got = {each.id: each for each in broker.accepted}
        for written in (first, second):
            each = got.get(written.id)
            told = each and (each.topic, each.message, each.key, dict(each.headers))
            wanted = (written.topic, written.message, written.key, dict(written.headers))
            expect(f"what was published of {written.id}", told, wanted)
        expect("what waits afterwards", await self.waiting(desk), [])
        expect("how many were published afterwards", await desk.outbox.relay(broker), 0)

    @check("outbox-03")
    async def test_rolled_back(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What was rolled back has not happened: nothing of it is published, changed or gone."""
        desk, broker = trial.raw, RecordingBroker()
        kept = [message("1"), message("2")]
        await self.write(desk, *kept)
        async with self.open_transaction(desk) as (connection, bound):
            await bound.create(message("3"))
            await bound.update(message("1", text="other"))
            await bound.delete("2")
            await desk.rollback(connection)
        await self.drained(desk, broker)
        expect_published(broker, kept)
        expect("messages", sorted(each.message for each in broker.accepted), ["message 1", "message 2"])

    @check("outbox-04")
    async def test_uncommitted(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What is not committed yet is its transaction's own: nobody else sees it, and no relay publishes it."""
        desk, broker = trial.raw, RecordingBroker()
        async with self.open_transaction(desk) as (connection, bound):
            await bound.create(message("1", "ada"))
            await bound.create(message("2"))
            expect("get in the transaction", await bound.get("1"), message("1", "ada"))
            expect("what others see", await self.waiting(desk), [])
            expect("how many were published", await desk.outbox.relay(broker), 0)
            await desk.commit(connection)
        expect("how many were published after the commit", await desk.outbox.relay(broker), 2)

    @check("outbox-05")
    async def test_repository(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """An id that is taken is refused, as is to update what is not there; what was updated or deleted counts."""
        desk, broker = trial.raw, RecordingBroker()
        await self.write(desk, message("1"), message("2"), message("3"))
        async with self.open_transaction(desk) as (connection, bound):
            await refused("create with a taken id", bound.create(message("1", text="other")), EntityExistsError)
            await refused("update of an absent id", bound.update(message("4")), EntityNotFoundError)
            expect("update", await bound.update(message("2", text="new")), message("2", text="new"))
            expect("delete", await bound.delete("3"), True)
            expect("delete, again", await bound.delete("3"), False)
            expect("exists", [await bound.exists(id) for id in "1234"], [True, True, False, False])
            await desk.commit(connection)
        await self.drained(desk, broker)
        got = sorted((str(each.id), str(each.message)) for each in broker.accepted)
        expect("what was published", got, [("1", "message 1"), ("2", "new")])

    @check("outbox-06")
    async def test_limit(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """A relay publishes at most `limit`, of which there is at least one."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message(str(number), key) for number, key in enumerate(["a", None, "a", "b", None])]
        await self.write(desk, *written)
        for limit in (0, -1):
            await refused(f"relay with limit {limit}", desk.outbox.relay(broker, limit=limit), ValidationError)
        for limit, count in ((2, 2), (1, 1), (5, 2)):
            expect(f"relay with limit {limit}", await desk.outbox.relay(broker, limit=limit), count)
        expect_published(broker, written)

    @check("outbox-07")
    async def test_carried_along(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """A message goes with the correlation id of where it was written, unless its headers have another, or none."""
        desk, broker = trial.raw, RecordingBroker()
        name = Header.CORRELATION_ID.value
        token = correlation_id.set("request 7")
        try:
            await self.write(desk, message("1"), OutboxMessage("t", "m", headers={name: "request 8"}, id="2"))
        finally:
            correlation_id.reset(token)
        await self.write(desk, message("3"))
        token = correlation_id.set("the relay's own")
        try:
            await self.drained(desk, broker)
        finally:
            correlation_id.reset(token)
        got = {each.id: each.headers.get(name) for each in broker.accepted}
        expect("the correlation ids", got, {"1": "request 7", "2": "request 8", "3": None})

    @check("outbox-08")
    async def test_not_kept(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What was published is not kept: its id can be written again."""
        desk, broker = trial.raw, RecordingBroker()
        for text in ("first", "second"):
            await self.write(desk, message("1", "ada", text))
            await self.drained(desk, broker)
        expect("what was published", [each.message for each in broker.accepted], ["first", "second"])

    @swept("outbox-30")
    async def test_interrupted_transaction(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """A transaction that is interrupted is published wholly or not at all, not later either."""
        desk, broker = trial.raw, RecordingBroker()
        outcome = await trial.interrupt(self.write(desk, message("1", "ada"), message("2", "ada")))
        await desk.another().relay(broker)
        got = keyed(broker.accepted).get("ada", [])
        expect_one_of("what was published", got, [["1", "2"]] if outcome.ending is Pass.FINISHED else [["1", "2"], []])
        await trial.elapse(self.tick)
        await self.write(desk, message("3", "ada"))
        await self.drained(desk, broker)
        expect("what was published afterwards", keyed(broker.accepted), {"ada": [*got, "3"]})
