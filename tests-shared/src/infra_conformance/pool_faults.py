"""What a pool promises when connections cannot be made, or turn out to be dead."""

import asyncio
from itertools import pairwise
from typing import Final

from hypothesis import strategies as st

from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import DENIES, FAILS, HANGS, Act, Operation
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, expect_one_of
from infra_protocols.errors import PoolTimeoutError

BAD: Final = {
    "fails": FAILS,
    "hangs": HANGS,
    "cancels itself": Act(error=asyncio.CancelledError),
    "fails late": Act(seconds=0.5, error=ConnectionResetError),
}
"""How a call of the factory goes wrong; with a `factory_timeout` of a tick, within that time."""
TOGETHER: Final = 1e-6
"""Attempts that are no more than so many seconds apart are of one burst."""


class OutageChecks[T](PoolChecks[T]):
    """
    The checks of connections that cannot be made, or not in time.

    Type parameters:
        T: the connection.
    """

    @check("pool-30", validates="5.2", requires="scripted_factory")
    async def test_failed_create(self, trial: Trial[Pools[T]]) -> None:
        """A create that fails, hangs or cancels itself is tried again, and costs neither a borrower nor a place."""
        size, how = trial.draw(st.integers(1, 3)), trial.draw(st.sampled_from(list(BAD)))
        desk = await self.opened(trial, max_size=size, factory_timeout=self.tick, max_backoff=2 * self.tick)
        trial.history.note(f"create {how}, for a while")
        desk.script.follow(Operation.CREATE, [BAD[how]] * trial.draw(st.integers(1, 6)))
        waiters = [desk.ask(name) for name in "ABC"[:size]]
        await trial.elapse(20 * self.tick)
        await desk.settled()
        for waiter in waiters:
            self.has("who waits since before the failure", waiter)
            desk.release(waiter.result().unwrap())
        await desk.has_all()

    @check("pool-31", validates="5.2", requires="scripted_factory")
    async def test_hung_create(self, trial: Trial[Pools[T]]) -> None:
        """A create that hangs is called off after `factory_timeout`, and no later."""
        desk = await self.opened(trial, max_size=1, factory_timeout=3 * self.tick, max_backoff=self.tick)
        desk.script.follow(Operation.CREATE, [HANGS])
        waiter = desk.ask("A", 20 * self.tick)
        await trial.elapse(3 * self.tick - self.slack)
        expect("pending while it hangs", (await desk.settled()).pending, 1)
        await trial.elapse(self.tick + 2 * self.slack)
        await desk.settled()
        self.has("who waited", waiter)

    @check("pool-32", validates="5.2", requires="scripted_factory")
    async def test_late_create(self, trial: Trial[Pools[T]]) -> None:
        """A connection that is made too late for the one who waited, or although it was called off, is not lost."""
        seconds, stubborn = trial.draw(st.sampled_from([(3, False), (3, True), (6, True)]))
        desk = await self.opened(trial, max_size=1, factory_timeout=5 * self.tick)
        desk.script.follow(Operation.CREATE, [Act(seconds=seconds * self.tick, stubborn=stubborn)])
        answer = await self.lasts("acquire", desk.acquire(2 * self.tick), 2 * self.tick)
        self.is_refused("acquire before the connection is made", answer, PoolTimeoutError)
        await trial.elapse(8 * self.tick)
        await desk.settled()
        await desk.has_all()

    @check("pool-33", validates="5.3", requires="scripted_factory")
    async def test_one_deadline(self, trial: Trial[Pools[T]]) -> None:
        """A borrower has one deadline, for its turn, and for all that is made and validated for it."""
        wait, denied, create = trial.draw(st.tuples(st.sampled_from([0, 1, 2]), st.booleans(), st.integers(1, 4)))
        needs = wait + 2 + (1 + create if denied else 0)
        spare = trial.draw(st.sampled_from([-0.5, 0.5]))
        desk = await self.opened(trial, max_size=1, reset=True, validation_interval=0.0, factory_timeout=9 * self.tick)
        lease = await desk.take()
        desk.script.acts |= {
            Operation.RESET: Act(seconds=self.tick),
            Operation.VALIDATE: Act(seconds=self.tick, answer=not denied),
            Operation.DESTROY: Act(seconds=self.tick),
            Operation.CREATE: Act(seconds=create * self.tick),
        }
        asked, timeout = trial.time(), (needs + spare) * self.tick
        waiter = desk.ask("B", timeout)
        await trial.elapse(wait * self.tick)
        desk.release(lease)
        answer = await waiter
        took = trial.time() - asked
        expect("whether there is an answer in time", took <= timeout + self.slack, True)
        if answer.is_err() or spare > 0:
            expect("whether there was time enough", answer.is_ok(), spare > 0)
        if answer.is_err():
            expect("whether all the time was waited for", took >= timeout - self.slack, True)

    @check("pool-34", validates="5.3", requires="scripted_factory")
    async def test_cause(self, trial: Trial[Pools[T]]) -> None:
        """Who got nothing in time is told why, if the last attempt to make a connection failed, and only then."""
        desk = await self.opened(trial, max_size=1, factory_timeout=self.tick, max_backoff=self.tick)
        for act, cause in ((FAILS, ConnectionResetError), (HANGS, TimeoutError)):
            desk.script.acts[Operation.CREATE] = act
            error = self.is_refused("acquire in an outage", await desk.acquire(4 * self.tick), PoolTimeoutError)
            if not isinstance(error.__cause__, cause):
                expect("class of the cause", type(error.__cause__), cause)
        desk.script.recover()
        await trial.elapse(2 * self.tick)
        lease = await desk.take()
        error = self.is_refused("acquire after the outage", await desk.acquire(2 * self.tick), PoolTimeoutError)
        expect("cause after the outage", error.__cause__, None)
        desk.release(lease)

    @check("pool-35", requires="scripted_factory")
    async def test_spaced_out(self, trial: Trial[Pools[T]]) -> None:
        """In an outage attempts are spaced out, more and more up to `max_backoff`, however many wait."""
        desk = await self.opened(
            trial, max_size=5, backoff=0.1 * self.tick, max_backoff=5 * self.tick, acquire_timeout=500 * self.tick
        )
        desk.script.acts[Operation.CREATE] = trial.draw(st.sampled_from([FAILS, BAD["cancels itself"]]))
        crowd = [desk.ask() for _ in range(50)]
        await trial.elapse(100 * self.tick)
        tried = desk.watch.calls[Operation.CREATE]
        expect("whether there were no more than 100 attempts in 100 ticks", len(tried) <= 100, True)
        gaps = [later - earlier for earlier, later in pairwise(tried)]
        first = next(gap for gap in gaps if gap > TOGETHER)
        expect("whether the first pause is no longer than backoff", first <= 0.15 * self.tick, True)
        expect("whether none is longer than max_backoff", max(gaps) <= 5.05 * self.tick, True)
        expect("how many have an answer", sum(waiter.done() for waiter in crowd), 0)
        await desk.settled()

    @check("pool-36", requires="scripted_factory")
    async def test_half_open(self, trial: Trial[Pools[T]]) -> None:
        """After a failure one attempt is made at a time, until one is good."""
        desk = await self.opened(trial, max_size=5, max_backoff=0.1 * self.tick, backoff=0.1 * self.tick)
        desk.script.acts[Operation.CREATE] = Act(seconds=self.tick, error=ConnectionResetError)
        waiters = [desk.ask() for _ in range(5)]
        await trial.elapse(1.5 * self.tick)
        for _ in range(8):
            expect_one_of("connections being made", (await desk.settled()).pending, [0, 1])
            await trial.elapse(0.3 * self.tick)
        expect("how many have an answer", sum(waiter.done() for waiter in waiters), 0)

    @check("pool-37", requires="scripted_factory")
    async def test_recovery(self, trial: Trial[Pools[T]]) -> None:
        """The first connection that can be made ends an outage: all who wait have one at once, none got an error."""
        desk = await self.opened(
            trial, max_size=5, backoff=self.tick, max_backoff=4 * self.tick, acquire_timeout=500 * self.tick
        )
        desk.script.acts[Operation.CREATE] = FAILS
        waiters = [desk.ask() for _ in range(5)]
        await trial.elapse(trial.draw(st.sampled_from([0.0, 3.0, 50.0])) * self.tick)
        desk.script.recover()
        await trial.elapse(4 * self.tick + self.slack)
        for waiter in waiters:
            self.has("who waited through the outage", waiter)
        await desk.settled()
        desk.script.acts[Operation.CREATE] = FAILS
        for lease in desk.out.copy():
            desk.release(lease)
        await desk.has_all()


