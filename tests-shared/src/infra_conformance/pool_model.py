"""The stateful model of a pool: whatever happens, its counts are those of what its factory and its borrowers see."""

import asyncio
import math
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.machine import Machine, rule
from infra_conformance.pool_desk import Desk, Pools
from infra_conformance.pool_script import DENIES, FAILS, HANGS, WELL, Act, Operation
from infra_conformance.trial import Trial, expect
from infra_protocols.pool import PoolConfig

ACTS: Final = [
    FAILS,
    HANGS,
    DENIES,
    Act(seconds=1.5),
    Act(seconds=3.0, error=OSError),
    Act(error=asyncio.CancelledError),
]
"""How calls of the factory go, in ticks."""
NAMES: Final = "ABCDEFGH"


class PoolMachine[T](Machine[Pools[T]]):
    """
    Random borrowers, failures and waits: after each step everything must be where the pool says it is.

    Type parameters:
        T: the connection.
    """

    def opened(self) -> None:
        """Begin without a pool: the first step that needs one opens it."""
        self.desk: Desk[T] | None = None
        self.tick: float = self.suite.tick
        self.scripted: bool = self.suite.scripted_factory
        self.waiters: list[asyncio.Task[Any]] = []

    def pool(self, data: st.DataObject) -> Desk[T]:
        """Return the pool, with bounds that are drawn when it is made."""
        if self.desk is None:
            most = data.draw(st.integers(1, 3))
            config = PoolConfig(
                min_size=data.draw(st.integers(0, most)),
                max_size=most,
                validation_interval=data.draw(st.sampled_from([0.0, 4.0, math.inf])) * self.tick,
                max_lifetime=data.draw(st.sampled_from([20.0, math.inf])) * self.tick,
                max_idle_time=data.draw(st.sampled_from([7.0, math.inf])) * self.tick,
                factory_timeout=2 * self.tick,
                backoff=0.5 * self.tick,
                max_backoff=2 * self.tick,
                acquire_timeout=50 * self.tick,
            )
            first = st.sampled_from([WELL, *ACTS]) if data.draw(st.booleans()) else st.just(WELL)
            acts = {operation: self.in_ticks(data.draw(first)) for operation in list(Operation)[:4]}
            reset, turns = data.draw(st.booleans()) or not self.scripted, data.draw(st.integers(0, 2))

            async def build(trial: Trial[Pools[T]]) -> Desk[T]:
                desk = trial.raw.desk(trial.history, config, reset=reset)
                if self.scripted:
                    desk.script.turns = turns
                    desk.script.acts |= acts
                trial.history.note(f"{config}, reset={reset}, {acts}")
                await desk.pool.open()
                await desk.settled()
                return desk

            self.desk = self.do(build)
        return self.desk

    def in_ticks(self, act: Act) -> Act:
        """Return an act that takes so many ticks."""
        return replace(act, seconds=act.seconds * self.tick)

    def settle(self) -> None:
        """Let everything come to rest, and compare."""
        if (desk := self.desk) is not None:
            self.do(lambda trial: desk.settled())
            self.waiters = [waiter for waiter in self.waiters if not waiter.done()]

    @rule(data=st.data(), ticks=st.sampled_from([0.0, 1.0, 4.0, None]))
    def ask(self, data: st.DataObject, ticks: float | None) -> None:
        """Begin to borrow."""
        desk = self.pool(data)
        name = NAMES[len(self.waiters) % len(NAMES)]

        async def step(trial: Trial[Pools[T]]) -> asyncio.Task[Any]:
            return desk.ask(name, None if ticks is None else ticks * self.tick)

        self.waiters.append(self.do(step))
        self.settle()

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Give something back, once or twice, and perhaps cancel one who waits as it comes to him."""
        desk = self.pool(data)
        if not desk.out:
            return
        lease = data.draw(st.sampled_from(desk.out))
        twice, leaver = data.draw(st.booleans()), data.draw(st.sampled_from([None, *self.waiters]))
        turns = data.draw(st.integers(0, 2))

        async def step(trial: Trial[Pools[T]]) -> None:
            desk.release(lease)
            for _ in range(turns):
                await asyncio.sleep(0)
            if leaver is not None:
                leaver.cancel()
            if twice:
                expect("a second release", desk.release(lease).is_err(), True)

        self.do(step)
        self.settle()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel one who waits."""
        if not self.waiters:
            return
        waiter = data.draw(st.sampled_from(self.waiters))

        async def step(trial: Trial[Pools[T]]) -> None:
            trial.history.note("one who waits is cancelled")
            waiter.cancel()

        self.do(step)
        self.settle()

    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """Let a connection die."""
        desk = self.pool(data)
        living = desk.watch.living()
        if not living or not self.scripted:
            return
        desk.kill(data.draw(st.sampled_from(living)).connection)

    @rule(data=st.data(), operation=st.sampled_from(list(Operation)[:4]), act=st.sampled_from([WELL, *ACTS]))
    def direct(self, data: st.DataObject, operation: Operation, act: Act) -> None:
        """Say how calls of the factory go from now on."""
        desk = self.pool(data)
        if not self.scripted:
            return
        self.trial.history.note(f"from now on, {operation.value}: {act}")
        desk.script.acts[operation] = self.in_ticks(act)

    @rule(data=st.data(), most=st.integers(1, 4))
    def resize(self, data: st.DataObject, most: int) -> None:
        """Change the bounds."""
        desk, least = self.pool(data), data.draw(st.integers(0, most))

        async def step(trial: Trial[Pools[T]]) -> None:
            desk.resize(least, most)

        self.do(step)
        self.settle()

    @rule(ticks=st.sampled_from([0.5, 1.0, 3.0, 8.0]))
    def elapse(self, ticks: float) -> None:
        """Let some time pass."""
        self.do(lambda trial: trial.elapse(ticks * self.tick))
        self.settle()

    @rule(data=st.data())
    def take_stock(self, data: st.DataObject) -> None:
        """Let everybody leave and all go well: then as many can be borrowed as ever."""
        desk = self.pool(data)

        async def step(trial: Trial[Pools[T]]) -> None:
            for waiter in self.waiters:
                waiter.cancel()
            await asyncio.gather(*self.waiters, return_exceptions=True)
            for lease in desk.out.copy():
                desk.release(lease)
            if self.scripted:
                desk.script.recover()
            await trial.elapse(5 * self.tick)
            await desk.has_all()

        self.do(step)
        self.settle()

    def teardown(self) -> None:
        """Let go of the pool, then close it."""
        self.desk = None
        self.waiters = []
        super().teardown()
