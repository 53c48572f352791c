"""In which order rows are published, and that each is."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from hypothesis import strategies as st

from infra_conformance.outbox_base import Bound, CheckedOutbox, OutboxChecks, expect_published, message
from infra_conformance.proof import check
from infra_conformance.recording_broker import RecordingBroker
from infra_conformance.trial import Trial, expect
from infra_protocols.messaging import OutboxMessage

KEYS = st.sampled_from(["a", "b", None])


class OutboxOrderChecks[TConnection](OutboxChecks[TConnection]):
    """
    The checks of order, and of what meets: transactions, and relays.

    Type parameters:
        TConnection: a connection of the database.
    """

    @check("outbox-10")
    async def test_order(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """Rows of one key are published in the order in which they were written, each once."""
        desk, broker = trial.raw, RecordingBroker()
        transactions = trial.draw(st.lists(st.lists(KEYS, min_size=1, max_size=4), min_size=1, max_size=4))
        limit = trial.draw(st.integers(1, 5))
        written: list[OutboxMessage[str]] = []
        for keys in transactions:
            some = [message(f"m{len(written) + at}", key) for at, key in enumerate(keys)]
            await self.write(desk, *some)
            written += some
        while await desk.outbox.relay(broker, limit=limit):
            pass
        expect_published(broker, written)

    @check("outbox-11", requires="concurrent_writers")
    async def test_late_commit(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """What was written first and committed last is not skipped, and holds up no other key."""
        desk, broker = trial.raw, RecordingBroker()
        async with self.open_transaction(desk) as (early, bound):
            await bound.create(message("1", "a"))
            await bound.create(message("2"))
            await self.in_time(
                trial, "a write", asyncio.ensure_future(self.write(desk, message("3", "b"), message("4")))
            )
            expect("how many were published before", await desk.outbox.relay(broker), 2)
            await desk.commit(early)
        expect("how many were published after", await desk.outbox.relay(broker), 2)
        expect_published(broker, [message("1", "a"), message("2"), message("3", "b"), message("4")])

    @check("outbox-12", requires="concurrent_writers")
    async def test_other_order_of_commits(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """Rows of one key are published as they were written, also when their transactions commit in another order."""
        desk, broker = trial.raw, RecordingBroker()
        async with self.open_transaction(desk) as (early, bound):
            await bound.create(message("1", "a"))
            await self.in_time(trial, "a write", asyncio.ensure_future(self.write(desk, message("2", "a"))))
            await desk.outbox.relay(broker)
            await bound.create(message("3", "a"))
            await desk.commit(early)
        await self.write(desk, message("4", "a"))
        await self.drained(desk, broker)
        expect_published(broker, [message(id, "a") for id in "1234"])

    @check("outbox-13", requires="concurrent_writers")
    async def test_late_rollback(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """A row that waits for a transaction in front of it is published when that is rolled back."""
        desk, broker = trial.raw, RecordingBroker()
        async with self.open_transaction(desk) as (early, bound):
            await bound.create(message("1", "a"))
            await self.in_time(trial, "a write", asyncio.ensure_future(self.write(desk, message("2", "a"))))
            await desk.outbox.relay(broker)
            await desk.rollback(early)
        await self.drained(desk, broker)
        expect_published(broker, [message("2", "a")])

    @check("outbox-14")
    async def test_several_relays(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """However many relays there are, each row is published once, those of a key in order, while others write."""
        desk, broker = trial.raw, RecordingBroker()
        counts = trial.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        limits = trial.draw(st.lists(st.integers(1, 6), min_size=2, max_size=3))
        written = {
            key: [message(f"{key}{number}", None if key == "z" else key) for number in range(3 * count)]
            for key, count in zip("abz", counts, strict=False)
        }
        left = sum(len(each) for each in written.values())

        async def write(messages: list[OutboxMessage[str]]) -> None:
            for at in range(0, len(messages), 3):
                await self.write(desk, *messages[at : at + 3])

        async def relay(limit: int) -> None:
            outbox = desk.another()
            while len(broker.accepted) < left:
                if not await outbox.relay(broker, limit=limit):
                    await asyncio.sleep(0.02 * self.tick)

        async def all_of_it() -> None:
            parts: dict[str, Any] = {f"writer {key}": write(each) for key, each in written.items()}
            parts |= {f"relay {number}": relay(limit) for number, limit in enumerate(limits)}
            await trial.together(**parts)

        await self.in_time(trial, "writing and relaying", asyncio.ensure_future(all_of_it()))
        await self.drained(desk, broker)
        expect_published(broker, [each for some in written.values() for each in some])

    @check("outbox-20")
    async def test_any_interleaving(self, trial: Trial[CheckedOutbox[TConnection]]) -> None:
        """However transactions and relays take turns, what was committed is published, once, in order for each key."""
        desk, broker = trial.raw, RecordingBroker()
        writers = st.integers(0, 2 if self.concurrent_writers else 0)
        step = st.one_of(
            st.tuples(st.just("write"), writers, KEYS),
            st.tuples(st.just("write"), writers, KEYS),
            st.tuples(st.just("end"), writers, st.sampled_from(["commit", "commit", "rollback"])),
            st.tuples(st.just("relay"), st.integers(1, 4), st.none()),
        )
        steps = trial.draw(st.lists(step, min_size=3, max_size=25))
        order: list[OutboxMessage[str]] = []
        committed: list[str] = []
        open_ones: dict[int, tuple[AsyncExitStack, TConnection, Bound, list[str]]] = {}

        async def end(writer: int, how: str) -> None:
            if writer not in open_ones:
                return
            stack, connection, _, ids = open_ones.pop(writer)
            async with stack:
                trial.history.note(f"writer {writer}: {how} {ids}")
                if how == "commit":
                    await desk.commit(connection)
                    committed.extend(ids)
                else:
                    await desk.rollback(connection)

        async def take(kind: str, number: int, what: str | None) -> None:
            if kind == "relay":
                relaying = asyncio.ensure_future(desk.another().relay(broker, limit=number))
                if not self.concurrent_writers:  # the relay writes too: it may wait for the one that does
                    await end(0, "commit")
                count = await relaying
                trial.history.note(f"relay, at most {number}: {count}")
            elif kind == "end":
                await end(number, str(what))
            else:
                if number not in open_ones:
                    stack = AsyncExitStack()
                    connection, bound = await stack.enter_async_context(self.open_transaction(desk))
                    open_ones[number] = (stack, connection, bound, [])
                written = message(f"m{len(order)}", what)
                trial.history.note(f"writer {number}: {written.id} with key {what!r}")
                await open_ones[number][2].create(written)
                open_ones[number][3].append(written.id)
                order.append(written)

        try:
            for each in steps:
                await self.in_time(trial, "a step", asyncio.ensure_future(take(*each)))
        finally:
            for writer in list(open_ones):
                await end(writer, "commit")
        await self.drained(desk, broker)
        expect_published(broker, [each for each in order if each.id in committed])