class DeadChecks[T](PoolChecks[T]):
    """
    The checks of connections that are dead, or that the factory fails at.

    Type parameters:
        T: the connection.
    """

    @check("pool-40", validates="5.2", requires="scripted_factory")
    async def test_validation(self, trial: Trial[Pools[T]]) -> None:
        """A connection that was not used for `validation_interval` is validated before it is lent, and not sooner."""
        interval = 5 * self.tick
        desk = await self.filled(trial, 1, max_size=1, validation_interval=interval)
        validated = desk.watch.calls[Operation.VALIDATE]
        for pause, times in ((interval - self.tick, 0), (interval + self.tick, 1), (0, 1), (interval + self.tick, 2)):
            await trial.elapse(pause)
            lease = await desk.take()
            expect("how often it was validated", len(validated), times)
            await trial.elapse(2 * interval)
            desk.release(lease)
            await desk.settled()

    @check("pool-41", validates="5.2", requires="scripted_factory")
    async def test_validation_every_time(self, trial: Trial[Pools[T]]) -> None:
        """With an interval of 0 every connection is validated before each loan, one that is handed on included."""
        desk = await self.filled(trial, 1, max_size=1, validation_interval=0.0)
        validated = desk.watch.calls[Operation.VALIDATE]
        lease = await desk.take()
        expect("how often it was validated, from idle", len(validated), 1)
        waiter = desk.ask("B")
        await desk.settled()
        desk.release(lease)
        await desk.settled()
        self.has("who waited", waiter)
        expect("how often it was validated, handed on", len(validated), 2)

    @check("pool-42", validates="5.2", requires="scripted_factory")
    async def test_invalid(self, trial: Trial[Pools[T]]) -> None:
        """Where `validate` says no, raises, hangs or cancels itself, another connection is lent, and that destroyed."""
        how = trial.draw(st.sampled_from(["denies", *BAD]))
        count = trial.draw(st.integers(1, 3))
        desk = await self.filled(trial, 1, max_size=count, validation_interval=0.0, factory_timeout=self.tick)
        trial.history.note(f"validate {how}, once")
        desk.script.follow(Operation.VALIDATE, [BAD.get(how, DENIES)])
        bad = desk.watch.seen[0]
        lease = await desk.take(5 * self.tick)
        await desk.settled()
        expect("whether another is lent", lease.connection is not bad.connection, True)
        expect("whether it was destroyed", bad.ended, True)
        desk.release(lease)
        await desk.has_all()

    @check("pool-43", validates="5.2", requires="scripted_factory")
    async def test_dead_while_idle(self, trial: Trial[Pools[T]]) -> None:
        """A connection that has died while it was idle is not lent: those who come get others, without an error."""
        count = trial.draw(st.integers(1, 4))
        desk = await self.filled(trial, count, max_size=count)
        for index in trial.draw(st.sets(st.integers(0, count - 1), min_size=1)):
            desk.kill(desk.watch.seen[index].connection)
        await desk.has_all()

    @check("pool-44", validates="5.2", requires="scripted_factory")
    async def test_dead_while_out(self, trial: Trial[Pools[T]]) -> None:
        """A connection that has died while it was out is lent to nobody, be it to who waits or to who comes later."""
        desk = await self.opened(trial, max_size=1, reset=trial.draw(st.booleans()))
        lease = await desk.take()
        dead = lease.connection
        waiter = desk.ask("B") if trial.draw(st.booleans()) else None
        await desk.settled()
        desk.kill(dead)
        desk.release(lease)
        await desk.settled()
        again = await desk.take() if waiter is None else (await waiter).unwrap()
        expect("whether another is lent", again.connection is not dead, True)
        desk.release(again)
        await desk.has_all()

    @check("pool-45", validates="5.2", requires="scripted_factory")
    async def test_dies_on_the_way(self, trial: Trial[Pools[T]]) -> None:
        """A connection that dies while it is reset or validated is not lent, though that goes well."""
        operation, interval = trial.draw(st.sampled_from([(Operation.RESET, 30.0), (Operation.VALIDATE, 0.0)]))
        desk = await self.opened(trial, max_size=1, reset=True, validation_interval=interval * self.tick)
        lease = await desk.take()
        dead = lease.connection
        desk.script.follow(operation, [Act(seconds=self.tick)])
        waiter = desk.ask("B")
        await desk.settled()
        desk.release(lease)
        await trial.elapse(0.5 * self.tick)
        desk.kill(dead)
        await trial.elapse(self.tick)
        await desk.settled()
        self.has("who waited", waiter)

    @check("pool-46", validates="5.2", requires="scripted_factory")
    async def test_is_alive_raises(self, trial: Trial[Pools[T]]) -> None:
        """A connection of which `is_alive` raises counts as dead, and costs nobody anything."""
        desk = await self.filled(trial, 2, max_size=2)
        desk.script.follow(Operation.IS_ALIVE, [Act(error=OSError)] * trial.draw(st.integers(1, 3)))
        lease = await desk.take()
        desk.release(lease)
        await desk.settled()
        await desk.has_all()

    @check("pool-47", validates="5.2", requires="scripted_factory")
    async def test_reset(self, trial: Trial[Pools[T]]) -> None:
        """A connection is reset each time it comes back, before anybody else has it."""
        desk = await self.opened(trial, max_size=1, reset=True)
        resets = desk.watch.calls[Operation.RESET]
        desk.script.acts[Operation.RESET] = Act(seconds=self.tick)
        lease = await desk.take()
        for times in range(3):
            waiter = desk.ask("B")
            await desk.settled()
            expect("how often it was reset", len(resets), times)
            desk.release(lease)
            await desk.settled()
            self.waits("who waits, while it is reset", waiter)
            lease = (await waiter).unwrap()
        desk.release(lease)
        await desk.settled()
        expect("how often it was reset, in the end", len(resets), 4)
        self.is_refused("acquire with no time, while it is reset", await desk.acquire(0), PoolTimeoutError)
        await trial.elapse(2 * self.tick)
        await desk.has_all()

    @check("pool-48", validates="5.2", requires="scripted_factory")
    async def test_failed_reset(self, trial: Trial[Pools[T]]) -> None:
        """A connection whose reset fails, hangs or cancels itself is destroyed, and who waits gets another."""
        how = trial.draw(st.sampled_from(list(BAD)))
        desk = await self.opened(trial, max_size=1, reset=True, factory_timeout=self.tick)
        lease = await desk.take()
        waiter = desk.ask("B") if trial.draw(st.booleans()) else None
        await desk.settled()
        trial.history.note(f"reset {how}, once")
        desk.script.follow(Operation.RESET, [BAD[how]])
        desk.release(lease)
        await trial.elapse(2 * self.tick)
        await desk.settled()
        expect("whether it was destroyed", desk.watch.seen[0].ended, True)
        if waiter is not None:
            self.has("who waits", waiter)
            desk.release(waiter.result().unwrap())
        await desk.has_all()

    @check("pool-49", validates="5.2", requires="scripted_factory")
    async def test_failed_destroy(self, trial: Trial[Pools[T]]) -> None:
        """A destroy that fails, hangs or cancels itself keeps nobody waiting beyond `factory_timeout`."""
        how, size = trial.draw(st.sampled_from(list(BAD))), trial.draw(st.integers(1, 2))
        desk = await self.filled(trial, size, max_size=size, factory_timeout=self.tick)
        trial.history.note(f"destroy {how}")
        desk.script.acts[Operation.DESTROY] = BAD[how]
        for seen in desk.watch.seen:
            desk.kill(seen.connection)
        waiters = [desk.ask(name) for name in "AB"[:size]]
        await trial.elapse(self.tick + self.slack)
        for waiter in waiters:
            self.has("who waits", waiter)
            desk.release(waiter.result().unwrap())
        await desk.settled()
        await desk.has_all()

    @check("pool-59", validates="5.2", requires="scripted_factory")
    async def test_failures_are_counted(self, trial: Trial[Pools[T]]) -> None:
        """`info` counts that `validate` or `reset` went wrong with a connection; who had it before is told, too."""
        operation, how = trial.draw(
            st.tuples(st.sampled_from([Operation.VALIDATE, Operation.RESET]), st.sampled_from(list(BAD)))
        )
        desk = await self.filled(trial, 1, max_size=1, reset=True, validation_interval=0.0, factory_timeout=self.tick)
        lease = await desk.take()
        expect("health_check_failures of one that was reset and validated", lease.info.health_check_failures, 0)
        trial.history.note(f"{operation.value} {how}, once")
        desk.script.follow(operation, [BAD[how]])
        desk.release(lease)
        other = await desk.take(5 * self.tick)
        expect("health_check_failures, of who had it", lease.info.health_check_failures, 1)
        expect("health_check_failures of the one in its place", other.info.health_check_failures, 0)
        desk.release(other)
        await desk.has_all()
