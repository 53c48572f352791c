"""The two properties of the design that are about pools."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_conformance.loop import LoopClock, VirtualLoop
from infra_pool import ConnectionPool, PoolConfig, PoolStats
from infra_protocols import ValidationError

COUNTS = st.integers(0, 20)


class Connections:
    """Makes connections that take, and fail, as the operations say."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.fails = False
        self.dead: set[int] = set()
        self.made = 0

    async def create(self) -> int:
        await self._pass()
        self.made += 1
        return self.made

    async def destroy(self, connection: int) -> None:
        await self._pass()

    async def validate(self, connection: int) -> bool:
        await self._pass()
        return True

    async def reset(self, connection: int) -> None:
        await self._pass()

    def is_alive(self, connection: int) -> bool:
        return connection not in self.dead

    async def _pass(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.fails:
            raise OSError


def consistent(stats: PoolStats, max_size: int) -> bool:
    counts = (stats.idle, stats.in_use, stats.unhealthy, stats.pending, stats.waiting)
    return (
        min(counts) >= 0
        and stats.idle + stats.in_use + stats.unhealthy == stats.total
        and stats.total + stats.pending <= max_size
    )


def in_virtual_time[R](main: Coroutine[Any, Any, R]) -> R:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


OPERATIONS = st.one_of(
    st.tuples(st.just("acquire"), st.sampled_from([0.0, 1.0, 50.0])),
    st.tuples(st.just("release"), st.integers(0, 5)),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.5, 3.0, 100.0])),
    st.tuples(st.just("kill"), st.integers(1, 8)),
    st.tuples(st.just("delay"), st.sampled_from([0.0, 0.7, 30.0])),
    st.tuples(st.just("fail"), st.booleans()),
)


# **Feature: infrastructure-generics-review-2025, Property 6: Pool Counter Invariant**
# **Validates: Requirements 5.5**
@settings(max_examples=200, deadline=None)
@given(
    operations=st.lists(OPERATIONS, max_size=40),
    min_size=st.integers(0, 2),
    max_size=st.integers(2, 4),
    interval=st.sampled_from([0.0, 10.0]),
)
def test_idle_in_use_and_unhealthy_are_the_total_whatever_happens(
    operations: list[tuple[str, Any]], min_size: int, max_size: int, interval: float
) -> None:
    async def operate() -> None:
        factory = Connections()
        config = PoolConfig(
            min_size=min_size, max_size=max_size, factory_timeout=5.0, validation_interval=interval, max_lifetime=200.0
        )
        clock = LoopClock(asyncio.get_running_loop())
        borrowers: list[asyncio.Task[Any]] = []
        released: set[int] = set()

        async with ConnectionPool(factory, config, clock=clock) as pool:

            def lent() -> list[Any]:
                done = [task for task in borrowers if task.done() and not task.cancelled()]
                leases = [task.result().ok() for task in done if task.result().is_ok()]
                return [lease for lease in leases if id(lease) not in released]

            for name, value in operations:
                match name:
                    case "acquire":
                        borrowers.append(asyncio.create_task(pool.acquire(value)))
                    case "release" if value < len(lent()):
                        lease = lent()[value]
                        released.add(id(lease))
                        assert lease.release().is_ok()
                    case "cancel" if value < len(borrowers):
                        task = borrowers[int(value)]
                        task.cancel()
                    case "pass":
                        await asyncio.sleep(value)
                        assert pool.stats().in_use == len(lent())
                    case "kill":
                        factory.dead.add(value)
                    case "delay":
                        factory.delay = value
                    case "fail":
                        factory.fails = value
                    case _:
                        pass
                assert consistent(pool.stats(), max_size)
            factory.delay, factory.fails = 0.0, False
            await asyncio.wait(borrowers) if borrowers else None
            for lease in lent():
                lease.release()
        assert pool.stats() == PoolStats()

    in_virtual_time(operate())


# **Feature: infrastructure-generics-review-2025, Property 6: Pool Counter Invariant**
# **Validates: Requirements 5.5**
@settings(max_examples=200)
@given(idle=COUNTS, in_use=COUNTS, unhealthy=COUNTS, total=st.integers(0, 60))
def test_counts_that_do_not_add_up_cannot_be_told(idle: int, in_use: int, unhealthy: int, total: int) -> None:
    if idle + in_use + unhealthy == total:
        assert PoolStats(idle=idle, in_use=in_use, unhealthy=unhealthy, total=total).total == total
    else:
        with pytest.raises(ValidationError):
            PoolStats(idle=idle, in_use=in_use, unhealthy=unhealthy, total=total)


# **Feature: infrastructure-generics-review-2025, Property 7: Pool Acquire-Release Round-Trip**
# **Validates: Requirements 5.3, 5.4**
@settings(max_examples=100, deadline=None)
@given(
    min_size=st.integers(0, 4),
    more=st.integers(0, 4),
    borrowed=st.integers(1, 8),
    by=st.sampled_from(["lease", "pool", "context"]),
    delay=st.sampled_from([0.0, 0.5]),
)
def test_what_was_acquired_and_released_leaves_the_pool_as_it_was(
    min_size: int, more: int, borrowed: int, by: str, delay: float
) -> None:
    async def round_trip() -> None:
        factory = Connections()
        clock = LoopClock(asyncio.get_running_loop())
        config = PoolConfig(min_size=min_size, max_size=max(1, min_size + more))
        async with ConnectionPool(factory, config, clock=clock) as pool:
            async with asyncio.TaskGroup() as warm:
                for _ in range(borrowed):
                    warm.create_task(borrow(pool))
            before = pool.stats()
            factory.delay = delay
            async with asyncio.TaskGroup() as group:
                for _ in range(borrowed):
                    group.create_task(borrow(pool))
            factory.delay = 0.0
            await asyncio.sleep(1)
            assert pool.stats() == before
            assert before == PoolStats(idle=before.total, total=before.total)

    async def borrow(pool: ConnectionPool[int]) -> None:
        if by == "context":
            async with pool.connection() as connection:
                assert isinstance(connection, int)
                await asyncio.sleep(0.1)
            return
        lease = (await pool.acquire()).unwrap()
        await asyncio.sleep(0.1)
        assert (lease.release() if by == "lease" else pool.release(lease)).is_ok()

    in_virtual_time(round_trip())
