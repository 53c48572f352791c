"""What a pool promises of the life of its connections, of its own size, and of who looks on."""

import asyncio
import math
import os
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.logged import logged
from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import Act, Operation
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import PoolLoopError, ValidationError
from infra_protocols.pool import PoolMetric

BAD_BOUNDS: Final = ((3, 2), (-1, 2), (0, 0), (0, -1), (1.5, 2), (1, 2.0), (True, 2))


class AgeChecks[T](PoolChecks[T]):
    """
    The checks of how long connections live.

    Type parameters:
        T: the connection.
    """

    @check("pool-50", requires="scripted_factory")
    async def test_lifetime(self, trial: Trial[Pools[T]]) -> None:
        """A connection whose lifetime is over is lent to nobody, whether it was idle, or out, when that happened."""
        desk = await self.opened(trial, max_size=1, max_lifetime=100 * self.tick, reset=trial.draw(st.booleans()))
        lease = await desk.take()
        old = lease.connection
        for _ in range(3):
            await trial.elapse(29 * self.tick)
            desk.release(lease)
            await desk.settled()
            lease = await desk.take()
            expect("whether a young one is lent again", lease.connection is old, True)
        waiter = desk.ask("B", math.inf) if (out := trial.draw(st.booleans())) else None
        if not out:
            desk.release(lease)
        await trial.elapse(14 * self.tick)
        if waiter is not None:
            self.waits("who waits for one that is out", waiter)
            desk.release(lease)
        again = await desk.take() if waiter is None else (await waiter).unwrap()
        expect("whether another is lent", again.connection is not old, True)
        desk.release(again)
        await desk.has_all()

    @check("pool-51", requires="scripted_factory")
    async def test_lifetime_varies(self, trial: Trial[Pools[T]]) -> None:
        """Connections made together end one after the other, in the last tenth of their lifetime, without a borrow."""
        desk = await self.opened(trial, max_size=20, min_size=20, max_lifetime=100 * self.tick)
        expect("connections made together", (await desk.settled()).idle, 20)
        await trial.elapse(89 * self.tick)
        expect("how many have ended before", len(desk.watch.calls[Operation.DESTROY]), 0)
        ended: list[int] = []
        for _ in range(12):
            await trial.elapse(self.tick)
            ended.append(sum(seen.ended for seen in desk.watch.seen[:20]))
        expect("how many have ended afterwards", ended[-1], 20)
        expect("whether some ended before others", 0 < ended[5] < 20, True)
        expect("connections in the end", (await desk.settled()).idle, 20)

    @check("pool-52", requires="scripted_factory")
    async def test_idle(self, trial: Trial[Pools[T]]) -> None:
        """Connections that were idle for `max_idle_time` end, down to `min_size` and no further, and not sooner."""
        least = trial.draw(st.integers(0, 3))
        desk = await self.filled(
            trial, 5, max_size=5, min_size=least, max_idle_time=10 * self.tick, max_lifetime=math.inf
        )
        await trial.elapse(9 * self.tick)
        expect("total before", (await desk.settled()).total, 5)
        lease = await desk.take()
        await trial.elapse(20 * self.tick)
        expect("total afterwards, with one out", (await desk.settled()).total, max(least, 1))
        desk.release(lease)
        await trial.elapse(100 * self.tick)
        expect("total, long afterwards", (await desk.settled()).total, least)
        expect("how many were made in all", len(desk.watch.calls[Operation.CREATE]), 5)

    @check("pool-53", requires="scripted_factory")
    async def test_replacement(self, trial: Trial[Pools[T]]) -> None:
        """What is found dead is replaced in the background down to `min_size`, without a borrower who needs it."""
        least = trial.draw(st.integers(1, 3))
        desk = await self.opened(trial, max_size=4, min_size=least)
        for _ in range(least):
            lease = await desk.take()
            desk.kill(lease.connection)
            desk.release(lease)
            await trial.elapse(self.tick)
        stats = await desk.settled()
        expect("idle, after each of them has died", stats.idle, least)

    @check("pool-54", requires="scripted_factory")
    async def test_replacement_in_an_outage(self, trial: Trial[Pools[T]]) -> None:
        """What could not be replaced in an outage is replaced after it, without a borrower who needs it."""
        desk = await self.opened(trial, max_size=4, min_size=2, max_backoff=self.tick)
        desk.script.acts[Operation.CREATE] = Act(error=ConnectionResetError)
        for lease in [await desk.take(), await desk.take()]:
            desk.kill(lease.connection)
            desk.release(lease)
        await trial.elapse(10 * self.tick)
        expect("total in the outage", (await desk.settled()).total, 0)
        desk.script.recover()
        await trial.elapse(2 * self.tick)
        expect("idle after the outage", (await desk.settled()).idle, 2)


