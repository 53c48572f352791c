"""What a pool promises of its beginning and its end."""

import asyncio

from hypothesis import strategies as st

from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Desk, Pools
from infra_conformance.pool_faults import BAD
from infra_conformance.pool_script import FAILS, Act, Operation
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import PoolClosedError
from infra_protocols.pool import PoolStats


class OpeningChecks[T](PoolChecks[T]):
    """
    The checks of opening.

    Type parameters:
        T: the connection.
    """

    @check("pool-55", validates="5.2")
    async def test_open(self, trial: Trial[Pools[T]]) -> None:
        """An open pool has `min_size` connections, which are there when `open` returns; to open it again is nothing."""
        least = trial.draw(st.integers(0, 3))
        desk = self.desk(trial, min_size=least, max_size=3)
        await desk.pool.open()
        expect("idle when open returned", desk.raw.stats(), PoolStats(idle=least, total=least))
        await desk.pool.open()
        expect("idle when it returned again", (await desk.settled()).idle, least)
        await desk.has_all()

    @check("pool-56", validates="5.2", requires="scripted_factory")
    async def test_open_in_an_outage(self, trial: Trial[Pools[T]]) -> None:
        """`open` tries once for each of `min_size`, raises nothing when that goes wrong, and tries again later."""
        how = trial.draw(st.sampled_from(list(BAD)))
        desk = self.desk(trial, min_size=2, max_size=3, factory_timeout=self.tick, max_backoff=self.tick)
        trial.history.note(f"create {how}")
        desk.script.acts[Operation.CREATE] = BAD[how]
        opening = desk.run(desk.pool.open())
        await trial.elapse(self.tick + self.slack)
        expect("whether open has returned", opening.done(), True)
        await opening
        desk.script.recover()
        await trial.elapse(5 * self.tick)
        expect("idle, later", (await desk.settled()).idle, 2)
        await desk.has_all()

    @check("pool-57")
    async def test_closed_for_good(self, trial: Trial[Pools[T]]) -> None:
        """A pool that was closed lends nothing, has nothing and cannot be opened; to close it again is nothing."""
        desk = await self.filled(trial, 1, max_size=2)
        await desk.close()

        async def enter() -> None:
            async with desk.pool.connection():
                pass

        async def resize() -> None:
            desk.pool.resize(1, 2)

        for timeout in (0, 5 * self.tick):
            answer = await self.lasts("acquire after close", desk.acquire(timeout), 0)
            self.is_refused("acquire after close", answer, PoolClosedError)
        await refused("connection after close", enter(), PoolClosedError)
        await refused("resize after close", resize(), PoolClosedError)
        await refused("open after close", desk.pool.open(), PoolClosedError)
        await self.lasts("close after close", desk.close(), 0)
        expect("stats after close", await desk.settled(), PoolStats())

    @check("pool-58")
    async def test_context_manager(self, trial: Trial[Pools[T]]) -> None:
        """As a context manager a pool opens and closes itself, whatever happens in the body."""
        desk, fails = self.desk(trial, min_size=1), trial.draw(st.booleans())

        async def body() -> None:
            async with desk.raw as pool:
                expect("whether it enters as itself", pool is desk.raw, True)
                expect("idle in the body", (await desk.settled()).idle, 1)
                if fails:
                    raise KeyError("body")

        if fails:
            await refused("a body that raises", body(), KeyError)
        else:
            await body()
        expect("stats after the body", await desk.settled(), PoolStats())


