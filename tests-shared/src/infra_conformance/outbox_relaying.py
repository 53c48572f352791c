"""What happens when publishing fails, or ends in the middle."""

import asyncio

from hypothesis import strategies as st

from infra_conformance.messages import ConformanceMessages
from infra_conformance.outbox_base import CheckedOutbox, OutboxChecks, expect_published, keyed, message
from infra_conformance.proof import check, swept
from infra_conformance.recording_broker import RecordingBroker
from infra_conformance.trial import Broken, Trial, expect, refused
from infra_protocols.errors import BrokerRefusedError, BrokerUnavailableError, EntityNotFoundError, MessagingError


class OutboxRelayingChecks[TConnection](OutboxChecks[TConnection]):
    """
    The checks of relays that fail.

    Type parameters:
        TConnection: a connection of the database.
    """

    @check("outbox-40")
    async def test_refused(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """Where one is refused, those behind it wait, and others go on; it is told, and what was accepted is gone."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message(f"{number}{key}", key) for number in range(3) for key in ("a", "b", "c")]
        await self.write(desk, *written)
        broker.refuse("b")
        for _ in range(2):
            await refused("relay to a broker that refuses", desk.outbox.relay(broker), MessagingError)
            expect("what waits", await self.waiting(desk), ["0b", "1b", "2b"])
        expect("what was tried", {each.id for each in broker.tried if each.key == "b"}, {"0b"})
        broker.mend()
        expect("how many were published in the end", await desk.outbox.relay(broker), 3)
        expect_published(broker, written)

    @check("outbox-41")
    async def test_refused_many(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What is refused holds up no other, however much waits behind it."""
        desk, broker = trial.raw, RecordingBroker()
        await self.write(desk, *(message(f"{number}a", "a") for number in range(7)), message("0b", "b"), message("z"))
        broker.refuse("a")
        for _ in range(2):
            try:
                await desk.outbox.relay(broker, limit=3)
            except MessagingError:
                continue
        expect("what was published", sorted(str(each.id) for each in broker.accepted), ["0b", "z"])

    @check("outbox-42")
    async def test_no_answer(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What a broker does not answer for is published again, with the same id, before those behind it."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message(id, "a") for id in "123"]
        await self.write(desk, *written)
        broker.fall_silent(after=1)
        await refused("relay to a broker that does not answer", desk.outbox.relay(broker), MessagingError)
        expect("what waits", await self.waiting(desk), ["2", "3"])
        broker.mend()
        await self.drained(desk, broker)
        expect("what was published", [each.id for each in broker.accepted], ["1", "2", "2", "3"])

    @check("outbox-43")
    async def test_dies(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What a relay was publishing when it ended is published by another, with the same id, and nothing is lost."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message("1a", "a"), message("2a", "a"), message("1b", "b"), message("z")]
        await self.write(desk, *written)
        broker.hang(after=1, accepts=trial.draw(st.booleans()))
        await self._end(trial, broker, asyncio.ensure_future(desk.another().relay(broker)))
        broker.mend()
        await self.drained(desk, broker)
        expect_published(broker, written, once=False)

    @check("outbox-44")
    async def test_one_that_hangs(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What a relay is publishing no other publishes meanwhile, nor what is behind it."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message(f"{number}a", "a") for number in range(3)]
        await self.write(desk, *written)
        broker.hang()
        relaying = asyncio.ensure_future(desk.another().relay(broker, limit=2))
        await self._hangs(trial, broker)
        calm = RecordingBroker()
        expect("what another relay finds", await desk.another().relay(calm), 0)
        broker.mend()
        expect("what the first has published", await self.in_time(trial, "a relay", relaying), 2)
        await self.drained(desk, calm)
        expect("what was published", keyed([*broker.accepted, *calm.accepted]), {"a": ["0a", "1a", "2a"]})
        expect("how often", len(broker.accepted) + len(calm.accepted), 3)

    @check("outbox-45")
    async def test_holds_up_no_writer(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """While a relay waits for its broker, transactions write and commit, also with the same key."""
        desk, broker = trial.raw, RecordingBroker()
        await self.write(desk, message("1", "a"))
        broker.hang()
        relaying = asyncio.ensure_future(desk.another().relay(broker))
        await self._hangs(trial, broker)
        try:
            writing = self.write(desk, message("2", "a"), message("3"))
            await self.in_time(trial, "a write", asyncio.ensure_future(writing))
        finally:
            broker.mend()
            await self.in_time(trial, "a relay", relaying)
        await self.drained(desk, broker)
        expect_published(broker, [message("1", "a"), message("2", "a"), message("3")])

    @check("outbox-46")
    async def test_changed_too_late(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """Who changes what a relay is publishing waits for it, or is told that it is not there; it comes once."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message("1", "a"), message("2", "a"), message("3")]
        await self.write(desk, *written)
        broker.hang()
        relaying = asyncio.ensure_future(desk.another().relay(broker))
        await self._hangs(trial, broker)
        changing = asyncio.ensure_future(self._change(desk))
        try:
            await trial.elapse(self.tick)
        finally:
            broker.mend()
            await self.in_time(trial, "a relay", relaying)
            found = await self.in_time(trial, "a change", changing)
        expect("what could still be changed", found, [])
        await self.drained(desk, broker)
        expect_published(broker, written)
        expect("messages", sorted(each.message for each in broker.accepted), [each.message for each in written])

    @check("outbox-47")
    async def test_each_refusal_is_told(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """Who asks for refusals is told of each, and none is raised."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message("1", "a"), message("2", "b"), message("3", "c"), message("4", "a")]
        await self.write(desk, *written)
        broker.refuse("a", "b")
        told: list[MessagingError] = []
        expect("how many were published", await desk.outbox.relay(broker, on_refused=told.append), 1)
        expect("how many were refused", len(told), 2)
        expect("whether these are refusals", all(isinstance(each, BrokerRefusedError) for each in told), True)
        broker.mend()
        await self.drained(desk, broker)
        expect_published(broker, written)

    @check("outbox-48")
    async def test_away_comes_first(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """That a broker does not answer is raised, whatever it has refused besides."""
        desk, broker = trial.raw, RecordingBroker()
        await self.write(desk, message("1", "a"), message("2", "b"), message("3", "a"))
        broker.refuse("a")
        broker.fall_silent()
        told: list[MessagingError] = []
        await refused("relay", desk.outbox.relay(broker), BrokerUnavailableError)
        broker.mend()
        await self.drained(desk, broker)
        await self.write(desk, message("4", "a"), message("5", "b"))
        broker.refuse("a")
        broker.fall_silent()
        await refused("relay", desk.outbox.relay(broker, on_refused=told.append), BrokerUnavailableError)
        expect("how many were refused", len(told), 1)

    @check("outbox-49")
    async def test_a_full_broker(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """However much is refused, a call tries no more than twice its limit, and what is behind has its turn."""
        desk, broker = trial.raw, RecordingBroker()
        keys = [trial.draw(st.booleans()) for _ in range(9)]
        bad = [message(f"{number}", f"key {number}" if is_keyed else None) for number, is_keyed in enumerate(keys)]
        later = [message("a", "key 0"), message("b", "good"), message("c", "key 1")]
        await self.write(desk, *bad, *later)
        broker.refuse(None, *(f"key {number}" for number in range(9)))
        limit = trial.draw(st.integers(1, 4))
        told: list[MessagingError] = []
        for _ in range(2 * len(bad)):
            before = len(broker.tried)
            await desk.outbox.relay(broker, limit=limit, on_refused=told.append)
            expect("whether a call tries few", len(broker.tried) - before <= 2 * limit, True)
        expect("what was published", [each.id for each in broker.accepted], ["b"])
        broker.mend()
        await self.drained(desk, broker)
        expect_published(broker, [*bad, *later])

    @swept("outbox-31")
    async def test_interrupted_relay(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """A relay that is interrupted anywhere loses nothing and reorders nothing, and the next one goes on."""
        desk, broker = trial.raw, RecordingBroker()
        written = [message("1a", "a"), message("2a", "a"), message("1b", "b"), message("z")]
        await self.write(desk, *written)
        outcome = await trial.interrupt(desk.another().relay(broker))
        if outcome.finished:
            expect("what was published", outcome.value, 4)
            expect("what waits", await self.waiting(desk), [])
        await self.drained(desk, broker)
        expect_published(broker, written, once=outcome.finished)

    async def _change(self, desk: CheckedOutbox[TConnection]) -> list[str]:
        found: list[str] = []
        async with self.open_transaction(desk) as (connection, bound):
            try:
                await bound.update(message("1", "a", "other"))
                found.append("1")
            except EntityNotFoundError:
                pass
            found += [id for id in ("2", "3") if await bound.delete(id)]
            await desk.commit(connection)
        return found

    async def _hangs(self, trial: Trial[CheckedOutbox[TConnection]], broker: RecordingBroker) -> None:
        for _ in range(3000):
            if broker.hanging:
                return
            await asyncio.sleep(0.01 if self.real_time else self.tick)
        raise Broken(ConformanceMessages.OUTBOX_STUCK.format(ids="all"))

    async def _end(
        self, trial: Trial[CheckedOutbox[TConnection]], broker: RecordingBroker, relaying: "asyncio.Future[int]"
    ) -> None:
        await self._hangs(trial, broker)
        await trial.elapse(self.tick)
        relaying.cancel()
        await asyncio.wait((relaying,))