class SizeChecks[T](PoolChecks[T]):
    """
    The checks of resizing.

    Type parameters:
        T: the connection.
    """

    @check("pool-70")
    async def test_grow(self, trial: Trial[Pools[T]]) -> None:
        """A larger `max_size` has those served at once who wait; a larger `min_size` has connections made."""
        desk = await self.opened(trial, max_size=1)
        lease = await desk.take()
        waiters = [desk.ask(name) for name in "ABC"]
        await desk.settled()
        desk.resize(0, 3)
        await desk.settled()
        for waiter in waiters[:2]:
            self.has("who waits for one that there may be now", waiter)
        self.waits("who waits for one more", waiters[2])
        desk.resize(6, 6)
        await desk.settled()
        self.has("who waited for one more", waiters[2])
        desk.release(lease)
        expect("total", (await desk.settled()).total, 6)
        for each in desk.out.copy():
            desk.release(each)
        await desk.has_all()

    @check("pool-71")
    async def test_shrink(self, trial: Trial[Pools[T]]) -> None:
        """With a smaller `max_size` what is idle beyond it goes at once, and what is out when it comes back."""
        out = trial.draw(st.integers(0, 5))
        desk = await self.opened(trial, max_size=5, min_size=trial.draw(st.sampled_from([0, 5])))
        leases = [await desk.take() for _ in range(5)]
        for lease in leases[out:]:
            desk.release(lease)
            await desk.settled()
        desk.resize(0, 2)
        expect("total, with some out", (await desk.settled()).total, max(out, 2))
        waiter = desk.ask("B") if out >= 2 else None
        for left, lease in enumerate(leases[:out]):
            desk.release(lease)
            expect("total, with one less out", (await desk.settled()).total, max(out - left - 1, 2))
        if waiter is not None:
            self.has("who waits", waiter)
            desk.release(waiter.result().unwrap())
        await desk.has_all()

    @check("pool-72")
    async def test_bad_bounds(self, trial: Trial[Pools[T]]) -> None:
        """Bounds that are no whole numbers, or the wrong way round, are refused, and change nothing."""
        desk = await self.filled(trial, 2, max_size=2)
        before = await desk.settled()

        async def resize(least: Any, most: Any) -> None:
            desk.pool.resize(least, most)

        for least, most in BAD_BOUNDS:
            await refused(f"resize({least}, {most})", resize(least, most), ValidationError)
            expect("stats after bad bounds", await desk.settled(), before)
        await desk.has_all()


class PlaceChecks[T](PoolChecks[T]):
    """
    The checks of where a pool may be used.

    Type parameters:
        T: the connection.
    """

    @check("pool-90")
    async def test_other_loop(self, trial: Trial[Pools[T]]) -> None:
        """In another event loop everything is refused with a `PoolLoopError`, and nothing happens."""
        desk = await self.filled(trial, 1, max_size=2)
        before = await desk.settled()
        expect("what is refused elsewhere", _in_thread(desk.raw), list(_CALLS))
        expect("stats after another loop", await desk.settled(), before)
        await desk.has_all()

    @check("pool-91")
    async def test_other_process(self, trial: Trial[Pools[T]]) -> None:
        """In a process that was forked everything is refused with a `PoolLoopError`."""
        desk = await self.filled(trial, 1, max_size=2)
        expect("what is refused in a child", _in_child(desk.raw), ",".join(_CALLS))
        await desk.settled()
        await desk.has_all()


