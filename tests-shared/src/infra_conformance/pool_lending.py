"""What a pool promises of a borrow: what a lease is good for, who is turned away, and when."""

import asyncio
import inspect
import math
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import Act, Operation
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import (
    PoolClosedError,
    PoolExhaustedError,
    PoolLeaseError,
    PoolTimeoutError,
    ValidationError,
)
from infra_protocols.pool import ConnectionPoolProtocol, PoolStats
from infra_protocols.status import ConnectionStatus

BAD_TIMEOUTS: Final = (-1, -0.001, math.nan, -math.inf)


class LendingChecks[T](PoolChecks[T]):
    """
    The checks of borrowing and giving back.

    Type parameters:
        T: the connection.
    """

    @check("pool-01", validates="5.1 5.2")
    async def test_it_is_a_pool(self, trial: Trial[Pools[T]]) -> None:
        """It has the methods of a ConnectionPoolProtocol, with its parameter names."""
        desk = self.desk(trial)
        pool: Any = desk.raw
        expect("isinstance(pool, ConnectionPoolProtocol)", isinstance(pool, ConnectionPoolProtocol), True)
        for name, wanted in (
            ("open", []),
            ("close", ["timeout"]),
            ("connection", ["timeout"]),
            ("acquire", ["timeout"]),
            ("release", ["lease"]),
            ("resize", ["min_size", "max_size"]),
            ("stats", []),
        ):
            parameters: list[str] = list(inspect.signature(getattr(desk.raw, name)).parameters)
            expect(f"parameters of {name}", parameters[: len(wanted)], list[str](wanted))

    # **Feature: infrastructure-generics-review-2025, Property 7: Pool Acquire-Release Round-Trip**
    # **Validates: Requirements 5.3, 5.4**
    @check("pool-02", validates="5.3 5.4")
    async def test_round_trip(self, trial: Trial[Pools[T]]) -> None:
        """To borrow and give back leaves a pool, whatever its state, with as many connections as before."""
        idle, lent = trial.draw(st.tuples(st.integers(1, 3), st.integers(0, 3)))
        desk = await self.opened(trial, max_size=idle + lent, reset=trial.draw(st.booleans()))
        leases = [await desk.take() for _ in range(idle + lent)]
        for lease in leases[lent:]:
            desk.release(lease)
        before = await desk.settled("stats before")
        for managed in trial.draw(st.lists(st.booleans(), min_size=1, max_size=3)):
            if managed:
                async with desk.connection():
                    during = await desk.settled("stats during")
            else:
                lease = await desk.take()
                during = await desk.settled("stats during")
                desk.release(lease)
            expect("total during", (during.total, during.in_use), (before.total, before.in_use + 1))
            expect("stats afterwards", await desk.settled("stats afterwards"), before)

    @check("pool-03", validates="5.4")
    async def test_connection(self, trial: Trial[Pools[T]]) -> None:
        """`connection` gives back whatever happens in its body, and passes on what is raised there."""
        desk = await self.opened(trial, max_size=1)

        async def fails() -> None:
            async with desk.connection():
                raise KeyError("body")

        async with desk.connection() as first:
            expect("in_use in the body", (await desk.settled()).in_use, 1)
        await refused("a body that raises", fails(), KeyError)
        async with desk.connection():
            holder = desk.run(fails())
            await desk.settled()
            self.waits("one who comes meanwhile", holder)
        await refused("a body that raises", holder, KeyError)
        async with desk.connection() as last:
            expect("whether it is the same connection", last is first, True)
        await desk.has_all()

    @check("pool-04", validates="5.4")
    async def test_cancelled_body(self, trial: Trial[Pools[T]]) -> None:
        """A borrower who is cancelled in the body of `connection` gives back, and stays cancelled."""
        desk = await self.opened(trial, max_size=1)

        async def works() -> None:
            async with desk.connection():
                await asyncio.sleep(math.inf)

        task = desk.run(works())
        await desk.settled()
        task.cancel()
        await asyncio.wait((task,))
        expect("whether the borrower was cancelled", task.cancelled(), True)
        await desk.settled()
        await desk.has_all()

    @check("pool-05", validates="5.1 5.3")
    async def test_lease(self, trial: Trial[Pools[T]]) -> None:
        """A lease has its connection until it is given back, and refuses it from then on."""
        desk = await self.opened(trial, max_size=2)
        one, other = await desk.take(), await desk.take()
        expect("whether two leases have the same", one.connection is other.connection, False)
        expect("whether a lease keeps its own", one.connection is one.connection, True)
        desk.release(one)

        async def look() -> T:
            return one.connection

        await refused("the connection of a lease that was given back", look(), PoolLeaseError)
        again = await desk.take()
        await refused("the same, while somebody else has it", look(), PoolLeaseError)
        desk.release(again)

    @check("pool-06", validates="5.3")
    async def test_release_twice(self, trial: Trial[Pools[T]]) -> None:
        """A second release is an `Err`, whichever way, and changes nothing: nobody gets the connection twice."""
        desk = await self.opened(trial, max_size=2)
        lease, other = await desk.take(), await desk.take()
        expect("first release", desk.release(lease).is_ok(), True)
        before = await desk.settled()
        for answer in (desk.release(lease), lease.release()):
            expect("whether a second release is an Err", answer.is_err(), True)
            expect("class of its error", type(answer.unwrap_err()), PoolLeaseError)
            expect("stats after a second release", await desk.settled(), before)
        desk.release(other)
        await desk.has_all()

    @check("pool-07", validates="5.3")
    async def test_stale_release(self, trial: Trial[Pools[T]]) -> None:
        """A lease given back again while somebody else has its connection, or waits for it, takes it from nobody."""
        desk = await self.opened(trial, max_size=1)
        stale = await desk.take()
        desk.release(stale)
        lease = await desk.take()
        waiter = desk.ask("B")
        await desk.settled()
        expect("release of a stale lease", desk.release(stale).is_err(), True)
        await desk.settled()
        self.waits("who waits", waiter)
        expect("whether the lease is still good", lease.connection is not None, True)
        desk.release(lease)
        await desk.settled()
        self.has("who waits", waiter)

    @check("pool-08", validates="5.3")
    async def test_foreign_release(self, trial: Trial[Pools[T]]) -> None:
        """A lease of another pool is an `Err`, and neither pool changes."""
        desk, other = await self.opened(trial, max_size=1), await self.opened(trial, max_size=1)
        lease = await other.take()
        mine = await desk.take() if trial.draw(st.booleans()) else None
        before = await desk.settled()
        answer = desk.raw.release(lease)
        expect("whether the release of a foreign lease is an Err", answer.is_err(), True)
        expect("class of its error", type(answer.unwrap_err()), PoolLeaseError)
        expect("stats of the pool", await desk.settled(), before)
        expect("stats of the other", (await other.settled()).in_use, 1)
        expect("whether the lease is still good", lease.connection is not None, True)
        other.release(lease)
        if mine is not None:
            desk.release(mine)
        await desk.has_all()
        await other.has_all()

    @check("pool-09", validates="5.3")
    async def test_lease_release(self, trial: Trial[Pools[T]]) -> None:
        """To give back by the lease is to give back by the pool."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        waiter = desk.ask("B")
        await desk.settled()
        desk.watch.take_back(lease.connection)
        desk.out.clear()
        expect("release by the lease", lease.release().is_ok(), True)
        expect("release by the pool, then", desk.raw.release(lease).is_err(), True)
        await desk.settled()
        self.has("who waits", waiter)

    @check("pool-10", validates="5.3")
    async def test_info(self, trial: Trial[Pools[T]]) -> None:
        """`info` tells a connection from others, how often it was lent and since when it is there; it is a copy."""
        desk = await self.opened(trial, max_size=2)
        began = desk.clock.now()
        one, other = await desk.take(), await desk.take()
        first = one.info
        expect("whether ids differ", first.id != other.info.id, True)
        expect("connection of info", first.connection is one.connection, True)
        expect("state of info", first.state, ConnectionStatus.IN_USE)
        expect("use_count", first.use_count, 1)
        age = (first.created_at - began).total_seconds()
        expect("whether created_at is when it was made", abs(age) <= self.slack or self.real_time, True)
        await trial.elapse(3 * self.tick)
        desk.release(one)
        desk.release(other)
        await desk.settled()
        leases = [await desk.take(), await desk.take()]
        again = next(lease for lease in leases if lease.connection is first.connection).info
        expect("the same connection's id", again.id, first.id)
        expect("created_at, later", again.created_at, first.created_at)
        expect("use_count, later", again.use_count, 2)
        used = (again.last_used_at - first.created_at).total_seconds()
        expect("whether last_used_at is when it was used", used >= 3 * self.tick - self.slack, True)
        expect("use_count of what was told before", first.use_count, 1)

    @check("pool-11", validates="5.3")
    async def test_bad_arguments(self, trial: Trial[Pools[T]]) -> None:
        """A timeout that is negative or no number is refused, naming it, and nothing happens."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        before = await desk.settled()

        async def enter(timeout: float) -> None:
            async with desk.pool.connection(timeout=timeout):
                pass

        for timeout in BAD_TIMEOUTS:
            what = f"timeout={timeout}"
            error = self.is_refused(f"acquire with {what}", await desk.acquire(timeout), ValidationError)
            expect(f"field of the error for {what}", error.field, "timeout")
            await refused(f"connection with {what}", enter(timeout), ValidationError)
            await refused(f"close with {what}", desk.pool.close(timeout=timeout), ValidationError)
            expect("stats afterwards", await desk.settled(), before)
        desk.release(lease)
        await desk.has_all()

    @check("pool-12", validates="5.3")
    async def test_timeout(self, trial: Trial[Pools[T]]) -> None:
        """A borrower waits as long as it says, else as the configuration does, then gets a `PoolTimeoutError`."""
        desk = await self.opened(trial, max_size=1, acquire_timeout=5 * self.tick)
        lease = await desk.take()

        async def enter(timeout: float | None = None) -> None:
            async with desk.connection(timeout):
                pass

        for timeout, lasts in ((None, 5), (2, 2), (8, 8)):
            given = timeout and timeout * self.tick
            answer = await self.lasts("acquire", desk.acquire(given), lasts * self.tick)
            error = self.is_refused("acquire where all is lent", answer, PoolTimeoutError)
            expect("cause, where nothing failed", error.__cause__, None)
            await self.lasts("connection", refused("connection", enter(given), PoolTimeoutError), lasts * self.tick)
            await desk.settled()
        late = desk.ask("B", math.inf)
        await trial.elapse(20 * self.tick)
        self.waits("who has for ever", late)
        desk.release(lease)
        await desk.settled()
        self.has("who has for ever", late)

    @check("pool-13", validates="5.3")
    async def test_no_time(self, trial: Trial[Pools[T]]) -> None:
        """With a timeout of 0 a borrower gets what is idle, else a `PoolTimeoutError` without waiting."""
        desk = await self.filled(trial, 1, max_size=2)
        lease = await desk.take(0)
        empty = await self.lasts("acquire", desk.acquire(0), 0)
        self.is_refused("acquire where nothing is idle", empty, PoolTimeoutError)
        desk.release(lease)
        await desk.settled()
        await desk.has_all()

    @check("pool-14", validates="5.3")
    async def test_max_waiting(self, trial: Trial[Pools[T]]) -> None:
        """Where `max_waiting` borrowers wait one more is turned away at once; one who left makes room."""
        desk = await self.opened(trial, max_size=1, max_waiting=2)
        lease = await desk.take()
        first, second = desk.ask("A"), desk.ask("B")
        await desk.settled()
        answer = await self.lasts("acquire", desk.acquire(5 * self.tick), 0)
        self.is_refused("acquire where as many wait as may", answer, PoolExhaustedError)
        await desk.settled()
        first.cancel()
        await asyncio.wait((first,))
        third = desk.ask("C")
        await desk.settled()
        self.waits("who comes for one who left", third)
        for waiter in (second, third):
            desk.release(lease)
            await desk.settled()
            self.has("who waited", waiter)
            lease = waiter.result().unwrap()

    @check("pool-15", validates="5.3 5.5", requires="scripted_factory")
    async def test_bound(self, trial: Trial[Pools[T]]) -> None:
        """There are never more connections than `max_size`, those being made and those being ended included."""
        size = trial.draw(st.integers(1, 3))
        desk = await self.opened(trial, max_size=size, max_lifetime=4 * self.tick)
        for operation in (Operation.CREATE, Operation.DESTROY):
            desk.script.acts[operation] = Act(seconds=trial.draw(st.sampled_from([0.0, 1.0, 3.0])) * self.tick)

        async def borrow(pauses: list[float]) -> None:
            for pause in pauses:
                async with desk.connection(math.inf):
                    await trial.elapse(pause * self.tick)

        pauses = st.lists(st.sampled_from([0.0, 1.0, 5.0]), min_size=1, max_size=3)
        await asyncio.gather(*(borrow(each) for each in trial.draw(st.lists(pauses, min_size=2, max_size=6))))
        await desk.settled()

    @check("pool-16", validates="5.3")
    async def test_not_open(self, trial: Trial[Pools[T]]) -> None:
        """Before it is opened a pool has nothing, lends nothing, and says so with a `PoolClosedError`."""
        desk = self.desk(trial, min_size=1)

        async def enter() -> None:
            async with desk.pool.connection():
                pass

        async def resize() -> None:
            desk.pool.resize(1, 2)

        for timeout in (0, 5 * self.tick):
            answer = await self.lasts("acquire before open", desk.acquire(timeout), 0)
            self.is_refused("acquire before open", answer, PoolClosedError)
        await refused("connection before open", enter(), PoolClosedError)
        await refused("resize before open", resize(), PoolClosedError)
        expect("stats before open", await desk.settled(), PoolStats())
        await desk.pool.open()
        await desk.has_all()
