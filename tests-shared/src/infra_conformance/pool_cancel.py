"""What a pool promises of calls that are cancelled, wherever they are."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

from hypothesis import strategies as st

from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Desk, Pools
from infra_conformance.pool_script import Act, Operation
from infra_conformance.proof import check, swept
from infra_conformance.trial import Trial, expect
from infra_protocols.errors import PoolClosedError
from infra_protocols.pool import PoolStats


class CancelChecks[T](PoolChecks[T]):
    """
    The checks of calls that are cancelled at each point where they wait.

    Type parameters:
        T: the connection.
    """

    async def sound(self, desk: Desk[T]) -> None:
        """See that nothing was lost, after what is out has come back."""
        await desk.settled()
        while desk.out:
            desk.release(desk.out[0])
            await desk.settled()
        await desk.has_all()

    @swept("pool-61", validates="5.3")
    async def test_interrupted_acquire(self, trial: Trial[Pools[T]]) -> None:
        """An acquire that is interrupted while its connection is made costs neither the pool nor the next borrower."""
        desk = await self.opened(trial, max_size=1)
        if self.scripted_factory:
            desk.script.acts[Operation.CREATE] = Act(seconds=self.tick)
        await trial.interrupt(desk.acquire())
        await self.sound(desk)

    @swept("pool-62", validates="5.3")
    async def test_interrupted_turn(self, trial: Trial[Pools[T]]) -> None:
        """An acquire that is interrupted while it waits, or as its connection comes, passes it on to the next."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        first = desk.run(_interrupted(trial, desk.acquire()))
        await desk.settled()
        second = desk.ask("B")
        await desk.settled()
        desk.release(lease)
        await first
        for each in desk.out.copy():
            desk.release(each)
        (await second).unwrap()
        await self.sound(desk)

    @check("pool-63", validates="5.3")
    async def test_cancelled_at_hand_off(self, trial: Trial[Pools[T]]) -> None:
        """Who is cancelled just before, or just after, it is handed a connection leaves it to the next."""
        desk = await self.opened(trial, max_size=2, reset=trial.draw(st.booleans()))
        leases = [await desk.take(), await desk.take()]
        waiters = [desk.ask(name) for name in "ABCD"]
        await desk.settled()
        leavers = [waiters[index] for index in trial.draw(st.sets(st.integers(0, 2), max_size=2))]
        before = trial.draw(st.booleans())
        turns = trial.draw(st.integers(0, 3))
        if before:
            for leaver in leavers:
                leaver.cancel()
        for lease in leases:
            desk.release(lease)
        for _ in range(turns):
            await asyncio.sleep(0)
        if not before:
            for leaver in leavers:
                leaver.cancel()
        await desk.settled()
        served = [waiter for waiter in waiters if waiter.done() and not waiter.cancelled()]
        expect("how many have a connection", len(served), min(2, 4 - sum(each.cancelled() for each in waiters)))
        await self.sound(desk)

    @swept("pool-64", validates="5.3", requires="scripted_factory")
    async def test_interrupted_validation(self, trial: Trial[Pools[T]]) -> None:
        """An acquire that is interrupted while its connection is validated leaves it to the next."""
        desk = await self.filled(trial, 1, max_size=1, validation_interval=0.0)
        await trial.interrupt(desk.acquire())
        await self.sound(desk)

    @swept("pool-65", validates="5.4")
    async def test_interrupted_connection(self, trial: Trial[Pools[T]]) -> None:
        """A `connection` that is interrupted, on entering, in its body or on leaving, gives back what it has."""
        desk = await self.opened(trial, max_size=1, reset=True)

        async def use() -> None:
            async with desk.connection():
                await asyncio.sleep(0)

        await trial.interrupt(use())
        await self.sound(desk)

    @swept("pool-66")
    async def test_interrupted_open(self, trial: Trial[Pools[T]]) -> None:
        """An open that is interrupted closes the pool, and leaves no connection."""
        desk = self.desk(trial, min_size=3, max_size=3)
        outcome = await trial.interrupt(desk.pool.open())
        if outcome.finished:
            await self.sound(desk)
            return
        desk.closed = True
        await trial.elapse(self.tick)
        self.is_refused("acquire after an open that was interrupted", await desk.acquire(), PoolClosedError)
        expect("stats afterwards", await desk.settled(), PoolStats())
        expect("connections left", len(desk.watch.living()), 0)

    @swept("pool-67")
    async def test_interrupted_close(self, trial: Trial[Pools[T]]) -> None:
        """A close that is interrupted does no less than one whose time is over."""
        desk = await self.opened(trial, max_size=3)
        leases = [await desk.take(), await desk.take()]
        desk.release(leases.pop())
        desk.watch.may_force = -math.inf
        await trial.interrupt(desk.close(10 * self.tick))
        await trial.elapse(self.tick)
        expect("stats afterwards", await desk.settled(), PoolStats())
        expect("connections left", len(desk.watch.living()), 0)
        self.is_refused("acquire afterwards", await desk.acquire(), PoolClosedError)
        for lease in leases:
            desk.release(lease)
        expect("stats after a late release", await desk.settled(), PoolStats())

    @swept("pool-68", requires="scripted_factory")
    async def test_interrupted_close_of_busy(self, trial: Trial[Pools[T]]) -> None:
        """A close that is interrupted while connections are made and destroyed leaves none of them."""
        desk = await self.filled(trial, 1, max_size=2)
        desk.script.acts |= {
            Operation.CREATE: Act(seconds=3 * self.tick),
            Operation.DESTROY: Act(seconds=self.tick),
        }
        await desk.take()
        waiter = desk.ask("B")
        await desk.settled()
        desk.watch.may_force = -math.inf
        await trial.interrupt(desk.close(2 * self.tick))
        await trial.elapse(5 * self.tick)
        self.is_refused("acquire of who waited", await waiter, PoolClosedError)
        expect("stats afterwards", await desk.settled(), PoolStats())
        expect("connections left", len(desk.watch.living()), 0)


async def _interrupted(trial: Trial[Any], call: Coroutine[Any, Any, object]) -> None:
    await trial.interrupt(call)