class LookChecks[T](PoolChecks[T]):
    """
    The checks of what a pool tells of itself.

    Type parameters:
        T: the connection.
    """

    @check("pool-92", requires="scripted_factory")
    async def test_meter(self, trial: Trial[Pools[T]]) -> None:
        """The meter hears how long each create, each wait and each use took, and of each borrower in vain."""
        told: dict[PoolMetric, list[float]] = {metric: [] for metric in PoolMetric}

        def meter(metric: PoolMetric, value: float) -> None:
            told[metric].append(value if metric is PoolMetric.TIMEOUTS else round(value / self.tick, 1))

        desk = await self.opened(trial, max_size=1, meter=meter)
        desk.script.follow(Operation.CREATE, [Act(seconds=2 * self.tick)])
        lease = await desk.take()
        await trial.elapse(self.tick)
        desk.release(lease)
        lease = await desk.take()
        waiter = desk.ask("B")
        await desk.acquire(3 * self.tick)
        desk.release(lease)
        await desk.settled()
        self.has("who waits", waiter)
        await trial.elapse(5 * self.tick)
        desk.release(waiter.result().unwrap())
        expect("create_time, in ticks", told[PoolMetric.CREATE_TIME], [2.0])
        expect("wait_time, in ticks", told[PoolMetric.WAIT_TIME], [2.0, 0.0, 3.0])
        expect("use_time, in ticks", told[PoolMetric.USE_TIME], [1.0, 3.0, 5.0])
        expect("timeouts", told[PoolMetric.TIMEOUTS], [1.0])

    @check("pool-93")
    async def test_meter_raises(self, trial: Trial[Pools[T]]) -> None:
        """What the meter raises is logged, and nobody else hears of it."""

        def meter(metric: PoolMetric, value: float) -> None:
            raise RuntimeError("the meter is broken")

        with logged() as records:
            desk = await self.opened(trial, max_size=1, meter=meter)
            lease = await desk.take()
            await desk.acquire(self.tick)
            waiter = desk.ask("B")
            await desk.settled()
            desk.release(lease)
            await desk.settled()
            self.has("who waits", waiter)
            desk.release(waiter.result().unwrap())
            await desk.has_all()
        expect("whether it was logged", any("the meter is broken" in text for text in records), True)

    @check("pool-94", requires="scripted_factory")
    async def test_leak(self, trial: Trial[Pools[T]]) -> None:
        """What is out for `leak_after` is logged, once, with the stack of its borrower, who keeps it."""
        desk = await self.opened(trial, max_size=2, leak_after=5 * self.tick)
        managed = trial.draw(st.booleans())

        async def forgets_to_give_back() -> None:
            if managed:
                async with desk.raw.connection() as connection:
                    desk.watch.lend(connection)
                    await asyncio.sleep(30 * self.tick)
                    desk.watch.take_back(connection)
            else:
                desk.note_lease((await desk.raw.acquire()).unwrap())

        with logged() as records:
            leaks = desk.run(forgets_to_give_back())
            lease = await desk.take()
            await trial.elapse(4 * self.tick)
            desk.release(lease)
            expect("what is logged before", records, list[str]())
            await trial.elapse(20 * self.tick)
            expect("how often it was logged", len(records), 1)
            expect("whether the stack shows the borrower", forgets_to_give_back.__name__ in records[0], True)
            expect("in_use", (await desk.settled()).in_use, 1)
            await trial.elapse(20 * self.tick)
            await leaks
            for each in desk.out.copy():
                desk.release(each)
            await desk.settled()
            expect("how often it was logged, in the end", len(records), 1)
        await desk.has_all()


async def _enter(pool: Any) -> None:
    async with pool.connection():
        pass


async def _acquire(pool: Any) -> None:
    answer = await pool.acquire()
    if answer.is_err():
        raise answer.unwrap_err()


async def _resize(pool: Any) -> None:
    pool.resize(0, 2)


_CALLS: Final[dict[str, Callable[[Any], Awaitable[None]]]] = {
    "acquire": _acquire,
    "connection": _enter,
    "resize": _resize,
    "open": lambda pool: pool.open(),
    "close": lambda pool: pool.close(),
}


def _refusing(pool: Any) -> list[str]:
    # Each call in a loop of its own; what waits for ever there is not waited for.
    names: list[str] = []
    for name, call in _CALLS.items():

        async def ask(call: Callable[[Any], Awaitable[None]] = call) -> None:
            await asyncio.wait_for(call(pool), 0.2)

        try:
            asyncio.run(ask())
        except PoolLoopError:
            names.append(name)
        except Exception:
            continue
    return names


def _in_thread(pool: Any) -> list[str]:
    names: list[str] = []
    thread = threading.Thread(target=lambda: names.extend(_refusing(pool)))
    thread.start()
    thread.join()
    return names


def _in_child(pool: Any) -> str:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child does next to nothing
        child = os.fork()
    if child == 0:
        try:
            os.write(writing, ",".join(_refusing(pool)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        names = told.read()
    os.waitpid(child, 0)
    return names