class ClosingChecks[T](PoolChecks[T]):
    """
    The checks of closing.

    Type parameters:
        T: the connection.
    """

    async def closing(self, desk: Desk[T], timeout: float | None = None) -> "asyncio.Task[None]":
        """Begin to close, and let that come to rest."""
        task = desk.run(desk.close(timeout))
        await desk.settled()
        return task

    @check("pool-80")
    async def test_close_turns_away(self, trial: Trial[Pools[T]]) -> None:
        """As a close begins whoever waits gets a `PoolClosedError`, and nobody who comes gets anything."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        waiters = [desk.ask(name) for name in "AB"]
        await desk.settled()
        closing = await self.closing(desk)
        for waiter in waiters:
            expect("whether who waited has an answer", waiter.done(), True)
            self.is_refused("acquire of who waited", waiter.result(), PoolClosedError)
        self.is_refused("acquire of who comes", await desk.acquire(), PoolClosedError)
        self.waits("close, with one out", closing)
        desk.release(lease)
        await closing
        self.is_refused("acquire of who comes later", await desk.acquire(), PoolClosedError)

    @check("pool-81")
    async def test_close_drains(self, trial: Trial[Pools[T]]) -> None:
        """A close ends what is idle at once, waits for what is out, and ends as the last of it comes back."""
        desk = await self.opened(trial, max_size=3, reset=trial.draw(st.booleans()))
        leases = [await desk.take() for _ in range(3)]
        desk.release(leases.pop())
        await desk.settled()
        closing = await self.closing(desk, 600 * self.tick)
        expect("total as it begins", (await desk.settled()).total, 2)
        for left in (1, 0):
            await trial.elapse(2 * self.tick)
            self.waits("close, with one out", closing)
            expect("whether a lease is still good", leases[-1].connection is not None, True)
            desk.release(leases.pop())
            expect("total, as one comes back", (await desk.settled()).total, left)
        expect("whether close has ended", closing.done(), True)

    @check("pool-82")
    async def test_close_forces(self, trial: Trial[Pools[T]]) -> None:
        """When its time is over a close destroys what is out all the same, and a late release does no harm."""
        timeout = trial.draw(st.sampled_from([None, 0, 3]))
        desk = await self.opened(trial, max_size=2, close_timeout=5 * self.tick, reset=trial.draw(st.booleans()))
        leases = [await desk.take(), await desk.take()]
        seconds = (5 if timeout is None else timeout) * self.tick
        await self.lasts("close", desk.close(None if timeout is None else seconds), seconds)
        expect("stats after close", await desk.settled(), PoolStats())
        for lease in leases:
            desk.release(lease)
        expect("stats after a late release", await desk.settled(), PoolStats())

    @check("pool-83", requires="scripted_factory")
    async def test_close_amid(self, trial: Trial[Pools[T]]) -> None:
        """A close ends what is being made, validated, reset or destroyed, however that goes, within its time."""
        operation = trial.draw(st.sampled_from(list(Operation)[:4]))
        how = trial.draw(st.sampled_from(list(BAD)))
        desk = await self.filled(
            trial, 1, max_size=1, reset=True, validation_interval=5 * self.tick, factory_timeout=2 * self.tick
        )
        trial.history.note(f"{operation.value} {how}")
        desk.script.acts[operation] = BAD[how]
        if operation in (Operation.CREATE, Operation.DESTROY):
            desk.kill(desk.watch.seen[0].connection)
        await trial.elapse(6 * self.tick if operation is Operation.VALIDATE else 0)
        waiter = desk.ask("B")
        await desk.settled()
        if operation is Operation.RESET:
            desk.release(waiter.result().unwrap())
            await desk.settled()
        began = trial.time()
        await desk.close(3 * self.tick)
        took = trial.time() - began
        expect("whether it closed within close and twice the factory's time", took <= 7 * self.tick + self.slack, True)
        expect("stats after close", await desk.settled(), PoolStats())

    @check("pool-84", requires="scripted_factory")
    async def test_close_in_an_outage(self, trial: Trial[Pools[T]]) -> None:
        """A close in an outage turns away who waits, and no attempt to connect is made from then on."""
        desk = await self.opened(trial, max_size=2, max_backoff=self.tick)
        desk.script.acts[Operation.CREATE] = FAILS
        waiter = desk.ask("A")
        await trial.elapse(3 * self.tick)
        await self.lasts("close", desk.close(), 0)
        self.is_refused("acquire of who waited", waiter.result(), PoolClosedError)
        tried = len(desk.watch.calls[Operation.CREATE])
        await trial.elapse(20 * self.tick)
        expect("attempts after close", len(desk.watch.calls[Operation.CREATE]) - tried, 0)

    @check("pool-85")
    async def test_close_concurrently(self, trial: Trial[Pools[T]]) -> None:
        """Two closes at the same time both end, when there is nothing left."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        closings = [await self.closing(desk, 600 * self.tick) for _ in range(2)]
        desk.release(lease)
        await asyncio.gather(*closings)
        expect("stats after close", await desk.settled(), PoolStats())

    @check("pool-86", requires="scripted_factory")
    async def test_close_with_late_create(self, trial: Trial[Pools[T]]) -> None:
        """A connection that is made although it was called off by a close is destroyed."""
        desk = await self.opened(trial, max_size=1)
        desk.script.follow(Operation.CREATE, [Act(seconds=2 * self.tick, stubborn=True)])
        waiter = desk.ask("A")
        await trial.elapse(self.tick)
        await desk.close()
        self.is_refused("acquire of who waited", await waiter, PoolClosedError)
        await trial.elapse(3 * self.tick)
        expect("connections left", len(desk.watch.living()), 0)
        expect("connections made", len(desk.watch.seen), 1)
